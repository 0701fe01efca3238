"""Goods that leave."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field, StringConstraints

from chassis.bodies import RequestBody, reads
from chassis.database import Tx
from chassis.idempotency import Answer, Once
from chassis.ids import uuid7
from chassis.routing import HttpRouter
from inventory.api.callers import Writer
from inventory.api.fields import LineNumber, Units, example
from inventory.commands.shipping import ship_units
from inventory.domain.history import Shipment
from inventory.domain.shipments import LineUnits, Parcel

# Every snapshot of the order carries them: their bytes are bounded with their length.
Carrier = Annotated[str, StringConstraints(pattern=r"^[^\p{C}]{1,32}$")]
Tracking = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,64}$")]

router = HttpRouter(prefix="/v1/inventory")


class ShipmentLineBody(RequestBody):
    line: LineNumber
    quantity: Units


class ShipmentBody(RequestBody):
    model_config = example(
        order_id="0b0e4e7a-63a0-5a3c-8a36-5a0d6c1f7a11",
        carrier="An Post",
        tracking="CE123456789IE",
        lines=[{"line": 1, "quantity": 2}],
    )

    order_id: UUID
    carrier: Carrier | None = None
    tracking: Tracking | None = None
    lines: (
        Annotated[
            list[ShipmentLineBody],
            Field(
                min_length=1, max_length=500, description="left out: all that is kept"
            ),
        ]
        | None
    ) = None


class ShipmentLineView(BaseModel):
    model_config = example(line=1, quantity=2, cost=1400)

    line: int
    quantity: int
    cost: Annotated[int, Field(description="what they were worth when they left")]


class ShipmentView(BaseModel):
    model_config = example(
        id="019aa5a0-7c5a-7d3e-9f1c-1c6f2a1b3c4d",
        order_id="0b0e4e7a-63a0-5a3c-8a36-5a0d6c1f7a11",
        carrier="An Post",
        tracking="CE123456789IE",
        lines=[{"line": 1, "quantity": 2, "cost": 1400}],
        shipped_at="2026-11-21T09:30:00Z",
    )

    id: UUID
    order_id: UUID
    carrier: str | None
    tracking: str | None
    lines: list[ShipmentLineView]
    shipped_at: datetime

    @classmethod
    def of(cls, shipment: Shipment) -> "ShipmentView":
        return cls(
            id=shipment.shipment_id,
            order_id=shipment.order_id,
            carrier=shipment.carrier,
            tracking=shipment.tracking,
            lines=[ShipmentLineView.model_validate(line) for line in shipment.lines],
            shipped_at=shipment.shipped_at,
        )


@router.post("/shipments", status_code=201, response_model=ShipmentView)
async def ship_order(
    caller: Writer, body: Annotated[ShipmentBody, reads(ShipmentBody)], once: Once
) -> Response:
    """Send off what is reserved for an order, in parts or all of it."""
    parcel = Parcel(
        shipment_id=uuid7(),
        order_id=body.order_id,
        carrier=body.carrier,
        tracking=body.tracking,
        lines=None
        if body.lines is None
        else tuple(LineUnits(**line.model_dump()) for line in body.lines),
        shipped_at=datetime.now(UTC),
    )

    async def work(tx: Tx) -> Answer:
        shipment = await ship_units(tx, parcel, actor=caller.client)
        return Answer(201, ShipmentView.of(shipment))

    return await once.answer(body, work)
