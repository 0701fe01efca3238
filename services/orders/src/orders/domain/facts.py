"""What is announced of an order: each once, in the order in which it became true."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from orders.domain.lines import Units
from orders.domain.snapshots import MovedLine, ReturnedLine


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


@dataclass(frozen=True, kw_only=True, slots=True)
class CancellationRequested:
    order_id: UUID
    cancellation_id: UUID
    lines: tuple[Units, ...]
    requested_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancelled:
    """These units will not be delivered; `complete`: none of those asked for was."""

    order_id: UUID
    cancellation_id: UUID
    lines: tuple[Units, ...]
    complete: bool
    cancelled_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CancellationRefused:
    order_id: UUID
    cancellation_id: UUID
    refused_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Shipped:
    order_id: UUID
    shipment_id: UUID
    carrier: str | None
    tracking: str | None
    lines: tuple[MovedLine, ...]
    shipped_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnAuthorised:
    order_id: UUID
    return_id: UUID
    lines: tuple[Units, ...]
    authorised_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    order_id: UUID
    return_id: UUID
    receipt_id: UUID
    lines: tuple[ReturnedLine, ...]
    received_at: datetime


Fact: TypeAlias = (
    Confirmed
    | Rejected
    | CancellationRequested
    | Cancelled
    | CancellationRefused
    | Shipped
    | ReturnAuthorised
    | Returned
)
Numbered: TypeAlias = tuple[int, Fact]
