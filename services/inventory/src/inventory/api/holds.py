"""Holds: units kept for a checkout, before there is an order."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.bodies import RequestBody, reads
from chassis.database import Tx
from chassis.idempotency import Answer, Once
from chassis.ids import uuid7
from chassis.routing import HttpRouter
from chassis.web import database_of, respond
from contracts.inventory import Sku
from inventory.api.callers import Holder
from inventory.api.fields import MAX_UNITS, example
from inventory.commands import holds as commands
from inventory.domain.holds import Hold, HoldLine, HoldStatus

DEFAULT_EXPIRES_IN_S = 600
MAX_EXPIRES_IN_S = 3600

router = HttpRouter(prefix="/v1/inventory/holds")


class HoldLineBody(RequestBody):
    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]


class HoldBody(RequestBody):
    model_config = example(
        lines=[{"sku": "SOAP-5L", "quantity": 2}], expires_in=DEFAULT_EXPIRES_IN_S
    )

    lines: Annotated[list[HoldLineBody], Field(min_length=1, max_length=500)]
    expires_in: Annotated[
        int, Field(ge=1, le=MAX_EXPIRES_IN_S, description="in seconds")
    ] = DEFAULT_EXPIRES_IN_S


class HoldLineView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    sku: str
    quantity: int


class HoldView(BaseModel):
    model_config = example(
        id="019aa5a0-7c5a-7d3e-9f1c-1c6f2a1b3c4d",
        status="held",
        lines=[{"sku": "SOAP-5L", "quantity": 2}],
        expires_at="2026-11-21T09:40:00Z",
    )

    id: UUID
    status: HoldStatus
    lines: list[HoldLineView]
    expires_at: datetime


@router.post(
    "",
    status_code=201,
    response_model=HoldView,
    responses={409: {"description": "`not_available`, with what is `available`"}},
)
async def hold_units(
    caller: Holder, body: Annotated[HoldBody, reads(HoldBody)], once: Once
) -> Response:
    """Keep all these units until an order names the hold, or it expires."""
    wanted = Hold(
        id=uuid7(),
        customer_id=caller.customer_id,
        lines=tuple(HoldLine(**line.model_dump()) for line in body.lines),
        expires_at=datetime.now(UTC) + timedelta(seconds=body.expires_in),
    )

    async def work(tx: Tx) -> Answer:
        hold = await commands.hold_units(tx, wanted, actor=caller.client)
        location = f"{router.prefix}/{hold.id}"
        return Answer(201, HoldView.model_validate(hold), location)

    return await once.answer(body, work)


@router.get("/{hold_id}", response_model=HoldView)
async def get_hold(caller: Holder, hold_id: UUID, request: Request) -> Response:
    """Get a hold. One that ran out is `expired` to whoever would still use it."""
    hold = await database_of(request).transact(
        commands.get_hold, hold_id, customer_id=caller.customer_id
    )
    return respond(request, HoldView.model_validate(hold.seen(datetime.now(UTC))))


@router.delete(
    "/{hold_id}",
    status_code=204,
    response_class=Response,
    responses={409: {"description": "`hold_consumed`: an order took it over"}},
)
async def release_hold(caller: Holder, hold_id: UUID, request: Request) -> None:
    """Give the units of a hold back; repeated, it changes nothing."""
    await database_of(request).transact(
        commands.release_hold,
        hold_id,
        customer_id=caller.customer_id,
        actor=caller.client,
    )
