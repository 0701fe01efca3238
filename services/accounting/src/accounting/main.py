"""Accounting's process: what it hears, what it serves, what comes round."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from accounting import api
from accounting.api.pdf import Printer
from accounting.commands import gaps
from accounting.commands.documents import AT_ONCE, number_documents
from accounting.commands.gaps import Patience
from accounting.handlers import orders, stock
from accounting.settings import Seller, Settings
from accounting.store.digest import DIGEST
from accounting.store.documents import count_unnumbered
from accounting.store.parking import Waiting, count_waiting
from accounting.store.refunds import count_failed
from chassis import metrics, web
from chassis.database import Database
from chassis.lifecycle import Parts, Runtime, Service
from chassis.queues import Aws
from chassis.timers import Due, Timer
from chassis.topology import Queue
from contracts import topology

NUMBER_EVERY_S = 15
WATCH_EVERY_S = 30
LOOKS_AT_REST_EVERY = timedelta(hours=1)
ASK_EVERY_S = 15
PUT_ASIDE_EVERY_S = 60

UNNUMBERED = metrics.standing(
    "orderly.documents.unnumbered", "{document}", "Documents without their number"
)
PARKED = metrics.standing(
    "orderly.facts.parked",
    "{event}",
    "Facts of orders that wait for an earlier one",
    watched=True,
)
MISSING = metrics.standing(
    "orderly.facts.missing",
    "{order}",
    "Orders with a gap that does not heal",
    watched=True,
)
REFUSED = metrics.standing(
    "orderly.facts.refused",
    "{event}",
    "Parked facts that cannot be entered",
    watched=True,
)
FAILED_REFUNDS = metrics.standing(
    "orderly.refunds.failed",
    "{refund}",
    "Refunds that did not get through",
    watched=True,
)


def build(runtime: Runtime[Settings]) -> Parts:
    settings = runtime.settings
    app = web.create_app(
        "accounting",
        description="The books: accounts, entries, invoices, refunds, payments.",
        routers=api.ROUTERS,
        cors_origins=settings.cors_origins,
    )
    app.state.printer = Printer(settings.seller)
    app.state.aws = runtime.aws
    app.state.gateway_secrets = [
        secret.get_secret_value() for secret in settings.gateway_secrets
    ]
    patience = Patience(
        asks_after=timedelta(seconds=settings.gap_asked_after_s),
        alarms_after=timedelta(seconds=settings.gap_alarm_after_s),
    )
    database, aws = runtime.database, runtime.aws
    queue = topology.ACCOUNTING_FROM_ORDERS
    timers = (
        numberer(database, settings.seller),
        watch(database, patience),
        watch_refunds(database),
        asker(database, aws, queue, patience),
        clerk(database, aws, queue),
    )
    hears = {queue: orders.posting(settings.seller)}
    return Parts(app=app, timers=timers, digest=DIGEST, hears=hears)


def numberer(database: Database, seller: Seller) -> Timer:
    """Numbers documents that were stored without, as soon as they are committed."""

    async def work() -> bool:
        while await database.transact(number_documents, seller) == AT_ONCE:
            pass
        return False

    def nudge(subjects: Sequence[str]) -> None:
        if orders.UNNUMBERED in subjects:
            timer.nudge()

    timer = Timer(name="numberer", every_s=NUMBER_EVERY_S, work=work)
    database.on_announced(nudge)
    return timer


def watch(database: Database, patience: Patience) -> Timer:
    """Shows what is left over, for as long as something is."""

    async def work() -> Due:
        waiting = await database.transact(count_waiting, patience.alarms_after)
        unnumbered = await database.transact(count_unnumbered)
        PARKED.set(waiting.parked)
        REFUSED.set(waiting.refused)
        MISSING.set(waiting.overdue)
        UNNUMBERED.set(unnumbered)
        return unnumbered > 0 or _next_look(waiting)

    return Timer(name="watch", every_s=WATCH_EVERY_S, work=work)


def watch_refunds(database: Database) -> Timer:
    """Shows what failed, until people have mended it: that may take weeks."""

    async def work() -> Due:
        failed = await database.transact(count_failed)
        FAILED_REFUNDS.set(failed)
        return failed > 0 and _later()

    return Timer(name="refund watch", every_s=WATCH_EVERY_S, work=work)


def _next_look(waiting: Waiting) -> Due:
    """At once when more facts are overdue; what is, comes by itself or by people."""
    later = _later()
    return waiting.parked > 0 and min(waiting.next_overdue or later, later)


def _later() -> datetime:
    """What nobody mends for weeks is not to keep an idle database awake as long."""
    return datetime.now(UTC) + LOOKS_AT_REST_EVERY


def asker(database: Database, aws: Aws, queue: Queue, patience: Patience) -> Timer:
    """Asks for facts that do not come, for as long as others wait for them."""

    async def work() -> Due:
        waiting = await database.transact(count_waiting, patience.asks_after)
        if waiting.overdue:
            await gaps.ask_for_missing(database, aws, queue, patience)
        return _next_look(waiting)

    every_s = min(ASK_EVERY_S, patience.asks_after.total_seconds())
    return Timer(name="asker", every_s=every_s, work=work)


def clerk(database: Database, aws: Aws, queue: Queue) -> Timer:
    """Puts refused facts among the dead letters, as soon as they are refused."""

    async def work() -> bool:
        return await gaps.put_refused_aside(database, aws, queue) > 0

    def nudge(subjects: Sequence[str]) -> None:
        if orders.REFUSED in subjects:
            timer.nudge()

    timer = Timer(name="clerk", every_s=PUT_ASIDE_EVERY_S, work=work)
    database.on_announced(nudge)
    return timer


SERVICE = Service(
    name="accounting",
    settings=Settings,
    announces=topology.ACCOUNTING,
    hears={
        topology.ACCOUNTING_FROM_ORDERS: orders.router,
        topology.ACCOUNTING_FROM_INVENTORY: stock.router,
    },
    build=build,
    tell=gaps.tell,
)
