"""Where the units are, what came in, and what moves them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import Conflict, Fault
from inventory.domain.products import KnownProduct, Product, UnknownProduct


class MovementKind(StrEnum):
    RECEIPT = "receipt"
    RESERVATION = "reservation"
    RELEASE = "release"
    SHIPMENT = "shipment"
    RETURN = "return"
    SCRAP = "scrap"
    ADJUSTMENT = "adjustment"
    HOLD = "hold"
    HOLD_ENDED = "hold_ended"  # expired, released, or taken over by an order


class Movement(Struct, frozen=True, kw_only=True, gc=False):
    """What changed in the stock of a SKU at a location, and why."""

    location: str
    sku: str
    on_hand_change: int = 0
    reserved_change: int = 0
    kind: MovementKind
    reference: str


class Shelf(Struct, frozen=True, kw_only=True, gc=False):
    """The units of a SKU at a location."""

    sku: str
    location: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


def available(shelves: Iterable[Shelf]) -> dict[str, int]:
    """What is free of each SKU, wherever it is."""
    free: defaultdict[str, int] = defaultdict(int)
    for shelf in shelves:
        free[shelf.sku] += shelf.available
    return dict(free)


def moved(shelves: Iterable[Shelf], moves: Iterable[Movement]) -> list[Shelf]:
    """What there is when this has moved."""
    changes: defaultdict[tuple[str, str], list[Movement]] = defaultdict(list)
    for movement in moves:
        changes[movement.sku, movement.location].append(movement)
    return [
        replace(
            shelf,
            on_hand=shelf.on_hand + sum(move.on_hand_change for move in here),
            reserved=shelf.reserved + sum(move.reserved_change for move in here),
        )
        if (here := changes.get((shelf.sku, shelf.location)))
        else shelf
        for shelf in shelves
    ]


class Units(Protocol):
    """So many of a SKU."""

    @property
    def sku(self) -> str: ...
    @property
    def reserved(self) -> int: ...


def left(shelves: Iterable[Shelf], kept: Iterable[Units]) -> dict[str, int]:
    """What is free of each SKU when these are kept for somebody."""
    free = available(shelves)
    for units in kept:
        free[units.sku] -= units.reserved
    return free


class BelowReserved(Conflict):
    """What is kept for orders and holds must be there."""

    code = "below_reserved"


class Adjustment(Struct, frozen=True, kw_only=True):
    """What somebody counted: more, or less, than was known."""

    id: UUID
    location: str
    sku: str
    delta: int
    reason: str
    adjusted_at: datetime

    @property
    def movement(self) -> Movement:
        return Movement(
            location=self.location,
            sku=self.sku,
            on_hand_change=self.delta,
            kind=MovementKind.ADJUSTMENT,
            reference=str(self.id),
        )


class ReceivedLine(Struct, frozen=True, kw_only=True):
    """`unit_cost` is what was paid, `standard_cost` what the product is valued at."""

    line: int
    sku: str
    quantity: int
    unit_cost: int
    standard_cost: int
    currency: str


class Receipt(Struct, frozen=True, kw_only=True):
    """Goods that came in."""

    id: UUID
    location: str
    reference: str | None
    lines: tuple[ReceivedLine, ...]
    received_at: datetime

    @property
    def movements(self) -> list[Movement]:
        return [
            Movement(
                location=self.location,
                sku=line.sku,
                on_hand_change=line.quantity,
                kind=MovementKind.RECEIPT,
                reference=self.reference or str(self.id),
            )
            for line in self.lines
        ]


class DeliveredLine(Struct, frozen=True, kw_only=True):
    """`unit_cost` is what was paid; None: what the product is valued at."""

    sku: str
    quantity: int
    unit_cost: int | None

    def valued(self, number: int, product: Product) -> ReceivedLine:
        paid = product.unit_cost if self.unit_cost is None else self.unit_cost
        return ReceivedLine(
            line=number,
            sku=self.sku,
            quantity=self.quantity,
            unit_cost=paid,
            standard_cost=product.unit_cost,
            currency=product.currency,
        )


class Delivery(Struct, frozen=True, kw_only=True):
    """Goods that are coming in, as the caller says."""

    id: UUID
    location: str
    reference: str | None
    lines: tuple[DeliveredLine, ...]
    received_at: datetime

    def valued(self, known: Mapping[str, KnownProduct]) -> Receipt:
        """With what was paid, and what it is worth to us."""
        faults = [
            Fault(f"/lines/{index}/sku", f"There is no product {line.sku}.")
            for index, line in enumerate(self.lines)
            if line.sku not in known
        ]
        if faults:
            raise UnknownProduct(
                "Describe a product before it comes in.", faults=faults
            )
        return Receipt(
            id=self.id,
            location=self.location,
            reference=self.reference,
            lines=tuple(
                line.valued(number, known[line.sku].product)
                for number, line in enumerate(self.lines, 1)
            ),
            received_at=self.received_at,
        )
