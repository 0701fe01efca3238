"""What a checkout keeps before there is an order."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import Conflict, NotFound
from inventory.domain.stock import Movement, MovementKind


class HoldNotFound(NotFound):
    code = "hold_not_found"


class NotAvailable(Conflict):
    """A hold keeps all that was asked for, or nothing."""

    code = "not_available"


class HoldConsumed(Conflict):
    """An order has taken the hold over: its units are the order's now."""

    code = "hold_consumed"


class HoldStatus(StrEnum):
    HELD = "held"
    CONSUMED = "consumed"  # an order took it over
    RELEASED = "released"  # whoever made it gave it up
    EXPIRED = "expired"


class HoldLine(Struct, frozen=True, kw_only=True):
    sku: str
    quantity: int


class HeldUnits(Struct, frozen=True, kw_only=True):
    """Units that are kept for a hold at a location."""

    hold_id: UUID
    sku: str
    location: str
    reserved: int

    @property
    def kept(self) -> Movement:
        return self._movement(self.reserved, MovementKind.HOLD)

    @property
    def freed(self) -> Movement:
        return self._movement(-self.reserved, MovementKind.HOLD_ENDED)

    def _movement(self, reserved_change: int, kind: MovementKind) -> Movement:
        return Movement(
            location=self.location,
            sku=self.sku,
            reserved_change=reserved_change,
            kind=kind,
            reference=str(self.hold_id),
        )


class Hold(Struct, frozen=True, kw_only=True):
    """Units of several products, kept together until they expire or have an order.

    `units` are where it keeps them; it keeps none once it has ended.
    """

    id: UUID
    customer_id: str | None
    lines: tuple[HoldLine, ...]
    expires_at: datetime
    status: HoldStatus = HoldStatus.HELD
    units: tuple[HeldUnits, ...] = ()

    def serves(self, placed_at: datetime) -> bool:
        """Whether an order of that time may have it, however late we hear of it."""
        return self.status is HoldStatus.HELD and placed_at <= self.expires_at

    def is_for(self, customer_id: str | None) -> bool:
        """A customer's own is for no other; a storefront's, for whoever comes to it."""
        return self.customer_id in {None, customer_id}

    def seen(self, now: datetime) -> "Hold":
        """As it looks to who would use it: one that ran out is no use to new orders."""
        if self.serves(now) or self.status is not HoldStatus.HELD:
            return self
        return replace(self, status=HoldStatus.EXPIRED)

    def not_available(self, free: Mapping[str, int]) -> NotAvailable:
        wanted = self.quantities
        short = [sku for sku, units in wanted.items() if units > free.get(sku, 0)]
        return NotAvailable(
            f"Not as many are free of {len(short)} of {len(wanted)} products.",
            available=[
                {"sku": sku, "quantity": units, "available": free.get(sku, 0)}
                for sku, units in wanted.items()
            ],
        )

    @property
    def quantities(self) -> dict[str, int]:
        """What is wanted of each product, on whichever lines."""
        wanted: dict[str, int] = {}
        for line in self.lines:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
        return wanted
