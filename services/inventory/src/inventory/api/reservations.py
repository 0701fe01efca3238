"""What orders hold, and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel

from chassis.database import Tx
from chassis.pages import Page, Paged, Window
from chassis.routing import HttpRouter
from chassis.web import database_of, respond, respond_page
from contracts.orders import Policy
from inventory.api.callers import StaffReader
from inventory.api.fields import example
from inventory.api.returns import ReturnReceiptView
from inventory.api.shipments import ShipmentView
from inventory.domain.history import Cancellation
from inventory.domain.reservations import (
    Allocation,
    Cause,
    Line,
    Reservation,
    ReservationNotFound,
    State,
)
from inventory.store import reservations as store

router = HttpRouter(prefix="/v1/inventory")


class AllocationView(BaseModel):
    model_config = example(location="CORK", reserved=2, shipped=0)

    location: str
    reserved: int
    shipped: int


class ReservedLineView(BaseModel):
    line: int
    sku: str
    requested: int
    reserved: int
    backordered: int
    shipped: int
    released: int
    returned: int
    short: int
    allocations: list[AllocationView]


class ReleasedLineView(BaseModel):
    model_config = example(line=1, asked=1, released=1)

    line: int
    asked: int
    released: int


class AnsweredCancellationView(BaseModel):
    id: UUID
    lines: list[ReleasedLineView]

    @classmethod
    def of(cls, cancellation: Cancellation) -> "AnsweredCancellationView":
        return cls(
            id=cancellation.cancellation_id,
            lines=[
                ReleasedLineView.model_validate(line) for line in cancellation.lines
            ],
        )


class ReservationView(BaseModel):
    model_config = example(
        order_id="0b0e4e7a-63a0-5a3c-8a36-5a0d6c1f7a11",
        version=2,
        state="open",
        policy="all_or_nothing",
        cause="cancelled",
        placed_at="2026-11-21T09:30:00Z",
        lines=[
            {
                "line": 1,
                "sku": "SOAP-5L",
                "requested": 3,
                "reserved": 2,
                "backordered": 0,
                "shipped": 0,
                "released": 1,
                "returned": 0,
                "short": 0,
                "allocations": [{"location": "CORK", "reserved": 2, "shipped": 0}],
            }
        ],
        cancellations=[
            {
                "id": "019aa5a3-5e2f-7c33-8d4e-7f605b4c3d2e",
                "lines": [{"line": 1, "asked": 1, "released": 1}],
            }
        ],
        shipments=[],
        returns=[],
    )

    order_id: UUID
    version: int
    state: State
    policy: Policy
    cause: Cause
    placed_at: datetime
    lines: list[ReservedLineView]
    cancellations: list[AnsweredCancellationView]
    shipments: list[ShipmentView]
    returns: list[ReturnReceiptView]


@router.get("/reservations/{order_id}", response_model=ReservationView)
async def get_reservation(_: StaffReader, order_id: UUID, request: Request) -> Response:
    """Get what an order holds, and what was cancelled, shipped and returned of it."""

    async def find(tx: Tx) -> list[ReservationView]:
        return await _views(tx, await store.get(tx, [order_id]))

    found = await database_of(request).transact(find)
    if not found:
        raise ReservationNotFound(f"Nothing is known here of order {order_id}.")
    return respond(request, found[0])


@router.get("/reservations", response_model=Page[ReservationView])
async def list_reservations(
    _: StaffReader,
    request: Request,
    window: Paged,
    state: Annotated[
        Literal["open", "closed"],
        Query(description="`open`: keeps units, or waits for some"),
    ] = "open",
) -> Response:
    """List what orders hold, those placed first first."""

    async def find(tx: Tx, window: Window) -> list[ReservationView]:
        return await _views(tx, await store.find(tx, window, State(state)))

    found = await database_of(request).transact(find, window)
    return respond_page(
        request,
        window,
        found,
        view=lambda view: view,
        key=lambda view: (view.placed_at, view.order_id),
    )


async def _views(tx: Tx, found: Sequence[Reservation]) -> list[ReservationView]:
    kept = await store.get_allocations(tx, [order.order_id for order in found])
    return [_view(order, kept.get(order.order_id, [])) for order in found]


def _view(reservation: Reservation, kept: Sequence[Allocation]) -> ReservationView:
    past = reservation.history
    return ReservationView(
        order_id=reservation.order_id,
        version=reservation.version,
        state=reservation.state,
        policy=reservation.policy,
        cause=reservation.cause,
        placed_at=reservation.placed_at,
        lines=[_line(line, kept) for line in reservation.lines],
        cancellations=[AnsweredCancellationView.of(c) for c in past.cancellations],
        shipments=[ShipmentView.of(shipment) for shipment in past.shipments],
        returns=[ReturnReceiptView.of(receipt) for receipt in past.returns],
    )


def _line(line: Line, kept: Sequence[Allocation]) -> ReservedLineView:
    return ReservedLineView(
        line=line.line,
        sku=line.sku,
        requested=line.requested,
        reserved=line.reserved,
        backordered=line.backordered,
        shipped=line.shipped,
        released=line.voided + line.released,
        returned=line.returned,
        short=line.short,
        allocations=[
            AllocationView.model_validate(units)
            for units in kept
            if units.line == line.line
        ],
    )
