"""Goods that come in, and where the units are."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict, Field, field_validator

from chassis.bodies import RequestBody, reads, text
from chassis.database import Tx
from chassis.idempotency import Answer, Once
from chassis.ids import uuid7
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.web import database_of, respond, respond_page
from contracts.inventory import Sku
from inventory.api.callers import Reader, StaffReader, Writer
from inventory.api.fields import MAX_UNITS, Code, Cost, example
from inventory.commands import stock as commands
from inventory.domain.stock import Adjustment, DeliveredLine, Delivery, MovementKind
from inventory.store import stock as store

Reference = Annotated[str, text(128)]

router = HttpRouter(prefix="/v1/inventory")


class ReceiptLineBody(RequestBody):
    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    unit_cost: (
        Annotated[
            Cost, Field(description="what was paid; left out: the product's unit_cost")
        ]
        | None
    ) = None


class ReceiptBody(RequestBody):
    model_config = example(
        location="CORK",
        lines=[{"sku": "SOAP-5L", "quantity": 100, "unit_cost": 690}],
        reference="PO-1042",
    )

    location: Code
    lines: Annotated[list[ReceiptLineBody], Field(min_length=1, max_length=500)]
    reference: Reference | None = None


class ReceiptLineView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    sku: str
    quantity: int
    unit_cost: int


class ReceiptView(BaseModel):
    model_config = example(
        id="019aa5a0-7c5a-7d3e-9f1c-1c6f2a1b3c4d",
        location="CORK",
        lines=[{"sku": "SOAP-5L", "quantity": 100, "unit_cost": 690}],
        reference="PO-1042",
        received_at="2026-11-21T09:30:00Z",
    )

    id: UUID
    location: str
    lines: list[ReceiptLineView]
    reference: str | None
    received_at: datetime


@router.post("/receipts", status_code=201, response_model=ReceiptView)
async def receive_goods(
    caller: Writer, body: Annotated[ReceiptBody, reads(ReceiptBody)], once: Once
) -> Response:
    """Take goods in; orders that wait for them are served at once."""
    delivery = Delivery(
        id=uuid7(),
        location=body.location,
        reference=body.reference,
        lines=tuple(DeliveredLine(**line.model_dump()) for line in body.lines),
        received_at=datetime.now(UTC),
    )

    async def work(tx: Tx) -> Answer:
        receipt = await commands.receive_goods(tx, delivery, actor=caller.client)
        return Answer(201, ReceiptView.model_validate(receipt))

    return await once.answer(body, work)


class AdjustmentBody(RequestBody):
    model_config = example(
        location="CORK", sku="SOAP-5L", delta=-3, reason="broken bottles"
    )

    location: Code
    sku: Sku
    delta: Annotated[int, Field(ge=-MAX_UNITS, le=MAX_UNITS)]
    reason: Annotated[str, text(500)]

    @field_validator("delta")
    @classmethod
    def _changes_something(cls, delta: int) -> int:
        if not delta:
            raise ValueError("an adjustment by 0 adjusts nothing")
        return delta


class AdjustmentView(BaseModel):
    model_config = example(
        id="019aa5a0-7c5a-7d3e-9f1c-1c6f2a1b3c4d",
        location="CORK",
        sku="SOAP-5L",
        delta=-3,
        reason="broken bottles",
        on_hand=97,
        reserved=2,
        available=95,
        adjusted_at="2026-11-21T09:30:00Z",
    )

    id: UUID
    location: str
    sku: str
    delta: int
    reason: str
    on_hand: int
    reserved: int
    available: int
    adjusted_at: datetime


@router.post(
    "/adjustments",
    status_code=201,
    response_model=AdjustmentView,
    responses={
        409: {"description": "`below_reserved`, with the figures and the last `orders`"}
    },
)
async def adjust_stock(
    caller: Writer, body: Annotated[AdjustmentBody, reads(AdjustmentBody)], once: Once
) -> Response:
    """Correct what is at a location to what was counted; what is reserved stays."""
    adjustment = Adjustment(
        id=uuid7(), adjusted_at=datetime.now(UTC), **body.model_dump()
    )

    async def work(tx: Tx) -> Answer:
        shelf = await commands.adjust_stock(tx, adjustment, actor=caller.client)
        view = AdjustmentView(
            **asdict(adjustment),
            on_hand=shelf.on_hand,
            reserved=shelf.reserved,
            available=shelf.available,
        )
        return Answer(201, view)

    return await once.answer(body, work)


class ShelfView(BaseModel):
    model_config = example(
        sku="SOAP-5L", location="CORK", on_hand=100, reserved=2, available=98
    )

    sku: str
    location: str
    on_hand: int
    reserved: int
    available: int


class AvailabilityView(BaseModel):
    model_config = example(sku="SOAP-5L", available=98)

    sku: str
    available: int


class MovementView(BaseModel):
    model_config = example(
        id=1042,
        location="CORK",
        sku="SOAP-5L",
        on_hand_change=0,
        reserved_change=2,
        kind="reservation",
        reference="0b0e4e7a-63a0-5a3c-8a36-5a0d6c1f7a11",
        actor="orders",
        at="2026-11-21T09:30:00Z",
    )

    id: int
    location: str
    sku: str
    on_hand_change: int
    reserved_change: int
    kind: MovementKind
    reference: str
    actor: str
    at: datetime


@router.get("/stock", response_model=Page[ShelfView])
async def list_stock(
    _: Reader,
    request: Request,
    window: Paged,
    sku: Sku | None = None,
    location: Code | None = None,
) -> Response:
    """List the stock of each SKU at each location."""
    found = await database_of(request).transact(
        store.find, window, sku=sku, location=location
    )
    return respond_page(
        request,
        window,
        found,
        view=ShelfView.model_validate,
        key=lambda shelf: (shelf.sku, shelf.location),
    )


@router.get("/availability", response_model=Page[AvailabilityView])
async def get_availability(
    _: Reader,
    request: Request,
    sku: Annotated[list[Sku], Query(min_length=1, max_length=200)],
) -> Response:
    """Tell what is free of each SKU, over all locations."""
    free = await database_of(request).transact(store.get_available, sku)
    items = [
        AvailabilityView(sku=asked, available=free.get(asked, 0))
        for asked in dict.fromkeys(sku)
    ]
    return respond(request, Page(items=items, next_cursor=None))


class MovementFilter(BaseModel):
    sku: Sku | None = None
    location: Code | None = None
    reference: Reference | None = None


@router.get("/movements", response_model=Page[MovementView])
async def list_movements(
    _: StaffReader,
    request: Request,
    window: Paged,
    wanted: Annotated[MovementFilter, Query()],
) -> Response:
    """List what changed in the stock and why, the newest first."""
    found = await database_of(request).transact(
        store.find_movements, window, **wanted.model_dump()
    )
    return respond_page(
        request,
        window,
        found,
        view=MovementView.model_validate,
        key=lambda movement: (movement.id,),
    )
