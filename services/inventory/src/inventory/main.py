"""Starts Inventory: its API, its consumer and its relay in one process."""

from chassis import aside, web
from chassis.lifecycle import Parts, Runtime, Service
from contracts import topology
from contracts.inventory import DeadLetterChanged
from inventory import api
from inventory.handlers import orders
from inventory.settings import Settings
from inventory.store.digest import DIGEST
from inventory.sweeping import Sweeper

DESCRIPTION = "Owns stock, reservations, shipments and physical returns."


def build(runtime: Runtime[Settings]) -> Parts:
    app = web.create_app(
        "inventory",
        description=DESCRIPTION,
        routers=api.ROUTERS,
        cors_origins=runtime.settings.cors_origins,
    )
    sweeper = Sweeper(runtime.database, runtime.aws, topology.INVENTORY_FROM_ORDERS)
    return Parts(app=app, timers=(sweeper.timer,), digest=DIGEST)


SERVICE = Service(
    name="inventory",
    settings=Settings,
    announces=topology.INVENTORY,
    hears={topology.INVENTORY_FROM_ORDERS: orders.router},
    build=build,
    tell=aside.announcing(DeadLetterChanged.of),
)
