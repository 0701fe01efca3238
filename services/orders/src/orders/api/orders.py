"""Orders themselves: placed, and looked at."""

from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Annotated
from uuid import UUID

from fastapi import Request, Response

from chassis.auth import Caller
from chassis.bodies import reads
from chassis.errors import Refused, Unavailable
from chassis.idempotency import Key
from chassis.routing import HttpRouter
from chassis.waiting import Waiters, preferred_wait_s
from chassis.web import respond, respond_json
from chassis.written import written
from orders.api.asking import asked_order
from orders.api.bodies import OrderBody
from orders.api.callers import OtherCustomer, Reader, Writer, may_see
from orders.api.problems import pointed, problems
from orders.api.views import OrderView, SpilledView
from orders.commands.intake import Intake, Spilled
from orders.commands.looking import Look, Looks
from orders.commands.placing import PaymentAlreadyUsed, refused_later
from orders.domain.orders import InvalidOrder, Order, OrderNotFound

router = HttpRouter(prefix="/v1/orders", tags=["orders"])

SPILLED_RETRY_AFTER_S = "5"


@router.post(
    "",
    status_code=201,
    response_model=OrderView,
    responses={
        200: {"model": OrderView, "description": "Placed before: as it is now"},
        202: {"model": SpilledView, "description": "Accepted: it is placed soon"},
        **problems(
            "/v1/orders",
            OtherCustomer("The token is for the orders of another customer."),
            PaymentAlreadyUsed(
                "This payment paid another order. Capture a payment for this one."
            ),
            pointed(
                InvalidOrder,
                "The order does not add up.",
                "/total",
                "The parts add up to 3558, and not to 3559.",
            ),
        ),
    },
    summary="Place an order",
)
async def place_order(
    caller: Writer,
    body: Annotated[OrderBody, reads(OrderBody)],
    key: Key,
    request: Request,
) -> Response:
    intake: Intake = request.app.state.intake
    answer = await intake.take(asked_order(caller, body, key))
    if isinstance(answer, Refused):
        raise answer
    if isinstance(answer, Spilled):
        return _spilled(request, answer)
    headers = {"Location": f"/v1/orders/{answer.order.id}"}
    if not answer.is_news:
        headers["Idempotent-Replayed"] = "true"
    status = 201 if answer.is_news else 200
    return await _respond(request, caller, answer.order, status=status, headers=headers)


@router.get(
    "/{order_id:uuid}",  # and no fixed word, which has methods of its own
    response_model=OrderView,
    responses=problems(
        "/v1/orders/1b4e28ba-2fa1-51d2-883f-0016d3cca427",
        OrderNotFound(),
        PaymentAlreadyUsed(
            "This payment paid another order. Capture a payment for this one."
        ),
    ),
    summary="Look at an order",
)
async def get_order(caller: Reader, order_id: UUID, request: Request) -> Response:
    order = await _find(request, caller, order_id)
    if not may_see(caller, order.customer_id):
        raise OrderNotFound
    return await _respond(request, caller, order)


def _spilled(request: Request, spilled: Spilled) -> Response:
    headers = {
        "Location": f"/v1/orders/{spilled.order_id}",
        "Retry-After": SPILLED_RETRY_AFTER_S,
    }
    view = SpilledView(id=spilled.order_id)
    return respond(request, view, status=202, headers=headers)


async def _find(request: Request, caller: Caller, id: UUID) -> Order:
    """The order, or what the client that it was promised to is told instead.

    Somebody else's promise is none.
    """
    looks: Looks = request.app.state.looks
    seen = await looks.submit(Look(id, caller.client))
    if seen is None:
        raise OrderNotFound
    if isinstance(seen, Order):
        return seen
    if seen.placed_as is None:
        raise refused_later(seen)
    return await _find(request, caller, seen.placed_as)


async def _respond(
    request: Request,
    caller: Caller,
    order: Order,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The order, at once or, if the caller prefers to wait, once it is decided."""
    wait_s = preferred_wait_s(request)
    if wait_s:
        order = await _decided(request, caller, order, wait_s)
        headers = {**(headers or {}), "Preference-Applied": f"wait={wait_s}"}
    return respond_json(request, written(OrderView, order), status, headers)


async def _decided(
    request: Request, caller: Caller, order: Order, wait_s: float
) -> Order:
    """The order as it is when it is decided, or when the time is up."""
    waiters: Waiters = request.app.state.waiters
    until = monotonic() + wait_s
    # What is known of a stored order is an answer; that the database is away is none.
    with suppress(Unavailable):
        while order.decided_at is None and (left_s := until - monotonic()) > 0:
            goes_on = await waiters.wait(str(order.id), left_s)
            order = await _find(request, caller, order.id)
            if not goes_on:
                break
    return order
