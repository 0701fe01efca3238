"""Orders themselves: placed, and looked at."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from chassis.bodies import reads
from chassis.errors import Refused, Unavailable
from chassis.idempotency import fingerprint, key_of
from chassis.waiting import Waiters, preferred_wait_s
from chassis.web import database_of, respond
from orders.api.bodies import OrderBody
from orders.api.callers import Reader, Writer, check_may_place, may_see
from orders.api.views import OrderView
from orders.domain import orders as domain
from orders.domain.lines import Line
from orders.domain.orders import Order, OrderNotFound
from orders.store import orders as store

router = APIRouter(prefix="/v1/orders", tags=["orders"])


@router.post(
    "",
    status_code=201,
    response_model=OrderView,
    responses={200: {"model": OrderView, "description": "Placed before: as it is now"}},
    summary="Place an order",
)
async def place_order(
    caller: Writer, body: Annotated[OrderBody, reads(OrderBody)], request: Request
) -> Response:
    check_may_place(caller, body)
    order = domain.place(_order(body, caller.client, key_of(request)))
    answer = await request.app.state.intake.submit(order)
    if isinstance(answer, Refused):
        raise answer
    headers = {"Location": f"/v1/orders/{answer.order.id}"}
    if not answer.is_news:
        headers["Idempotent-Replayed"] = "true"
    return await _respond(
        request, answer.order, status=201 if answer.is_news else 200, headers=headers
    )


@router.get("/{order_id}", response_model=OrderView, summary="Look at an order")
async def get_order(caller: Reader, order_id: UUID, request: Request) -> Response:
    order = await _find(request, order_id)
    if not may_see(caller, order.customer_id):
        raise OrderNotFound
    return await _respond(request, order)


def _order(body: OrderBody, client: str, key: str) -> Order:
    now = datetime.now(UTC)
    return Order(
        id=domain.order_id(client, key),
        client=client,
        fingerprint=fingerprint(body),
        channel=body.channel,
        customer_id=body.customer_id,
        reference=body.reference,
        currency=body.currency,
        policy=body.policy or domain.DEFAULT_POLICY[body.channel],
        lines=tuple(
            Line(line=number, pending=line.quantity, **vars(line))
            for number, line in enumerate(body.lines, start=1)
        ),
        shipping=domain.Shipping(**vars(body.shipping)),
        ship_to=domain.Address(**vars(body.ship_to)),
        payment=domain.Payment(
            status=domain.INITIAL_PAYMENT_STATUS[body.payment.method],
            **vars(body.payment),
        ),
        hold_id=body.hold_id,
        total=body.total,
        placed_at=now,
        updated_at=now,
    )


async def _find(request: Request, id: UUID) -> Order:
    order = await database_of(request).transact(store.get, id)
    if order is None:
        raise OrderNotFound
    return order


async def _respond(
    request: Request,
    order: Order,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The order, at once or, if the caller prefers to wait, once it is decided."""
    wait_s = preferred_wait_s(request)
    if wait_s:
        order = await _decided(request, order, wait_s)
        headers = {**(headers or {}), "Preference-Applied": f"wait={wait_s}"}
    view = OrderView.model_validate(order)
    return respond(request, view, status=status, headers=headers)


async def _decided(request: Request, order: Order, wait_s: float) -> Order:
    """The order as it is when it is decided, or when the time is up."""
    waiters: Waiters = request.app.state.waiters
    until = monotonic() + wait_s
    # What is known of a stored order is an answer; that the database is away is none.
    with suppress(Unavailable):
        while order.decided_at is None and (left_s := until - monotonic()) > 0:
            goes_on = await waiters.wait(str(order.id), left_s)
            order = await _find(request, order.id)
            if not goes_on:
                break
    return order
