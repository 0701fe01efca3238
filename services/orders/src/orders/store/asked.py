"""An order as it was asked for, as JSON, for as long as it cannot be placed."""

from dataclasses import replace
from typing import Self

from pydantic import BaseModel

from orders.domain.orders import Order


class AskedOrder(BaseModel):
    """All that placing needs, who asked and when among it."""

    order: Order
    fingerprint: str

    @classmethod
    def of(cls, order: Order) -> Self:
        # JSON has no bytes.
        return cls(
            order=replace(order, fingerprint=b""), fingerprint=order.fingerprint.hex()
        )

    def restored(self) -> Order:
        return replace(self.order, fingerprint=bytes.fromhex(self.fingerprint))

    def to_json(self) -> str:
        """Without what every new order has: a large one must fit into a message."""
        return self.model_dump_json(exclude_defaults=True)
