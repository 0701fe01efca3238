"""Orders over HTTP."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from chassis.auth import Caller, MissingScope, needs
from chassis.bodies import RequestBody, reads, text
from chassis.database import Database
from chassis.errors import Forbidden, NotFound, Refused, Unavailable
from chassis.idempotency import fingerprint, key_of
from chassis.waiting import Waiters, preferred_wait_s
from chassis.web import respond
from contracts.accounting import PaymentStatus
from contracts.inventory import Sku
from contracts.orders import Channel, PaymentMethod, Policy
from orders import domain, store
from orders.domain import MAX_AMOUNT, Attention, Order, Status

router = APIRouter(prefix="/v1/orders", tags=["orders"])

NO_SUCH_ORDER = "There is no such order."

_EXAMPLE: JsonDict = {
    "channel": "web",
    "customer_id": "c-42",
    "reference": "cart-9f",
    "currency": "EUR",
    "policy": "all_or_nothing",
    "lines": [
        {
            "sku": "SOAP-5L",
            "quantity": 2,
            "unit_price": 1250,
            "discount": 0,
            "tax": 475,
        }
    ],
    "shipping": {"price": 490, "tax": 93},
    "ship_to": {
        "name": "Ada Byron",
        "line1": "1 Quay St",
        "city": "Cork",
        "postal_code": "T12",
        "country": "IE",
    },
    "payment": {
        "method": "prepaid",
        "provider": "acme-pay",
        "reference": "pay_77",
        "captured": 3558,
    },
    "hold_id": None,
    "total": 3558,
}

Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
TaxRate = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]?)\.[0-9]{2}$")]
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]
Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]


class LineBody(RequestBody):
    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=100_000)]
    unit_price: Amount
    discount: Annotated[Amount, Field(description="of the whole line")] = 0
    tax: Annotated[Amount, Field(description="of the whole line")] = 0
    tax_rate: TaxRate | None = None


class ShippingBody(RequestBody):
    price: Amount = 0
    tax: Amount = 0
    tax_rate: TaxRate | None = None


class AddressBody(RequestBody):
    name: Annotated[str, text(200)]
    line1: Annotated[str, text(200)]
    line2: Annotated[str, text(200)] | None = None
    city: Annotated[str, text(100)]
    region: Annotated[str, text(100)] | None = None
    postal_code: Annotated[str, text(20)]
    country: Country


class PrepaidBody(RequestBody):
    method: Literal[PaymentMethod.PREPAID]
    provider: Annotated[str, text(64)]
    reference: Annotated[str, text(255)]
    captured: Amount


class TermsBody(RequestBody):
    method: Literal[PaymentMethod.TERMS]
    net_days: Annotated[int, Field(ge=0, le=365)]


class OrderBody(RequestBody):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    channel: Channel
    customer_id: Annotated[str, text(64)]
    reference: Annotated[str, text(255)] | None = None
    currency: Currency
    policy: Annotated[
        Policy | None,
        Field(description="all_or_nothing; for wholesale allow_backorder"),
    ] = None
    lines: Annotated[tuple[LineBody, ...], Field(min_length=1, max_length=500)]
    shipping: ShippingBody = ShippingBody()
    ship_to: AddressBody
    payment: Annotated[PrepaidBody | TermsBody, Field(discriminator="method")]
    hold_id: UUID | None = None
    total: Amount


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


IfSent = Field(default=None, exclude_if=lambda value: value is None)


class LineView(_View):
    line: int
    sku: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_rate: str | None = IfSent
    pending: int
    reserved: int
    backordered: int
    shipped: int
    cancelled: int
    returned: int


class ShippingView(_View):
    price: int
    tax: int
    tax_rate: str | None = IfSent


class AddressView(_View):
    name: str
    line1: str
    line2: str | None = IfSent
    city: str
    region: str | None = IfSent
    postal_code: str
    country: str


class PaymentView(_View):
    method: PaymentMethod
    provider: str | None = IfSent
    reference: str | None = IfSent
    captured: int | None = IfSent
    net_days: int | None = IfSent
    status: PaymentStatus


class OrderView(_View):
    id: UUID
    number: str
    status: Status
    channel: Channel
    customer_id: str
    reference: str | None
    currency: str
    policy: Policy
    lines: tuple[LineView, ...]
    shipping: ShippingView
    ship_to: AddressView
    payment: PaymentView
    total: int
    version: int
    placed_at: datetime
    decided_at: datetime | None
    updated_at: datetime
    attention: Attention | None


class OrderNotFound(NotFound):
    code = "order_not_found"


class OtherCustomer(Forbidden):
    code = "other_customer"


@router.post(
    "",
    status_code=201,
    response_model=OrderView,
    responses={200: {"model": OrderView, "description": "Placed before: as it is now"}},
    summary="Place an order",
)
async def place_order(
    caller: Annotated[Caller, needs("orders.write")],
    body: Annotated[OrderBody, reads(OrderBody)],
    request: Request,
) -> Response:
    _check_may_place(caller, body)
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
async def get_order(
    caller: Annotated[Caller, needs("orders.read")], order_id: UUID, request: Request
) -> Response:
    order = await _find(request, order_id)
    if not _may_see(caller, order.customer_id):
        raise OrderNotFound(NO_SUCH_ORDER)
    return await _respond(request, order)


def _check_may_place(caller: Caller, body: OrderBody) -> None:
    if f"channel.{body.channel}" not in caller.scopes:
        raise MissingScope(f"The token lacks the scope channel.{body.channel}.")
    if not _may_see(caller, body.customer_id):
        raise OtherCustomer("The token is for the orders of another customer.")


def _may_see(caller: Caller, customer_id: str) -> bool:
    return caller.customer_id in {None, customer_id}


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
            domain.Line(line=number, pending=line.quantity, **vars(line))
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
    database: Database = request.app.state.database
    order = await database.transact(store.get, id)
    if order is None:
        raise OrderNotFound(NO_SUCH_ORDER)
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
