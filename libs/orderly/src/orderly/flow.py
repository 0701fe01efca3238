"""How orders flow through a running stack, at one look: figures, and no verdict."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import TypeVar

from orderly.errors import StackError
from orderly.operations import JSON, PAGE, Operations, Refused
from orderly.stack.services import NAMES

Answer = TypeVar("Answer")

MINUTE_S = 60.0

NO_ORDERS: JSON = {"items": [], "next_cursor": None}


@dataclass(frozen=True, kw_only=True)
class Flow:
    a_minute: int
    decided_within_s: Sequence[float]  # of the newest orders, in ascending order
    states: Mapping[str, int]  # of the newest orders
    undecided: int
    many_undecided: bool  # there are more than were counted
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
    newest, undecided, queues, outboxes = await asyncio.gather(
        _unless_away(operations.newest_orders()),
        _unless_away(operations.newest_orders(status="placed")),
        asyncio.gather(*(_unless_away(operations.queues(name)) for name in NAMES)),
        asyncio.gather(*(_unless_away(operations.outbox(name)) for name in NAMES)),
    )
    newest, undecided = newest or NO_ORDERS, undecided or NO_ORDERS
    orders = newest["items"]
    outbox_of = dict(zip(NAMES, outboxes, strict=True))
    return Flow(
        a_minute=rate(orders, datetime.now(UTC)),
        decided_within_s=sorted(map(_took_s, filter(_is_decided, orders))),
        states=Counter(order["status"] for order in orders),
        undecided=len(undecided["items"]),
        many_undecided=undecided["next_cursor"] is not None,
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


def rate(orders: Sequence[JSON], now: datetime) -> int:
    """Orders of the last minute; where a page holds less of it, as if it went on so."""
    ages = [(now - _time(order["placed_at"])).total_seconds() for order in orders]
    recent = [age for age in ages if age <= MINUTE_S]
    if len(recent) < PAGE:
        return len(recent)
    return round(len(recent) * MINUTE_S / max(*recent, 1.0))


def _is_decided(order: JSON) -> bool:
    return order["decided_at"] is not None


def _took_s(order: JSON) -> float:
    took = _time(order["decided_at"]) - _time(order["placed_at"])
    return took.total_seconds()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
