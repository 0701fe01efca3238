"""What is kept, and where it may be kept."""

from datetime import datetime

from msgspec import Struct

from chassis.errors import Conflict, NotFound, Unprocessable


class ProductNotFound(NotFound):
    code = "product_not_found"


class UnknownProduct(Unprocessable):
    """A body names a SKU that is no product."""

    code = "unknown_product"


class UnknownLocation(Unprocessable):
    """A body names a location that is none."""

    code = "unknown_location"


class CurrencyInUse(Conflict):
    """What is valued in one currency cannot be revalued in another.

    Neither what is there, nor what was sold: it may come back.
    """

    code = "currency_in_use"


class Product(Struct, frozen=True, kw_only=True):
    sku: str
    name: str
    unit_cost: int
    currency: str
    reorder_point: int | None


class KnownProduct(Struct, frozen=True, kw_only=True):
    """A product as it is stored; `low`: it was at its reorder point when last seen."""

    product: Product
    version: int
    changed_at: datetime
    low: bool = False

    def runs_low(self, available: int) -> bool:
        point = self.product.reorder_point
        return point is not None and available <= point


class Location(Struct, frozen=True, kw_only=True):
    """Of two that could serve an order, the one with the lower priority does."""

    code: str
    name: str
    priority: int
