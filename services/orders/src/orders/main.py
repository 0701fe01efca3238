"""Orders as a process: its parts, and what they hear and announce."""

from datetime import timedelta
from functools import partial

from chassis.feeds import Feed
from chassis.lifecycle import Parts, Runtime, Service
from chassis.timers import Timer
from chassis.waiting import Waiters
from chassis.web import create_app
from contracts import topology
from orders import api
from orders.api.orders import get_order, place_order
from orders.commands import batches
from orders.commands.intake import Intake
from orders.commands.looking import looks_at
from orders.commands.rescuing import Watchdog
from orders.domain.rescues import Patience
from orders.handlers import intake as spilled
from orders.handlers import letters, payments, reservations
from orders.settings import Settings
from orders.store import digest, facts
from orders.store import orders as store

# More than the consumer takes at once; a message may hold a hundred events.
BEHIND_MESSAGES = 50
BATCHES_EVERY_S = 15
BATCH_UPKEEP_S = 3600


def build(runtime: Runtime[Settings]) -> Parts:
    database, settings = runtime.database, runtime.settings
    app = create_app(
        "orders",
        description="Takes orders from every channel, and knows where each one stands.",
        routers=api.ROUTERS,
        cors_origins=settings.cors_origins,
        express=[place_order, get_order],
    )
    intake = Intake(
        database,
        runtime.aws,
        most_waiting=settings.intake_most_waiting,
        spill_after_s=settings.spill_after_s,
    )
    looks = looks_at(database)
    waiters = Waiters(database, store.find_decided)
    feed = Feed(runtime.reader, newest=facts.newest, read=facts.find_after)
    placing_batches = Timer(
        name="batches",
        every_s=BATCHES_EVERY_S,
        work=partial(batches.place_all, database),
        in_every_role=True,
    )
    app.state.intake = intake
    app.state.looks = looks
    app.state.waiters = waiters
    app.state.feed = feed
    app.state.placing_batches = placing_batches
    return Parts(
        app=app,
        group_commits=[intake.placing, intake.spilling, looks],
        waiters=[waiters, feed],
        digest=digest.DIGEST,
        timers=[
            _watchdog(runtime),
            placing_batches,
            Timer(
                name="batch upkeep",
                every_s=BATCH_UPKEEP_S,
                work=partial(batches.keep_up, database),
            ),
        ],
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
        name="watchdog",
        every_s=settings.watchdog_every_s,
        work=watchdog.sweep,
        in_every_role=True,  # another process may be at rest when this one places
    )


SERVICE = Service(
    name="orders",
    settings=Settings,
    announces=topology.ORDERS,
    hears={
        topology.ORDERS_FROM_INVENTORY: reservations.router,
        topology.ORDERS_FROM_ACCOUNTING: payments.router,
        topology.ORDERS_INTAKE: spilled.router,
    },
    build=build,
    tell=letters.mark_own,
)
