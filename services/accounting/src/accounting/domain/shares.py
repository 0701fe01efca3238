"""What falls to some of a line's units: parts always add up to the whole."""

from functools import cached_property

from msgspec import Struct


def share(whole: int, *, quantity: int, first: int, units: int) -> int:
    """What `units` of `quantity` get of `whole` once the `first` ones had theirs."""
    return _of_first(whole, quantity, first + units) - _of_first(whole, quantity, first)


def _of_first(whole: int, quantity: int, units: int) -> int:
    # Rounded half up without leaving the integers.
    return (2 * whole * units + quantity) // (2 * quantity)


class Item(Struct, frozen=True, kw_only=True):
    """Units of a line, or the shipping, and what falls to them.

    Shipping is one unit that has neither a line nor a SKU.
    """

    line: int | None = None
    sku: str | None = None
    quantity: int = 1
    unit_price: int
    discount: int = 0
    tax: int
    tax_rate: str | None

    @property
    def gross(self) -> int:
        return self.quantity * self.unit_price

    @property
    def net(self) -> int:
        return self.gross - self.discount


def shipping(price: int, tax: int, tax_rate: str | None) -> Item | None:
    """Nothing at all when it is free: then no document mentions it."""
    if not (price or tax):
        return None
    return Item(unit_price=price, tax=tax, tax_rate=tax_rate)


class Worth(Struct, frozen=True, kw_only=True):
    """What goods that moved cost us, and of it what came back and cannot be sold.

    In the currency that they are valued in; None: in the order's.
    """

    cost: int
    scrapped: int = 0
    currency: str | None = None

    @property
    def restocked(self) -> int:
        return self.cost - self.scrapped


class Share(Struct, frozen=True, kw_only=True, dict=True):
    """The part of an order that a rule is about: units of its lines, and shipping.

    `gross` and `net` are of the goods alone, `tax` is the shipping's too.
    """

    goods: tuple[Item, ...]
    delivery: Item | None = None
    worth: tuple[Worth, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        return (*self.goods, self.delivery) if self.delivery else self.goods

    @cached_property
    def gross(self) -> int:
        return sum(item.gross for item in self.goods)

    @cached_property
    def discount(self) -> int:
        return sum(item.discount for item in self.goods)

    @property
    def net(self) -> int:
        return self.gross - self.discount

    @property
    def shipping(self) -> int:
        return self.delivery.net if self.delivery else 0

    @cached_property
    def net_and_shipping(self) -> int:
        return self.net + self.shipping

    @cached_property
    def tax(self) -> int:
        return sum(item.tax for item in self.items)

    @cached_property
    def total(self) -> int:
        return self.net_and_shipping + self.tax
