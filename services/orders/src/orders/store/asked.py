"""An order as it was asked for, as JSON, for as long as it cannot be placed."""

from typing import Annotated, Self

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, PlainSerializer, PlainValidator

from orders.domain.orders import Order


def _read(order: object) -> Order:
    return order if isinstance(order, Order) else msgspec.convert(order, Order)


class AskedOrder(BaseModel):
    """All that placing needs, who asked and when among it.

    Without what every new order has: a large one must fit into a message.
    """

    order: Annotated[Order, PlainValidator(_read), PlainSerializer(msgspec.to_builtins)]
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
        return self.model_dump_json()
