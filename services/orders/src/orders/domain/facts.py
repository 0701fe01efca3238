"""What is announced of an order: each once, in the order in which it became true."""

from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from orders.domain.lines import Units
from orders.domain.snapshots import MovedLine, ReturnedLine


class DecidedLine(Struct, frozen=True, kw_only=True):
    line: int
    confirmed: int
    short: int


class Confirmed(Struct, frozen=True, kw_only=True):
    """Every line is settled, and some units will be delivered."""

    order_id: UUID
    lines: tuple[DecidedLine, ...]
    decided_at: datetime


class Rejected(Struct, frozen=True, kw_only=True):
    """Every line is settled, and nothing can be delivered."""

    order_id: UUID
    decided_at: datetime


class CancellationRequested(Struct, frozen=True, kw_only=True):
    order_id: UUID
    cancellation_id: UUID
    lines: tuple[Units, ...]
    requested_at: datetime


class Cancelled(Struct, frozen=True, kw_only=True):
    """These units will not be delivered; `complete`: none of those asked for was."""

    order_id: UUID
    cancellation_id: UUID
    lines: tuple[Units, ...]
    complete: bool
    cancelled_at: datetime


class CancellationRefused(Struct, frozen=True, kw_only=True):
    order_id: UUID
    cancellation_id: UUID
    refused_at: datetime


class Shipped(Struct, frozen=True, kw_only=True):
    order_id: UUID
    shipment_id: UUID
    carrier: str | None
    tracking: str | None
    lines: tuple[MovedLine, ...]
    shipped_at: datetime


class ReturnAuthorised(Struct, frozen=True, kw_only=True):
    order_id: UUID
    return_id: UUID
    lines: tuple[Units, ...]
    authorised_at: datetime
    expires_at: datetime


class Returned(Struct, frozen=True, kw_only=True):
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
