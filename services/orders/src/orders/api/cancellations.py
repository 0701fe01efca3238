"""Cancellations: asked for, and looked at while Inventory decides."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from pydantic import ConfigDict, Field

from chassis.bodies import RequestBody, reads
from chassis.database import Tx
from chassis.errors import NotFound
from chassis.idempotency import Answer, Once, key_of
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.web import database_of, respond, respond_page
from orders.api.callers import Reader, Writer
from orders.api.problems import pointed, problems
from orders.api.units import Reason, SomeUnits, units_of
from orders.api.views import View
from orders.commands import cancelling, check_may_see
from orders.domain.cancellations import (
    Cancellation,
    CancellationStatus,
    MoreThanOpen,
    NothingToCancel,
    TooManyCancellations,
    cancellation_id,
)
from orders.domain.orders import InvalidLines, OrderNotFound, OrderRejected
from orders.store import cancellations as store

router = HttpRouter(
    prefix="/v1/orders/{order_id}/cancellations", tags=["cancellations"]
)

_PATH = "/v1/orders/1b4e28ba-2fa1-51d2-883f-0016d3cca427/cancellations"


class CancellationNotFound(NotFound):
    code = "cancellation_not_found"

    def __init__(self) -> None:
        super().__init__("The order has no such cancellation.")


class CancellationBody(RequestBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"lines": [{"line": 1, "quantity": 1}], "reason": "Ordered twice"},
                {"lines": None},
            ]
        }
    )

    lines: Annotated[
        SomeUnits | None, Field(description="null: all units that are still open")
    ] = None
    reason: Reason | None = None


class CancellationLineView(View):
    line: int
    quantity: int = Field(description="units to be cancelled")
    cancelled: int = Field(description="units of them that were")


class CancellationView(View):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "7d444840-9dc0-51d1-b245-5ffdce74fad2",
                    "order_id": "1b4e28ba-2fa1-51d2-883f-0016d3cca427",
                    "status": "completed",
                    "lines": [{"line": 1, "quantity": 1, "cancelled": 1}],
                    "reason": "Ordered twice",
                    "requested_at": "2026-11-21T09:30:00Z",
                    "decided_at": "2026-11-21T09:30:01Z",
                }
            ]
        }
    )

    id: UUID
    order_id: UUID
    status: CancellationStatus
    lines: tuple[CancellationLineView, ...]
    reason: str | None
    requested_at: datetime
    decided_at: datetime | None


@router.post(
    "",
    status_code=202,
    response_model=CancellationView,
    responses=problems(
        _PATH,
        OrderNotFound(),
        OrderRejected("The order was rejected: nothing of it will be delivered."),
        NothingToCancel("All open units are being cancelled already."),
        pointed(
            MoreThanOpen,
            "More units than are open.",
            "/lines/0/quantity",
            "1 units of line 1 can still be cancelled.",
        ),
        TooManyCancellations("An order has at most 50."),
        pointed(
            InvalidLines,
            "These are not lines of the order.",
            "/lines/0/line",
            "There is no line 3, or it was named before.",
        ),
    ),
    summary="Ask for units of an order to be cancelled",
)
async def request_cancellation(
    caller: Writer,
    order_id: UUID,
    body: Annotated[CancellationBody, reads(CancellationBody)],
    once: Once,
    request: Request,
) -> Response:
    """Nothing is cancelled yet: Inventory decides by what has not been shipped."""
    asked = cancelling.Asked(
        id=cancellation_id(order_id, caller.client, key_of(request)),
        order_id=order_id,
        units=None if body.lines is None else units_of(body.lines),
        reason=body.reason,
        at=datetime.now(UTC),
    )

    async def work(tx: Tx) -> Answer:
        cancellation = await cancelling.request_cancellation(
            tx, asked, customer_id=caller.customer_id
        )
        return Answer(202, _view(cancellation), _location(cancellation))

    return await once.answer(body, work)


@router.get(
    "", response_model=Page[CancellationView], summary="List an order's cancellations"
)
async def list_cancellations(
    caller: Reader, order_id: UUID, window: Paged, request: Request
) -> Response:
    async def find(tx: Tx) -> list[Cancellation]:
        await check_may_see(tx, order_id, caller.customer_id)
        return await store.find_page(tx, window, order_id=order_id)

    return respond_page(
        request,
        window,
        await database_of(request).transact(find),
        view=_view,
        key=lambda cancellation: (cancellation.sequence,),
    )


@router.get(
    "/{cancellation_id}",
    response_model=CancellationView,
    responses=problems(_PATH, OrderNotFound(), CancellationNotFound()),
    summary="Look at a cancellation",
)
async def get_cancellation(
    caller: Reader, order_id: UUID, cancellation_id: UUID, request: Request
) -> Response:
    async def find(tx: Tx) -> Cancellation | None:
        await check_may_see(tx, order_id, caller.customer_id)
        return await store.get(tx, order_id, cancellation_id)

    cancellation = await database_of(request).transact(find)
    if cancellation is None:
        raise CancellationNotFound
    return respond(request, _view(cancellation))


def _view(cancellation: Cancellation) -> CancellationView:
    return CancellationView.model_validate(cancellation)


def _location(cancellation: Cancellation) -> str:
    return f"/v1/orders/{cancellation.order_id}/cancellations/{cancellation.id}"
