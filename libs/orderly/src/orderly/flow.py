"""How orders flow through a running stack, at one look: figures, and no verdict."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import TypeVar

from orderly.errors import StackError
from orderly.operations import JSON, Operations, Refused
from orderly.stack.services import NAMES

Answer = TypeVar("Answer")

MINUTE_S = 60.0

MOST_WAITING = 10_000  # what Orders counts to


@dataclass(frozen=True, kw_only=True)
class Flow:
    # Where Orders is away, what it alone knows is not known.
    a_minute: int | None  # orders placed, as if the minute before had been even
    decided_within_s: Sequence[float]  # of the newest orders, in ascending order
    states: Mapping[str, int]  # of the newest orders
    undecided: int | None
    attention: int | None  # orders that somebody should look at
    queues: Sequence[JSON]
    outboxes: Mapping[str, JSON]
    away: Sequence[str]  # services that did not answer

    def within_s(self, share: float) -> float | None:
        """In which time this share of the newest orders was decided."""
        found = self.decided_within_s
        return found[ceil(share * len(found)) - 1] if found else None

    def sum_of(self, name: str) -> int:
        return sum(queue[name] or 0 for queue in self.queues)

    def oldest_s(self) -> int:
        return max((queue["age"] or 0 for queue in self.queues), default=0)

    def unpublished(self) -> int:
        return sum(outbox["waiting"] for outbox in self.outboxes.values())


async def look(operations: Operations) -> Flow:
    """What can be seen: a service that is away hides no other."""
    newest, counts, queues, outboxes = await asyncio.gather(
        _unless_away(operations.newest_orders()),
        _unless_away(operations.counts(minutes=2)),
        asyncio.gather(*(_unless_away(operations.queues(name)) for name in NAMES)),
        asyncio.gather(*(_unless_away(operations.outbox(name)) for name in NAMES)),
    )
    orders = newest["items"] if newest else []
    outbox_of = dict(zip(NAMES, outboxes, strict=True))
    return Flow(
        a_minute=rate(counts) if counts else None,
        decided_within_s=sorted(map(_took_s, filter(_is_decided, orders))),
        states=Counter(order["status"] for order in orders),
        undecided=counts["undecided"] if counts else None,
        attention=counts["attention"] if counts else None,
        queues=[queue for some in queues for queue in some or ()],
        outboxes={name: found for name, found in outbox_of.items() if found},
        away=[name for name, found in outbox_of.items() if not found],
    )


async def _unless_away(asked: Awaitable[Answer]) -> Answer | None:
    try:
        return await asked
    except Refused:
        raise
    except StackError:
        return None


def rate(counts: JSON) -> int:
    """Orders of the last sixty seconds: the current minute, and a part of the last."""
    placed: list[int] = [minute["placed"] for minute in counts["minutes"]]
    *before, current = placed
    left = 1 - _time(counts["as_of"]).timestamp() % MINUTE_S / MINUTE_S
    return round(sum(before[-1:]) * left + current)


def _is_decided(order: JSON) -> bool:
    return order["decided_at"] is not None


def _took_s(order: JSON) -> float:
    took = _time(order["decided_at"]) - _time(order["placed_at"])
    return took.total_seconds()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
