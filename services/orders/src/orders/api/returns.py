"""Returns: authorised, and looked at until the goods are back."""

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
from orders.commands import check_may_see, returning
from orders.domain.orders import InvalidLines, OrderNotFound, OrderRejected
from orders.domain.returns import (
    MoreThanShipped,
    NothingToReturn,
    Return,
    ReturnStatus,
    TooManyReturns,
    return_id,
)
from orders.store import returns as store

router = HttpRouter(prefix="/v1/orders/{order_id}/returns", tags=["returns"])

_PATH = "/v1/orders/1b4e28ba-2fa1-51d2-883f-0016d3cca427/returns"


class ReturnNotFound(NotFound):
    code = "return_not_found"

    def __init__(self) -> None:
        super().__init__("The order has no such return.")


class ReturnBody(RequestBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"lines": [{"line": 1, "quantity": 1}], "reason": "Does not fit"}
            ]
        }
    )

    lines: SomeUnits
    reason: Reason | None = None


class ReturnLineView(View):
    line: int
    quantity: int = Field(description="units that may come back; 0: unannounced")
    received: int = Field(description="units that have come back")


class ReturnView(View):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "9e107d9d-372b-5b68-a1d4-1f8f3c2b6a10",
                    "order_id": "1b4e28ba-2fa1-51d2-883f-0016d3cca427",
                    "status": "authorised",
                    "lines": [{"line": 1, "quantity": 1, "received": 0}],
                    "reason": "Does not fit",
                    "authorised_at": "2026-11-21T09:30:00Z",
                    "expires_at": "2026-12-21T09:30:00Z",
                }
            ]
        }
    )

    id: UUID
    order_id: UUID
    status: ReturnStatus
    lines: tuple[ReturnLineView, ...]
    reason: str | None
    authorised_at: datetime | None = Field(
        description="null: the goods came without being announced"
    )
    expires_at: datetime | None


@router.post(
    "",
    status_code=201,
    response_model=ReturnView,
    responses=problems(
        _PATH,
        OrderNotFound(),
        OrderRejected("The order was rejected: nothing of it was delivered."),
        NothingToReturn("The order is confirmed: nothing of it has left."),
        pointed(
            MoreThanShipped,
            "More units than can come back.",
            "/lines/0/quantity",
            "1 units of line 1 can be returned.",
        ),
        TooManyReturns("An order has at most 50."),
        pointed(
            InvalidLines,
            "These are not lines of the order.",
            "/lines/0/line",
            "There is no line 3, or it was named before.",
        ),
    ),
    summary="Authorise units of an order to be returned",
)
async def authorise_return(
    caller: Writer,
    order_id: UUID,
    body: Annotated[ReturnBody, reads(ReturnBody)],
    once: Once,
    request: Request,
) -> Response:
    """They may come back within 30 days."""
    asked = returning.Asked(
        id=return_id(order_id, caller.client, key_of(request)),
        order_id=order_id,
        units=units_of(body.lines),
        reason=body.reason,
        at=datetime.now(UTC),
    )

    async def work(tx: Tx) -> Answer:
        authorised = await returning.authorise_return(
            tx, asked, customer_id=caller.customer_id
        )
        location = f"/v1/orders/{order_id}/returns/{authorised.id}"
        return Answer(201, _view(authorised), location)

    return await once.answer(body, work)


@router.get("", response_model=Page[ReturnView], summary="List an order's returns")
async def list_returns(
    caller: Reader, order_id: UUID, window: Paged, request: Request
) -> Response:
    async def find(tx: Tx) -> list[Return]:
        await check_may_see(tx, order_id, caller.customer_id)
        return await store.find_page(tx, window, order_id=order_id)

    return respond_page(
        request,
        window,
        await database_of(request).transact(find),
        view=_view,
        key=lambda one: (one.began_at, one.id),
    )


@router.get(
    "/{return_id}",
    response_model=ReturnView,
    responses=problems(_PATH, OrderNotFound(), ReturnNotFound()),
    summary="Look at a return",
)
async def get_return(
    caller: Reader, order_id: UUID, return_id: UUID, request: Request
) -> Response:
    async def find(tx: Tx) -> Return | None:
        await check_may_see(tx, order_id, caller.customer_id)
        return await store.get(tx, order_id, return_id)

    found = await database_of(request).transact(find)
    if found is None:
        raise ReturnNotFound
    return respond(request, _view(found))


def _view(one: Return) -> ReturnView:
    return ReturnView(
        id=one.id,
        order_id=one.order_id,
        status=one.status(datetime.now(UTC)),
        lines=tuple(ReturnLineView.model_validate(line) for line in one.lines),
        reason=one.reason,
        authorised_at=one.authorised_at,
        expires_at=one.expires_at,
    )
