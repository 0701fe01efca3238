"""An order as it was asked for, as JSON, for as long as it cannot be placed."""

from typing import Annotated, Self

import msgspec
from msgspec.structs import replace
from pydantic import BaseModel, PlainSerializer, PlainValidator

from orders.domain.orders import Order


def _read(order: object) -> Order:
    if isinstance(order, Order):
        return order
    try:
        return msgspec.convert(order, Order)
    except msgspec.ValidationError as error:
        # Where, and not what: dead letters are read by people.
        place = str(error).rpartition(" - at ")[2]
        raise ValueError(f"no order, at {place}") from None


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
