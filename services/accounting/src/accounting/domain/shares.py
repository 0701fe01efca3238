"""What falls to some of a line's units: parts always add up to the whole."""

from collections.abc import Sequence

from msgspec import Struct


def share(whole: int, *, quantity: int, first: int, units: int) -> int:
    """What `units` of `quantity` get of `whole` once the `first` ones had theirs."""
    return _of_first(whole, quantity, first + units) - _of_first(whole, quantity, first)


def _of_first(whole: int, quantity: int, units: int) -> int:
    # Rounded half up without leaving the integers.
    return (2 * whole * units + quantity) // (2 * quantity)


class Item(Struct, frozen=True, kw_only=True):
    """Units of a line, or the shipping, and what falls to them: as documents say it.

    Shipping is one unit that has neither a line nor a SKU.
    """

    line: int | None
    sku: str | None
    description: str
    quantity: int
    unit_price: int
    discount: int
    tax_rate: str | None
    net: int
    tax: int


def shipping(price: int, tax: int, tax_rate: str | None) -> Item | None:
    """Nothing at all when it is free: then no document mentions it."""
    if not (price or tax):
        return None
    return Item(
        line=None,
        sku=None,
        description="Shipping",
        quantity=1,
        unit_price=price,
        discount=0,
        tax_rate=tax_rate,
        net=price,
        tax=tax,
    )


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


class Share(Struct, frozen=True, kw_only=True):
    """The part of an order that a rule is about: units of its lines, and shipping.

    `gross` and `net` are of the goods alone, `tax` is the shipping's too.
    """

    items: tuple[Item, ...]
    worth: Sequence[Worth]
    gross: int
    discount: int
    net: int
    shipping: int
    net_and_shipping: int
    tax: int
    total: int


def share_of(
    goods: Sequence[Item], delivery: Item | None = None, worth: Sequence[Worth] = ()
) -> Share:
    net = discount = tax = shipping = 0
    for item in goods:
        net += item.net
        discount += item.discount
        tax += item.tax
    if delivery:
        shipping = delivery.net
        tax += delivery.tax
    return Share(
        items=(*goods, delivery) if delivery else tuple(goods),
        worth=worth,
        gross=net + discount,
        discount=discount,
        net=net,
        shipping=shipping,
        net_and_shipping=net + shipping,
        tax=tax,
        total=net + shipping + tax,
    )
