"""Goods as the books see them: what came in, was found or missed, or revalued."""

from msgspec import Struct


class Received(Struct, frozen=True, kw_only=True):
    """Valued at standard cost; what was paid beyond it is a variance."""

    quantity: int
    unit_cost: int
    standard_cost: int
    currency: str

    @property
    def paid(self) -> int:
        return self.quantity * self.unit_cost

    @property
    def value(self) -> int:
        return self.quantity * self.standard_cost

    @property
    def variance(self) -> int:
        return self.paid - self.value


class Revalued(Struct, frozen=True, kw_only=True):
    """Goods on hand whose standard cost has changed."""

    on_hand: int
    unit_cost: int
    previous_unit_cost: int
    currency: str

    @property
    def gain(self) -> int:
        return self.on_hand * (self.unit_cost - self.previous_unit_cost)


class Adjusted(Struct, frozen=True, kw_only=True):
    """Goods that were found (or are missing, if `delta` is negative)."""

    delta: int
    standard_cost: int
    currency: str

    @property
    def gain(self) -> int:
        return self.delta * self.standard_cost
