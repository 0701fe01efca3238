"""An order as the books know it, the facts about it, and what each moves."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from enum import StrEnum, auto
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from accounting.domain.lines import Inconsistent, Line
from accounting.domain.positions import NOTHING_YET, Position, Tally
from accounting.domain.shares import Item, Share, Worth, share_of
from contracts.orders import Channel, PaymentMethod


class Payment(Struct, frozen=True, kw_only=True):
    method: PaymentMethod
    provider: str | None
    reference: str | None
    net_days: int | None


class Stage(StrEnum):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Order(Struct, frozen=True, kw_only=True):
    id: UUID
    number: str
    channel: Channel
    customer_id: str
    currency: str
    lines: tuple[Line, ...]
    shipping: Item | None
    payment: Payment
    placed_on: date
    position: Position
    stage: Stage = Stage.PLACED
    tally: Tally = NOTHING_YET
    ship_to: Mapping[str, Any] | None = None  # said once: the books never ask

    @property
    def ordered(self) -> Share:
        return share_of([line.whole for line in self.lines], self.shipping)

    @property
    def confirmed(self) -> Share:
        """The units that will be delivered. The first of them carry the shipping."""
        goods = [line.units(0, line.confirmed) for line in self.lines if line.confirmed]
        return share_of(goods, self.shipping)

    @property
    def short(self) -> Share:
        return share_of(
            [
                line.units(line.confirmed, line.short)
                for line in self.lines
                if line.short
            ]
        )

    @property
    def nothing_shipped(self) -> bool:
        return not any(line.shipped for line in self.lines)

    @property
    def nothing_open(self) -> bool:
        return not any(line.open for line in self.lines)

    def reckon(self, **amounts: int) -> "Order":
        """The order with these amounts more, and its position after them."""
        tally = self.tally.plus(**amounts)
        position = self.position.become(tally.status(self.payment.method))
        return replace(self, tally=tally, position=position)


class Placed(Struct, frozen=True, kw_only=True):
    order: Order
    total: int


class Confirmed(Struct, frozen=True, kw_only=True):
    """The units of each line that will be delivered; and those that are short."""

    confirmed: Mapping[int, int]
    short: Mapping[int, int]


class Rejected(Struct, frozen=True, kw_only=True):
    pass


class Shipped(Struct, frozen=True, kw_only=True):
    """The units of each line that left, and what they are worth."""

    units: Mapping[int, int]
    worth: tuple[Worth, ...]


class Cancelled(Struct, frozen=True, kw_only=True):
    units: Mapping[int, int]


class Returned(Struct, frozen=True, kw_only=True):
    """The units of each line that came back, and what they are worth."""

    units: Mapping[int, int]
    worth: tuple[Worth, ...]


What: TypeAlias = Placed | Confirmed | Rejected | Shipped | Cancelled | Returned


class Fact(Struct, frozen=True, kw_only=True):
    """What happened to an order, on which day, and the event that said so."""

    event_id: UUID
    happened_on: date
    what: What


class Units(StrEnum):
    """Which of an order's units a rule is about."""

    ORDERED = auto()
    CONFIRMED = auto()
    SHORT = auto()
    SHIPPED = auto()
    CANCELLED = auto()
    RETURNED = auto()


Shares: TypeAlias = Mapping[Units, Share]


def become(order: Order | None, what: What) -> tuple[Order, Shares]:
    """The order after what happened to it, and the units that moved."""
    match what:
        case Placed():
            return _placed(order, what)
        case Confirmed():
            return _confirmed(_at(Stage.PLACED, order), what)
        case Rejected():
            return _rejected(_at(Stage.PLACED, order))
        case Shipped():
            return _shipped(_at(Stage.CONFIRMED, order), what)
        case Cancelled():
            return _cancelled(_at(Stage.CONFIRMED, order), what)
        case Returned():
            return _returned(_at(Stage.CONFIRMED, order), what)


def _at(stage: Stage, order: Order | None) -> Order:
    if order is None:
        raise Inconsistent("an order's first fact is not that it was placed")
    if order.stage is not stage:
        raise Inconsistent(f"order {order.id} is {order.stage}, not {stage}")
    return order


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
    if order.payment.method is PaymentMethod.TERMS:
        return order, {Units.ORDERED: ordered}
    if order.payment.provider is None or order.payment.reference is None:
        raise Inconsistent(f"order {order.id} is prepaid, and nobody says how")
    # Its position is the one that it opens with.
    paid = replace(order, tally=Tally(paid=ordered.total))
    return paid, {Units.ORDERED: ordered}


_NOTHING = share_of(())


def _confirmed(order: Order, confirmed: Confirmed) -> tuple[Order, Shares]:
    granted, short = confirmed.confirmed, confirmed.short
    if _together(granted, short) != {line.line: line.quantity for line in order.lines}:
        raise Inconsistent(f"order {order.id} is confirmed with other quantities")
    if not any(granted.values()):
        raise Inconsistent(f"order {order.id} is confirmed without any unit")
    order = _decided(order, Stage.CONFIRMED, short)
    if not short:
        return order, {Units.CONFIRMED: order.ordered, Units.SHORT: _NOTHING}
    return order, {Units.CONFIRMED: order.confirmed, Units.SHORT: order.short}


def _together(some: Mapping[int, int], others: Mapping[int, int]) -> Mapping[int, int]:
    if not others:
        return some
    return {n: some.get(n, 0) + others.get(n, 0) for n in some.keys() | others}


def _rejected(order: Order) -> tuple[Order, Shares]:
    everything = {line.line: line.quantity for line in order.lines}
    order = _decided(order, Stage.REJECTED, everything)
    return order, {Units.ORDERED: order.ordered}


def _decided(order: Order, stage: Stage, short: Mapping[int, int]) -> Order:
    if not short:
        return replace(order, stage=stage)
    lines = tuple(replace(line, short=short.get(line.line, 0)) for line in order.lines)
    return replace(order, stage=stage, lines=lines)


def _shipped(order: Order, shipped: Shipped) -> tuple[Order, Shares]:
    after, goods = _move(order, shipped.units, Line.ship)
    # Shipping is earned with the first shipment, whatever is in it.
    delivery = order.shipping if order.nothing_shipped else None
    return after, {Units.SHIPPED: share_of(goods, delivery, shipped.worth)}


def _cancelled(order: Order, cancelled: Cancelled) -> tuple[Order, Shares]:
    after, goods = _move(order, cancelled.units, Line.cancel)
    nothing_comes = after.nothing_open and after.nothing_shipped
    delivery = order.shipping if nothing_comes else None
    return after, {Units.CANCELLED: share_of(goods, delivery)}


def _returned(order: Order, returned: Returned) -> tuple[Order, Shares]:
    after, goods = _move(order, returned.units, Line.take_back)
    return after, {Units.RETURNED: share_of(goods, worth=returned.worth)}


def _move(
    order: Order,
    units: Mapping[int, int],
    move: Callable[[Line, int], tuple[Line, Item]],
) -> tuple[Order, list[Item]]:
    """Move units of some lines; what moves, in the order of the lines."""
    lines = {line.line: line for line in order.lines}
    if not units or not units.keys() <= lines.keys():
        raise Inconsistent(f"order {order.id} has no such lines: {sorted(units)}")
    goods: list[Item] = []
    for number in sorted(units):
        lines[number], item = move(lines[number], units[number])
        goods.append(item)
    return replace(order, lines=tuple(lines.values())), goods


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
    while (next_ := waiting.pop(applied + len(due) + 1, None)) is not None:
        due.append(next_)
    return due, [waiting[number] for number in sorted(waiting) if number > applied]


def _sequence(fact: Numbered) -> int:
    if fact.sequence is None:
        raise Inconsistent("a fact of an order has no sequence")
    return fact.sequence
