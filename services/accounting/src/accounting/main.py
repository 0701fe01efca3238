"""Accounting's process: what it hears, what it serves, what comes round."""

from collections.abc import Sequence

from accounting import api, commands
from accounting.handlers import orders, stock
from accounting.settings import Settings
from accounting.store.digest import DIGEST
from accounting.store.documents import count_unnumbered
from accounting.store.orders import count_parked
from chassis import metrics, web
from chassis.database import Database
from chassis.lifecycle import Parts, Runtime, Service
from chassis.timers import Timer
from contracts import topology

NUMBER_EVERY_S = 15
WATCH_EVERY_S = 30

UNNUMBERED = metrics.gauge(
    "orderly.documents.unnumbered", "{document}", "Documents without their number"
)
PARKED = metrics.gauge(
    "orderly.facts.parked", "{event}", "Facts of orders that wait for an earlier one"
)


def build(runtime: Runtime[Settings]) -> Parts:
    app = web.create_app(
        "accounting",
        description="The books: accounts, entries, invoices, refunds.",
        routers=api.ROUTERS,
        cors_origins=runtime.settings.cors_origins,
    )
    database = runtime.database
    timers = (numberer(database), watch(database))
    return Parts(app=app, timers=timers, digest=DIGEST)


def numberer(database: Database) -> Timer:
    """Numbers documents as soon as they are committed, and what a crash left."""

    async def work() -> bool:
        while await database.transact(commands.number_documents) == commands.AT_ONCE:
            pass
        return False

    def nudge(subjects: Sequence[str]) -> None:
        if orders.UNNUMBERED in subjects:
            timer.nudge()

    timer = Timer(name="numberer", every_s=NUMBER_EVERY_S, work=work)
    database.on_announced(nudge)
    return timer


def watch(database: Database) -> Timer:
    """Shows what is left over, for as long as something is."""

    async def work() -> bool:
        parked = await database.transact(count_parked)
        unnumbered = await database.transact(count_unnumbered)
        PARKED.set(parked)
        UNNUMBERED.set(unnumbered)
        return parked + unnumbered > 0

    return Timer(name="watch", every_s=WATCH_EVERY_S, work=work)


SERVICE = Service(
    name="accounting",
    settings=Settings,
    announces=topology.ACCOUNTING,
    hears={
        topology.ACCOUNTING_FROM_ORDERS: orders.router,
        topology.ACCOUNTING_FROM_INVENTORY: stock.router,
    },
    build=build,
)
