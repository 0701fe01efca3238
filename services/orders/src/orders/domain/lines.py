"""A line of an order: what was asked for, and where its units are."""

from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from orders.domain.snapshots import Contradiction, ReservedLine


class Units(Struct, frozen=True, kw_only=True):
    """Some of the units of a line."""

    line: int
    quantity: int


class Line(Struct, frozen=True, omit_defaults=True):
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
        short = now.requested - kept - now.released
        settled = replace(
            self,
            pending=0,
            reserved=now.reserved,
            backordered=now.backordered,
            shipped=now.shipped,
            cancelled=self.quantity - kept,
            returned=now.returned,
        )
        sound = min(now.reserved, now.backordered, now.released, short) >= 0
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
