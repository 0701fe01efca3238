"""Orders as a process: its parts, and what they hear and announce."""

from datetime import timedelta

from chassis.batching import GroupCommit
from chassis.lifecycle import Parts, Runtime, Service
from chassis.timers import Timer
from chassis.waiting import Waiters
from chassis.web import create_app
from contracts import topology
from orders import api
from orders.commands import placing
from orders.commands.rescuing import Watchdog
from orders.domain.orders import Order
from orders.domain.rescues import Patience
from orders.handlers import payments, reservations
from orders.settings import Settings
from orders.store import digest
from orders.store import orders as store

# More than the consumer takes at once; a message may hold a hundred events.
BEHIND_MESSAGES = 50


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
        app=app,
        group_commits=[intake],
        waiters=[waiters],
        timers=[_watchdog(runtime)],
        digest=digest.DIGEST,
    )


def _watchdog(runtime: Runtime[Settings]) -> Timer:
    settings = runtime.settings
    patience = Patience(
        ages=tuple(timedelta(seconds=age) for age in settings.rescue_ages_s),
        then_every=timedelta(seconds=settings.rescue_then_every_s),
    )

    async def is_queue_behind() -> bool:
        waiting = await runtime.aws.depth(topology.ORDERS_FROM_INVENTORY.name)
        return waiting > BEHIND_MESSAGES

    watchdog = Watchdog(runtime.database, patience, is_queue_behind)
    return Timer(
        name="watchdog", every_s=settings.watchdog_every_s, work=watchdog.sweep
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
