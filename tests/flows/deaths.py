"""Where each service may die: at every write, every message and every call."""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from contracts.topology import TOPOLOGY
from tests.test_services import SERVICES

ARRIVALS = (1, 2)
# How many a run takes, by chance; or all of them; or one part of all, as in 2/10.
ASKED = os.environ.get("ORDERLY_DEATHS", "all")
SEED = int(os.environ.get("ORDERLY_SEED", random.randrange(10**6)))

# Goods left while a cancellation was on its way: nobody can wait for that to happen.
BY_CHANCE = {"orders.order_cancellation_refused.v1"}
# The transactions that change something, by the work that is done in them.
EVERYWHERE = (
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


def deaths(name: str) -> list[str]:
    """All of them, a line each; or those that this run takes."""
    every = [f"{at} @{n}" for at, n in product(_places(name), ARRIVALS)]
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
        if queue.hears is None:  # its own, which is used while the database is silent
            continue
        yield from (f"received {queue.name}", f"deleted {queue.name}")
        yield from (
            f"{place} {type_}"
            for type_ in sorted(router.types - BY_CHANCE)
            for place in ("applied", "handled")
        )
    for queue in TOPOLOGY.queues_of(name):
        yield f"sent {queue.dead_letters}"
    yield f"published {service.announces.name}"
