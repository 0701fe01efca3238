"""An order as it was asked for, as JSON, for as long as it cannot be placed."""

from typing import Any, Self

from msgspec import Struct, json
from msgspec.structs import replace

from orders.domain.orders import Order


class AskedOrder(Struct, frozen=True, kw_only=True):
    """All that placing needs, who asked and when among it.

    Without what every new order has: a large one must fit into a message.
    """

    order: Order
    fingerprint: str

    @classmethod
    def of(cls, order: Order, **more: Any) -> Self:
        # JSON has no bytes.
        plain = replace(order, fingerprint=b"")
        return cls(order=plain, fingerprint=order.fingerprint.hex(), **more)

    def restored(self) -> Order:
        return replace(self.order, fingerprint=bytes.fromhex(self.fingerprint))


def written(asked: AskedOrder) -> str:
    return json.encode(asked).decode()


def read(asked: str) -> AskedOrder:
    return json.decode(asked, type=AskedOrder)
