"""Returns: authorised here, received by Inventory, whether authorised or not."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import Conflict
from chassis.ids import uuid5
from orders.domain.facts import Numbered, ReturnAuthorised
from orders.domain.lines import Units
from orders.domain.orders import Order, OrderRejected, Status, excess
from orders.domain.snapshots import Receipt

# Never to change: a retry must find what the first attempt made.
_RETURNS = UUID("6e0a4b0e-53f4-4d41-9d2b-5cf6e2d9b7c1")

MOST_RETURNS = 50
VALID_FOR = timedelta(days=30)
MAY_COME_BACK = (Status.PARTIALLY_SHIPPED, Status.SHIPPED)


class NothingToReturn(Conflict):
    code = "nothing_to_return"


class MoreThanShipped(Conflict):
    """Each fault names the line, and how many units could still be returned."""

    code = "more_than_shipped"


class TooManyReturns(Conflict):
    code = "too_many_returns"


class ReturnStatus(StrEnum):
    AUTHORISED = "authorised"
    RECEIVED = "received"
    EXPIRED = "expired"


class ReturnLine(Struct, frozen=True, kw_only=True):
    """How many units may come back, and how many have come."""

    line: int
    quantity: int
    received: int = 0


class Return(Struct, frozen=True, kw_only=True):
    """Goods that came unannounced make one that was never authorised."""

    id: UUID
    order_id: UUID
    lines: tuple[ReturnLine, ...]
    reason: str | None = None
    authorised_at: datetime | None = None
    expires_at: datetime | None = None
    received_at: datetime | None = None

    @property
    def began_at(self) -> datetime | None:
        return self.authorised_at or self.received_at

    def status(self, at: datetime) -> ReturnStatus:
        if self.received_at is not None:
            return ReturnStatus.RECEIVED
        if self.expires_at is not None and self.expires_at <= at:
            return ReturnStatus.EXPIRED
        return ReturnStatus.AUTHORISED

    def received(self, receipt: Receipt) -> Self:
        """With what has come, also beyond what was authorised: goods are a fact."""
        came: Counter[int] = Counter()
        for line in receipt.lines:
            came[line.line] += line.quantity
        known = [
            replace(line, received=line.received + came.pop(line.line, 0))
            for line in self.lines
        ]
        unexpected = [
            ReturnLine(line=n, quantity=0, received=units) for n, units in came.items()
        ]
        return replace(
            self,
            lines=tuple(sorted(known + unexpected, key=lambda line: line.line)),
            received_at=self.received_at or receipt.received_at,
        )


def return_id(order: UUID, client: str, key: str) -> UUID:
    return uuid5(_RETURNS, f"{order} {client} {key}")


def authorise_return(  # noqa: PLR0913 - each by its name
    order: Order,
    wanted: Sequence[Units],
    others: Sequence[Return],
    *,
    id: UUID,
    reason: str | None,
    at: datetime,
) -> tuple[Order, Return, Numbered]:
    """Let these units come back, within 30 days."""
    if len(others) >= MOST_RETURNS:
        raise TooManyReturns(f"An order has at most {MOST_RETURNS}.")
    order.check_lines(wanted)
    faults = list(excess(wanted, _returnable(order, others, at), "can be returned"))
    if faults:
        raise MoreThanShipped("More units than can come back.", faults=faults)
    authorised = Return(
        id=id,
        order_id=order.id,
        lines=tuple(
            ReturnLine(line=units.line, quantity=units.quantity) for units in wanted
        ),
        reason=reason,
        authorised_at=at,
        expires_at=at + VALID_FOR,
    )
    fact = ReturnAuthorised(
        order_id=order.id,
        return_id=id,
        lines=tuple(wanted),
        authorised_at=at,
        expires_at=at + VALID_FOR,
    )
    announcing, numbered = order.announcing(fact, at)
    return announcing, authorised, numbered


def _returnable(order: Order, others: Iterable[Return], at: datetime) -> Counter[int]:
    """What has shipped, has not come back, and may not come back already."""
    if order.status is Status.REJECTED:
        raise OrderRejected("The order was rejected: nothing of it was delivered.")
    if order.status not in MAY_COME_BACK:
        raise NothingToReturn(f"The order is {order.status}: nothing of it has left.")
    free = Counter({line.line: line.shipped - line.returned for line in order.lines})
    for other in others:
        if other.status(at) is ReturnStatus.AUTHORISED:
            free.subtract({line.line: line.quantity for line in other.lines})
    return free
