"""Orders as a process: its parts, and what they hear and announce."""

from chassis.batching import GroupCommit
from chassis.lifecycle import Parts, Runtime, Service
from chassis.waiting import Waiters
from chassis.web import create_app
from contracts import topology
from orders import api
from orders.commands import placing
from orders.domain.orders import Order
from orders.handlers import payments, reservations
from orders.settings import Settings
from orders.store import digest
from orders.store import orders as store


def build(runtime: Runtime[Settings]) -> Parts:
    database = runtime.database
    intake: GroupCommit[Order, placing.Answer] = GroupCommit(
        lambda asked: database.transact(placing.place_orders, asked)
    )
    app = create_app(
        "orders",
        description="Takes orders from every channel, and knows where each one stands.",
        routers=api.ROUTERS,
        cors_origins=runtime.settings.cors_origins,
    )
    waiters = Waiters(database, store.find_decided)
    app.state.intake = intake
    app.state.waiters = waiters
    return Parts(
        app=app, group_commits=[intake], waiters=[waiters], digest=digest.DIGEST
    )


SERVICE = Service(
    name="orders",
    settings=Settings,
    announces=topology.ORDERS,
    hears={
        topology.ORDERS_FROM_INVENTORY: reservations.router,
        topology.ORDERS_FROM_ACCOUNTING: payments.router,
    },
    build=build,
)
