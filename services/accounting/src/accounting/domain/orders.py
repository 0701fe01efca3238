"""An order as the books know it, the facts about it, and what each moves."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum, auto
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from accounting.domain.shares import Item, Share, share
from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod


class Inconsistent(Exception):
    """A fact that cannot be true of the order as the books know it."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """`discount` and `tax` are of all units. Short units are the last ones."""

    line: int
    sku: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_rate: str | None
    short: int = 0
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0

    def units(self, first: int, count: int) -> Item:
        """The `count` units that follow the `first` ones."""
        return Item(
            line=self.line,
            sku=self.sku,
            quantity=count,
            unit_price=self.unit_price,
            discount=self._share(self.discount, first, count),
            tax=self._share(self.tax, first, count),
            tax_rate=self.tax_rate,
        )

    def _share(self, whole: int, first: int, count: int) -> int:
        return share(whole, quantity=self.quantity, first=first, units=count)


@dataclass(frozen=True, kw_only=True)
class Payment:
    method: PaymentMethod
    provider: str | None
    reference: str | None
    net_days: int | None


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far an order is paid or refunded; each change has a higher version."""

    version: int
    status: PaymentStatus

    def become(self, status: PaymentStatus) -> "Position":
        return Position(version=self.version + 1, status=status)


OPENING = {
    PaymentMethod.PREPAID: Position(version=1, status=PaymentStatus.CAPTURED),
    PaymentMethod.TERMS: Position(version=1, status=PaymentStatus.DUE),
}


@dataclass(frozen=True, kw_only=True)
class Order:
    id: UUID
    number: str
    channel: Channel
    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    shipping: Item | None
    payment: Payment
    ship_to: Mapping[str, Any]
    placed_on: date
    position: Position

    @property
    def ordered(self) -> Share:
        goods = tuple(line.units(0, line.quantity) for line in self.lines)
        return Share(goods=goods, delivery=self.shipping)

    @property
    def confirmed(self) -> Share:
        """The units that will be delivered. The first of them carry the shipping."""
        goods = tuple(
            line.units(0, line.quantity - line.short)
            for line in self.lines
            if line.short < line.quantity
        )
        return Share(goods=goods, delivery=self.shipping)

    @property
    def short(self) -> Share:
        goods = tuple(
            line.units(line.quantity - line.short, line.short)
            for line in self.lines
            if line.short
        )
        return Share(goods=goods)


@dataclass(frozen=True, kw_only=True)
class Placed:
    order: Order
    total: int


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """The units of each line that will be delivered, and that will not."""

    confirmed: Mapping[int, int]
    short: Mapping[int, int]


@dataclass(frozen=True, kw_only=True)
class Rejected:
    pass


What: TypeAlias = Placed | Confirmed | Rejected


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What happened to an order, on which day, and the event that said so."""

    event_id: UUID
    happened_on: date
    what: What


class Units(Enum):
    """Which of an order's units a rule is about."""

    ORDERED = auto()
    CONFIRMED = auto()
    SHORT = auto()


Shares: TypeAlias = Mapping[Units, Share]


def become(order: Order | None, what: What) -> tuple[Order, Shares]:
    """The order after what happened to it, and the units that moved."""
    match what:
        case Placed():
            return _placed(order, what)
        case Confirmed():
            return _confirmed(_known(order), what)
        case Rejected():
            return _rejected(_known(order))


def _placed(earlier: Order | None, placed: Placed) -> tuple[Order, Shares]:
    order = placed.order
    if earlier:
        raise Inconsistent(f"order {order.id} is placed a second time")
    ordered = order.ordered
    if ordered.total != placed.total:
        raise Inconsistent(
            f"order {order.id}: its parts come to {ordered.total},"
            f" its total is {placed.total}"
        )
    return order, {Units.ORDERED: ordered}


def _confirmed(order: Order, confirmed: Confirmed) -> tuple[Order, Shares]:
    decided = Counter(confirmed.confirmed) + Counter(confirmed.short)
    if decided != {line.line: line.quantity for line in order.lines}:
        raise Inconsistent(f"order {order.id} is confirmed with other quantities")
    order = _with_short(order, confirmed.short)
    return order, {Units.CONFIRMED: order.confirmed, Units.SHORT: order.short}


def _rejected(order: Order) -> tuple[Order, Shares]:
    order = _with_short(order, {line.line: line.quantity for line in order.lines})
    return order, {Units.ORDERED: order.ordered}


def _with_short(order: Order, short: Mapping[int, int]) -> Order:
    lines = tuple(replace(line, short=short[line.line]) for line in order.lines)
    return replace(order, lines=lines)


def _known(order: Order | None) -> Order:
    if order is None:
        raise Inconsistent("an order's first fact is not that it was placed")
    return order


class Numbered(Protocol):
    @property
    def sequence(self) -> int | None: ...


N = TypeVar("N", bound=Numbered)


def in_turn(applied: int, facts: Iterable[N]) -> tuple[list[N], list[N]]:
    """Of an order's facts those whose turn it is, in their sequence, and the early.

    What was applied before is in neither, and what is said twice counts once.
    """
    waiting = {_sequence(fact): fact for fact in facts}
    due: list[N] = []
    while (next_ := waiting.get(applied + len(due) + 1)) is not None:
        due.append(next_)
    reached = applied + len(due)
    return due, [waiting[number] for number in sorted(waiting) if number > reached]


def _sequence(fact: Numbered) -> int:
    if fact.sequence is None:
        raise Inconsistent("a fact of an order has no sequence")
    return fact.sequence
