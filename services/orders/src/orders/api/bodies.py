"""What is asked of Orders over HTTP: strict, and bounded in every field."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from chassis.bodies import RequestBody, text
from contracts.inventory import Sku
from contracts.orders import Channel, Policy
from orders.domain.orders import MAX_AMOUNT

# The order that documents, tests and `orderly up` show.
EXAMPLE: JsonDict = {
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
    method: Literal["prepaid"]
    provider: Annotated[str, text(64)]
    reference: Annotated[str, text(255)]
    captured: Amount


class TermsBody(RequestBody):
    method: Literal["terms"]
    net_days: Annotated[int, Field(ge=0, le=365)]


class OrderBody(RequestBody):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

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
    parent_id: Annotated[
        UUID | None,
        Field(description="the order that this one adds to; noted as it is sent"),
    ] = None
    total: Amount
