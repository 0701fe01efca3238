"""Where each service may die: at every write, every message and every call."""

import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from chassis.events import Router
from chassis.topology import Queue
from contracts.topology import ORDERS_INTAKE, TOPOLOGY
from orders.main import SERVICE as orders  # noqa: N811 - which of them it is
from tests.test_services import SERVICES

ARRIVALS = (1, 2)
# How many a run takes, by chance; or all of them; or one part of all, as in 2/10.
ASKED = os.environ.get("ORDERLY_DEATHS", "all")
SEED = int(os.environ.get("ORDERLY_SEED", random.randrange(10**6)))

# Goods left while a cancellation was on its way: nobody can wait for that to happen.
BY_CHANCE = {"orders.order_cancellation_refused.v1"}
# The transactions that change something, by the work that is done in them.
EVERYWHERE = (
    "chassis.consumer.Consumer._note",
    "chassis.ops.replay.replay_events.<locals>.work",
    "chassis.relay.Relay._next",
    "chassis.relay.Relay._release",
    "chassis.replays.Replayer._advance",
)
WRITES: Mapping[str, Sequence[str]] = {
    "orders": (
        "orders.api.cancellations.request_cancellation.<locals>.work",
        "orders.api.returns.authorise_return.<locals>.work",
        "orders.commands.batches._place_rows",
        "orders.commands.batches.begin_batch",
        "orders.commands.placing.place_orders",
        "orders.store.batches.add_rows",
        "orders.store.batches.begin_upload",
        "orders.store.batches.discard",
    ),
    "inventory": (
        "inventory.api.holds.hold_units.<locals>.work",
        "inventory.api.returns.receive_returned_goods.<locals>.work",
        "inventory.api.shipments.ship_order.<locals>.work",
        "inventory.api.stock.adjust_stock.<locals>.work",
        "inventory.api.stock.receive_goods.<locals>.work",
        "inventory.commands.holds.release_hold",
        "inventory.commands.products.put_location",
        "inventory.commands.products.put_product",
    ),
    "accounting": (
        "accounting.api.payments.record_customer_payment.<locals>.work",
        "accounting.commands.documents.number_documents",
        "accounting.commands.gateway.take_report",
    ),
}

# What changes something too, and why nobody can wait for it here: it has a death of its
# own in a tests/*/test_dying.py.
SELDOM: Mapping[str, str] = {
    "accounting.commands.gaps._ask": "a fact has to be missing for a minute",
    "accounting.commands.gaps._await_redrive": "a parked fact has to be refused",
    "accounting.commands.periods._close": "no queue may hold anything",
    "accounting.store.parking.note_put_aside": "a parked fact has to be refused",
    "chassis.idempotency.forget_old": "once a day",
    "chassis.migrations.make_partitions": "once a day, and when it starts",
    "chassis.partitions.drop_old": "once a day, and when it starts",
    "chassis.relay.Relay._put_aside.<locals>.note": "SNS has to refuse an event",
    "inventory.commands.holds.expire_holds": "a hold has to be over for a minute",
    "orders.commands.batches._fail_row": "a row has to break what places it",
    "orders.commands.rescuing.rescue": "an order has to wait for a minute",
    "orders.store.batches.forget_old": "once an hour",
}
# The consumer's own, which has places of its own in it and after it.
HANDLING = "chassis.consumer.Consumer._apply"
# The work it is given is what a place is named by.
CARRIED = "chassis.idempotency.Idempotent._answer"
READS = frozenset(
    {
        "accounting.store.documents.count_unnumbered",
        "accounting.store.documents.find",
        "accounting.store.documents.get",
        "accounting.store.documents.get_printable",
        "accounting.store.journal.balances",
        "accounting.store.journal.find",
        "accounting.store.journal.read_on",
        "accounting.store.parking.count_waiting",
        "accounting.store.parking.find_refused",
        "accounting.store.payments.find",
        "accounting.store.payments.get",
        "accounting.store.periods.find",
        "accounting.store.refunds.count_failed",
        "accounting.store.refunds.find",
        "accounting.store.reports.ageing",
        "accounting.store.reports.revenue",
        "accounting.store.reports.tax",
        "chassis.outbox.count_waiting",
        "chassis.consumer._probe",
        "chassis.digest.Digest._sum_up",
        "chassis.digest._examine",
        "chassis.feeds.Feed._newest",
        "chassis.feeds.Feed._read",
        "chassis.migrations._revision",
        "chassis.ops.digest: digest.find_orders",
        "chassis.ops.digest: digest.get_orders",
        "chassis.relay._is_behind",
        "chassis.replays.Replayer._next",
        "chassis.replays._any_open",
        "chassis.replays.get",
        "chassis.waiting.Waiters._find_done",
        "inventory.api.reservations.get_reservation.<locals>.find",
        "inventory.api.reservations.list_reservations.<locals>.find",
        "inventory.commands.holds.get_hold",
        "inventory.store.holds.get_next_expiry",
        "inventory.store.products.find",
        "inventory.store.products.find_locations",
        "inventory.store.products.get",
        "inventory.store.stock.find",
        "inventory.store.stock.find_movements",
        "inventory.store.stock.get_available",
        "orders.api.cancellations.get_cancellation.<locals>.find",
        "orders.api.cancellations.list_cancellations.<locals>.find",
        "orders.api.returns.get_return.<locals>.find",
        "orders.api.returns.list_returns.<locals>.find",
        "orders.commands.check_may_see",
        "orders.commands.looking.read",
        "orders.store.batches.find_results",
        "orders.store.batches.get",
        "orders.store.batches.next_waiting",
        "orders.store.counts.count",
        "orders.store.listing.find",
        "orders.store.rescues.next_due",
        "orders.store.timeline.find_page",
    }
)


def deaths(name: str) -> list[str]:
    """All of them, a line each; or those that this run takes."""
    return _taken(_places(name), name)


def deaths_of_intake() -> list[str]:
    """Where orders are that the queue took for a silent database."""
    router = orders.hears[ORDERS_INTAKE]
    on_the_way = _on_the_way_in(ORDERS_INTAKE, router)
    return _taken([f"sent {ORDERS_INTAKE.name}", *on_the_way], "intake")


def _taken(places: Iterable[str], name: str) -> list[str]:
    every = [f"{at} @{n}" for at, n in product(places, ARRIVALS)]
    if ASKED == "all":
        return every
    if "/" in ASKED:
        part, parts = map(int, ASKED.split("/"))
        return every[part - 1 :: parts]
    return random.Random(f"{SEED} {name}").sample(every, int(ASKED))


def _places(name: str) -> Iterator[str]:
    (service,) = (service for service in SERVICES if service.name == name)
    for work in (*EVERYWHERE, *WRITES[name]):
        yield from (f"worked {work}", f"committed {work}")
    for queue, router in service.hears.items():
        if queue != ORDERS_INTAKE:
            yield from _on_the_way_in(queue, router)
    for queue in TOPOLOGY.queues_of(name):
        yield f"sent {queue.dead_letters}"
    yield f"published {service.announces.name}"


def _on_the_way_in(queue: Queue, router: Router) -> Iterator[str]:
    yield from (f"received {queue.name}", f"deleted {queue.name}")
    yield from (
        f"{place} {type_}"
        for type_ in sorted(router.types - BY_CHANCE)
        for place in ("applied", "handled")
    )
