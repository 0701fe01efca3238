"""What orders hold."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import RowMapping

from chassis.database import Tx
from chassis.web import database_of, respond
from contracts.orders import Policy
from inventory.api.callers import StaffReader
from inventory.api.fields import example
from inventory.domain.reservations import (
    Cause,
    Line,
    Reservation,
    ReservationNotFound,
    State,
)
from inventory.store import reservations as store

router = APIRouter(prefix="/v1/inventory")


class AllocationView(BaseModel):
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


class ReservationView(BaseModel):
    model_config = example(
        order_id="0b0e4e7a-63a0-5a3c-8a36-5a0d6c1f7a11",
        version=1,
        state="open",
        policy="all_or_nothing",
        cause="order_placed",
        placed_at="2026-11-21T09:30:00Z",
        lines=[
            {
                "line": 1,
                "sku": "SOAP-5L",
                "requested": 2,
                "reserved": 2,
                "backordered": 0,
                "shipped": 0,
                "released": 0,
                "returned": 0,
                "short": 0,
                "allocations": [{"location": "CORK", "reserved": 2, "shipped": 0}],
            }
        ],
    )

    order_id: UUID
    version: int
    state: State
    policy: Policy
    cause: Cause
    placed_at: datetime
    lines: list[ReservedLineView]


@router.get("/reservations/{order_id}", response_model=ReservationView)
async def get_reservation(_: StaffReader, order_id: UUID, request: Request) -> Response:
    """Get what an order holds."""

    async def find(tx: Tx) -> ReservationView:
        found = await store.get(tx, [order_id])
        if not found:
            raise ReservationNotFound(f"Nothing is known here of order {order_id}.")
        return _view(found[0], await store.get_allocations(tx, order_id))

    return respond(request, await database_of(request).transact(find))


def _view(reservation: Reservation, kept: Sequence[RowMapping]) -> ReservationView:
    return ReservationView(
        order_id=reservation.order_id,
        version=reservation.version,
        state=reservation.state,
        policy=reservation.policy,
        cause=reservation.cause,
        placed_at=reservation.placed_at,
        lines=[_line(line, kept) for line in reservation.lines],
    )


def _line(line: Line, kept: Sequence[RowMapping]) -> ReservedLineView:
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
            AllocationView.model_validate(row) for row in kept if row.line == line.line
        ],
    )
