"""Every event is heard once by each who is to hear it; what cannot be is put aside."""

from collections import Counter
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

from chassis.lifecycle import Service
from contracts.topology import TOPOLOGY
from orderly.stack.services import NAMES
from tests.chaos.invariants.evidence import (
    Databases,
    Evidence,
    Violation,
    rows,
    violated,
)


async def events_are_heard_once(databases: Databases) -> AsyncIterator[Violation]:
    """What one has announced is in the inbox of each who handles it, and no more."""
    announced = {
        name: await rows(database, "SELECT id, type, position FROM outbox")
        for name, database in databases.items()
    }
    for listener, database in databases.items():
        service: Service[Any] = import_module(f"{listener}.main").SERVICE
        counted = Counter(row.event_id for row in await rows(database, "TABLE inbox"))
        heard = counted.keys()
        for id_ in (id_ for id_, times in counted.items() if times > 1):
            yield Violation("events_are_heard_once", "of several days", f"event {id_}")
        expected = {
            row.id: row
            for queue, router in service.hears.items()
            for name in NAMES
            if queue.hears == import_module(f"{name}.main").SERVICE.announces
            for row in announced[name]
            if row.type in router.types
        }
        for id_ in expected.keys() - heard:
            yield violated(
                "events_are_heard", expected[id_], f"{listener} has not heard it"
            )
        # Orders hears besides what it has told itself, of which there is no log.
        for id_ in heard - expected.keys() if listener != "orders" else ():
            yield Violation("events_are_announced", "nobody told it", f"event {id_}")


async def only_poison_is_put_aside(evidence: Evidence) -> AsyncIterator[Violation]:
    """What was meant to be put aside is, with its reason, and nothing else is."""
    aws = evidence.system.aws
    found: Counter[str] = Counter()
    for queue in TOPOLOGY.queues:
        while messages := await aws.receive(queue.dead_letters, wait_s=0):
            for message in messages:
                found[message.body] += 1
                if message.body not in evidence.poison:
                    reason = message.attributes.get("error", "")
                    yield Violation("only_poison_is_put_aside", reason, message.body)
    for body in evidence.poison - found.keys():
        yield Violation("poison_is_put_aside", "it is nowhere", body)
