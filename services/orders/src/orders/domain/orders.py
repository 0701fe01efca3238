"""An order: what was asked for, where its units are, and the status that follows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeAlias
from uuid import UUID, uuid5

from chassis.errors import Fault, Unprocessable
from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod, Policy

# In minor units, of each amount and of an order: far above any order, and far enough
# below 64 bits that the books can add up millions of them.
MAX_AMOUNT = 10**12

DEFAULT_POLICY = {
    Channel.WEB: Policy.ALL_OR_NOTHING,
    Channel.MOBILE: Policy.ALL_OR_NOTHING,
    Channel.WHOLESALE: Policy.ALLOW_BACKORDER,
}
NUMBER_PREFIX = {Channel.WEB: "W", Channel.MOBILE: "M", Channel.WHOLESALE: "B"}
INITIAL_PAYMENT_STATUS = {
    PaymentMethod.PREPAID: PaymentStatus.CAPTURED,
    PaymentMethod.TERMS: PaymentStatus.DUE,
}

# Never to change: a retry must find the order that the first attempt made.
_ORDERS = UUID("4d9e736d-a408-47a3-b133-1a8ab81573bc")


class InvalidOrder(Unprocessable):
    """What was sent can be read, and is no order: each fault says where and why."""

    code = "invalid_order"


class Contradiction(Exception):
    """Inventory says what cannot be true of this order."""


class Status(StrEnum):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


class Attention(StrEnum):
    """What takes longer than it should."""

    UNDECIDED = "undecided"
    CANCELLATION_OPEN = "cancellation_open"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservedLine:
    """Where Inventory says a line's units are."""

    requested: int
    reserved: int
    backordered: int
    shipped: int
    released: int
    returned: int

    @property
    def confirmed(self) -> int:
        return self.reserved + self.backordered + self.shipped + self.released

    @property
    def short(self) -> int:
        return self.requested - self.confirmed


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """An order's reservation as it stood at that version, by line."""

    version: int
    lines: Mapping[int, ReservedLine]


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedLine:
    line: int
    confirmed: int
    short: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """Every line is settled, and some units will be delivered."""

    order_id: UUID
    lines: tuple[DecidedLine, ...]
    decided_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """Every line is settled, and nothing can be delivered."""

    order_id: UUID
    decided_at: datetime


PaymentKey: TypeAlias = tuple[str | None, str | None]
Fact: TypeAlias = Confirmed | Rejected


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Its units: pending + reserved + backordered + shipped + cancelled = quantity."""

    line: int
    sku: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_rate: str | None
    pending: int
    reserved: int = 0
    backordered: int = 0
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0

    @property
    def gross(self) -> int:
        return self.quantity * self.unit_price

    @property
    def open(self) -> int:
        return self.pending + self.reserved + self.backordered

    def settle(self, now: ReservedLine) -> Self:
        """Take over where the units are; what is in no other place is cancelled."""
        kept = now.reserved + now.backordered + now.shipped
        settled = replace(
            self,
            pending=0,
            reserved=now.reserved,
            backordered=now.backordered,
            shipped=now.shipped,
            cancelled=self.quantity - kept,
            returned=now.returned,
        )
        sound = min(now.reserved, now.backordered, now.released, now.short) >= 0
        if not sound or not self._may_become(settled):
            raise Contradiction(f"{self} cannot become {now}")
        return settled

    def _may_become(self, settled: Self) -> bool:
        """Goods that have left do not come back but as returns; a "no" stays one."""
        return (
            settled.shipped >= self.shipped
            and settled.cancelled >= self.cancelled
            and self.returned <= settled.returned <= settled.shipped
        )


def status_of(lines: Sequence[Line], *, rejected: bool) -> Status:
    """The first that holds."""
    shipped = any(line.shipped for line in lines)
    still_open = any(line.open for line in lines)
    pending = any(line.pending for line in lines)
    holds = (
        (Status.REJECTED, rejected),
        (Status.CANCELLED, not still_open and not shipped),
        (Status.PLACED, pending),
        (Status.CONFIRMED, not shipped),
        (Status.PARTIALLY_SHIPPED, still_open),
        (Status.SHIPPED, True),
    )
    return next(status for status, is_so in holds if is_so)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shipping:
    price: int
    tax: int
    tax_rate: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    name: str
    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """How the order is paid, and how far: that part is Accounting's to say."""

    method: PaymentMethod
    provider: str | None = None
    reference: str | None = None
    captured: int | None = None
    net_days: int | None = None
    status: PaymentStatus
    version: int = 0

    @property
    def key(self) -> PaymentKey:
        """What no other prepaid order may have."""
        return self.provider, self.reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    id: UUID
    client: str
    fingerprint: bytes
    serial: int | None = None  # the database counts
    parent_id: UUID | None = None
    channel: Channel
    customer_id: str
    reference: str | None
    currency: str
    policy: Policy
    lines: tuple[Line, ...]
    shipping: Shipping
    ship_to: Address
    payment: Payment
    hold_id: UUID | None
    total: int
    status: Status = Status.PLACED
    attention: Attention | None = None
    version: int = 1
    reservation_version: int = 0
    sequence: int = (
        1  # of the last fact that was announced; the first is that it is placed
    )
    placed_at: datetime
    decided_at: datetime | None = None
    updated_at: datetime

    @property
    def order_id(self) -> UUID:
        """What other services call it."""
        return self.id

    @property
    def number(self) -> str:
        return f"{NUMBER_PREFIX[self.channel]}-{self.serial}"

    def settle(self, snapshot: Snapshot, at: datetime) -> tuple[Self, dict[int, Fact]]:
        """The order as Inventory has it; the facts that follow, by their sequence."""
        if snapshot.version <= self.reservation_version:
            return self, {}
        if not self._is_settled_by(snapshot):
            return self._changed(at, reservation_version=snapshot.version), {}
        lines = tuple(line.settle(snapshot.lines[line.line]) for line in self.lines)
        facts = dict(enumerate(self._facts(snapshot, at), start=self.sequence + 1))
        rejected = self.status is Status.REJECTED or any(
            isinstance(fact, Rejected) for fact in facts.values()
        )
        settled = self._changed(
            at,
            lines=lines,
            status=status_of(lines, rejected=rejected),
            reservation_version=snapshot.version,
            sequence=self.sequence + len(facts),
            decided_at=self.decided_at or at,
        )
        return settled, facts

    def account(self, version: int, status: PaymentStatus, at: datetime) -> Self:
        """The order with its payment as Accounting has it."""
        if version <= self.payment.version:
            return self
        payment = replace(self.payment, version=version, status=status)
        return self._changed(at, payment=payment)

    def _is_settled_by(self, snapshot: Snapshot) -> bool:
        asked = {line.line: line.quantity for line in self.lines}
        requested = {
            line: reserved.requested for line, reserved in snapshot.lines.items()
        }
        if requested == asked:
            return True
        # A cancellation that overtook its order is answered by what Inventory knows.
        if self.decided_at is None and all(
            units <= asked.get(line, 0) for line, units in requested.items()
        ):
            return False
        raise Contradiction(f"{asked} units were ordered, and {requested} requested")

    def _facts(self, snapshot: Snapshot, at: datetime) -> Iterator[Fact]:
        if self.decided_at is None:
            yield self._decision(snapshot, at)

    def _decision(self, snapshot: Snapshot, at: datetime) -> Fact:
        lines = tuple(
            DecidedLine(line=line, confirmed=units.confirmed, short=units.short)
            for line, units in sorted(snapshot.lines.items())
        )
        if any(line.confirmed for line in lines):
            return Confirmed(order_id=self.id, lines=lines, decided_at=at)
        return Rejected(order_id=self.id, decided_at=at)

    def _changed(self, at: datetime, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, updated_at=at, **changes)


def order_id(client: str, key: str) -> UUID:
    """The same for every attempt. Keys have no spaces: no two pairs read the same."""
    return uuid5(_ORDERS, f"{client} {key}")


def place(order: Order) -> Order:
    """The order, if it adds up to the last cent; its faults are told all at once."""
    faults = [*_line_faults(order.lines), *_total_faults(order)]
    if faults:
        raise InvalidOrder("The order does not add up.", faults=faults)
    return order


def _line_faults(lines: Sequence[Line]) -> Iterator[Fault]:
    for index, line in enumerate(lines):
        if line.discount > line.gross:
            yield Fault(
                f"/lines/{index}/discount",
                f"The discount, {line.discount}, is more than the gross, {line.gross}.",
            )


def _total_faults(order: Order) -> Iterator[Fault]:
    gross = sum(line.gross for line in order.lines)
    taxes = sum(line.tax for line in order.lines) + order.shipping.tax
    discounts = sum(line.discount for line in order.lines)
    sum_of_parts = gross - discounts + taxes + order.shipping.price
    # Discounts do not help: Accounting books the gross and the discount by themselves.
    if sum_of_parts + discounts > MAX_AMOUNT:
        yield Fault("/lines", f"The amounts add up to more than {MAX_AMOUNT}.")
    if order.total != sum_of_parts:
        yield Fault(
            "/total", f"The parts add up to {sum_of_parts}, and not to {order.total}."
        )
    match order.payment:
        case Payment(method=PaymentMethod.TERMS):
            if order.channel is not Channel.WHOLESALE:
                yield Fault("/payment/method", "Terms are for wholesale only.")
        case Payment(captured=captured):
            if captured != sum_of_parts:
                yield Fault(
                    "/payment/captured",
                    f"The parts add up to {sum_of_parts}, and {captured} was captured.",
                )
