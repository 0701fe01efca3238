"""An order: what was asked for, where its units are, and the status that follows."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeAlias
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import Conflict, Fault, NotFound, Unprocessable
from chassis.ids import uuid5
from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod, Policy
from orders.domain.facts import Fact, Numbered
from orders.domain.lines import Line, Units

# In minor units, of each amount and of an order: far above any order, and far enough
# below 64 bits that the books can add up millions of them.
MAX_AMOUNT = 10**12

DEFAULT_POLICY = {
    Channel.WEB: Policy.ALL_OR_NOTHING,
    Channel.MOBILE: Policy.ALL_OR_NOTHING,
    Channel.WHOLESALE: Policy.ALLOW_BACKORDER,
}
NUMBER_PREFIX = {Channel.WEB: "W", Channel.MOBILE: "M", Channel.WHOLESALE: "B"}
CHANNEL_OF = {prefix: channel for channel, prefix in NUMBER_PREFIX.items()}
INITIAL_PAYMENT_STATUS = {
    PaymentMethod.PREPAID: PaymentStatus.CAPTURED,
    PaymentMethod.TERMS: PaymentStatus.DUE,
}

# Never to change: a retry must find the order that the first attempt made.
_ORDERS = UUID("4d9e736d-a408-47a3-b133-1a8ab81573bc")


class InvalidOrder(Unprocessable):
    """What was sent can be read, and is no order: each fault says where and why."""

    code = "invalid_order"


class OrderNotFound(NotFound):
    """Said in the same words of an order that is somebody else's."""

    code = "order_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such order.")


class OrderRejected(Conflict):
    code = "order_rejected"


class InvalidLines(Unprocessable):
    """They are not lines of this order, or one of them is named twice."""

    code = "invalid_lines"


class Status(StrEnum):
    PLACED = "placed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    PARTIALLY_SHIPPED = "partially_shipped"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


# Where an order may go from here. Whatever is decided never goes back.
FOLLOWS: Mapping[Status, frozenset[Status]] = {
    Status.PLACED: frozenset(Status) - {Status.PLACED},
    Status.CONFIRMED: frozenset(
        {Status.PARTIALLY_SHIPPED, Status.SHIPPED, Status.CANCELLED}
    ),
    Status.PARTIALLY_SHIPPED: frozenset({Status.SHIPPED}),
    Status.SHIPPED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.REJECTED: frozenset(),
}


class Attention(StrEnum):
    """What somebody should look at: a dead letter, or what takes too long."""

    EVENT_STUCK = "event_stuck"
    UNDECIDED = "undecided"
    CANCELLATION_OPEN = "cancellation_open"


OVERDUE = (Attention.UNDECIDED, Attention.CANCELLATION_OPEN)


PaymentKey: TypeAlias = tuple[str | None, str | None]


def status_of(lines: Sequence[Line], *, rejected: bool) -> Status:
    """The first that holds."""
    if rejected:
        return Status.REJECTED
    pending = shipped = still_open = 0
    for line in lines:
        pending += line.pending
        shipped += line.shipped
        still_open += line.open
    if not still_open and not shipped:
        return Status.CANCELLED
    if pending:
        return Status.PLACED
    if not shipped:
        return Status.CONFIRMED
    return Status.PARTIALLY_SHIPPED if still_open else Status.SHIPPED


class Shipping(Struct, frozen=True, kw_only=True):
    price: int
    tax: int
    tax_rate: str | None


class Address(Struct, frozen=True, kw_only=True):
    name: str
    line1: str
    line2: str | None
    city: str
    region: str | None
    postal_code: str
    country: str


class Payment(Struct, frozen=True, kw_only=True, omit_defaults=True):
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


class Accounted(Struct, frozen=True):
    """What Accounting has a say in of an order, held without the rest of it."""

    id: UUID
    version: int
    placed_at: datetime
    updated_at: datetime
    payment_method: PaymentMethod
    payment_status: PaymentStatus
    payment_version: int

    def account(self, version: int, status: PaymentStatus, at: datetime) -> Self:
        """The same with the payment as Accounting has it."""
        if version <= self.payment_version:
            return self
        return replace(
            self,
            version=self.version + 1,
            updated_at=at,
            payment_status=status,
            payment_version=version,
        )


class Standing(Struct, frozen=True, omit_defaults=True):
    """Where an order stands: all that changes of it, but for its payment."""

    id: UUID
    lines: tuple[Line, ...]
    placed_at: datetime
    updated_at: datetime
    status: Status = Status.PLACED
    overdue: Attention | None = None
    events_stuck: int = 0
    version: int = 1
    reservation_version: int = 0
    sequence: int = (
        1  # of the last fact that was announced; the first is that it is placed
    )
    decided_at: datetime | None = None
    rescue_at: datetime | None = None  # announced again then, if still undecided
    # How many of what Inventory lists were announced.
    answers_announced: int = 0
    shipments_announced: int = 0
    receipts_announced: int = 0

    @property
    def attention(self) -> Attention | None:
        """A dead letter before what takes too long: it may well be why."""
        return Attention.EVENT_STUCK if self.events_stuck else self.overdue

    @property
    def is_reserved(self) -> bool:
        """All of it, and nothing has left yet."""
        return all(line.reserved == line.quantity for line in self.lines)

    def changed(self, at: datetime, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, updated_at=at, **changes)


class Order(Standing, frozen=True, kw_only=True):
    """All of it, what was asked for included."""

    client: str
    fingerprint: bytes
    serial: int | None = None  # the database counts
    parent_id: UUID | None = None
    channel: Channel
    customer_id: str
    reference: str | None
    currency: str
    policy: Policy
    shipping: Shipping
    ship_to: Address
    payment: Payment
    hold_id: UUID | None
    total: int

    @property
    def order_id(self) -> UUID:
        """What other services call it."""
        return self.id

    @property
    def number(self) -> str:
        return f"{NUMBER_PREFIX[self.channel]}-{self.serial}"

    def with_stuck(self, events: int, at: datetime) -> Self:
        """The order, so many events about which are dead letters now."""
        if events == self.events_stuck:
            return self
        return self.changed(at, events_stuck=events)

    def announcing(self, fact: Fact, at: datetime) -> tuple[Self, Numbered]:
        """The order with one more fact announced, and its number."""
        sequence = self.sequence + 1
        return self.changed(at, sequence=sequence), (sequence, fact)

    def check_lines(self, wanted: Sequence[Units]) -> None:
        """Refuse what are not lines of this order, and lines that are named twice."""
        known = {line.line for line in self.lines}
        faults: list[Fault] = []
        for index, units in enumerate(wanted):
            if units.line not in known:
                fault = f"There is no line {units.line}, or it was named before."
                faults.append(Fault(f"/lines/{index}/line", fault))
            known.discard(units.line)
        if faults:
            raise InvalidLines("These are not lines of the order.", faults=faults)


def excess(
    wanted: Sequence[Units], free: Mapping[int, int], what_for: str
) -> Iterator[Fault]:
    """Where more units are wanted than are free."""
    for index, units in enumerate(wanted):
        left = max(free[units.line], 0)
        if units.quantity > left:
            yield Fault(
                f"/lines/{index}/quantity",
                f"{left} units of line {units.line} {what_for}.",
            )


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
    sum_of_parts, discounts = order.shipping.price + order.shipping.tax, 0
    for line in order.lines:
        sum_of_parts += line.gross - line.discount + line.tax
        discounts += line.discount
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
