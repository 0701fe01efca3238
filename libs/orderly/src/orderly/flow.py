"""How orders flow through a running stack, at one look: figures, and no verdict."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from orderly.operations import JSON, PAGE, Operations
from orderly.stack.services import NAMES

MINUTE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Flow:
    a_minute: int
    decided_within_s: Sequence[float]  # of the newest orders, in ascending order
    states: Mapping[str, int]  # of the newest orders
    undecided: int
    many_undecided: bool  # there are more than were counted
    queues: Sequence[JSON]
    outboxes: Mapping[str, JSON]

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
    newest, undecided, queues, outboxes = await asyncio.gather(
        operations.newest_orders(),
        operations.newest_orders(status="placed"),
        asyncio.gather(*map(operations.queues, NAMES)),
        asyncio.gather(*map(operations.outbox, NAMES)),
    )
    orders = newest["items"]
    return Flow(
        a_minute=rate(orders, datetime.now(UTC)),
        decided_within_s=sorted(map(_took_s, filter(_is_decided, orders))),
        states=Counter(order["status"] for order in orders),
        undecided=len(undecided["items"]),
        many_undecided=undecided["next_cursor"] is not None,
        queues=[queue for some in queues for queue in some],
        outboxes=dict(zip(NAMES, outboxes, strict=True)),
    )


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
