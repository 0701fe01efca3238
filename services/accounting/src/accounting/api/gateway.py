"""What the payment gateway reports, proven by its signature and not by a token."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Request, Response
from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    RootModel,
    ValidationInfo,
    field_validator,
)

from accounting.api.fields import MAX_AMOUNT, Amount, Currency, example
from accounting.api.signatures import SIGNED, reads_signed
from accounting.commands.gateway import take_report
from accounting.domain.money import Money
from accounting.domain.reports import Failed, PaidOut, Report, Settled
from chassis.bodies import RequestBody, text
from chassis.idempotency import fingerprint
from chassis.moments import Written
from chassis.routing import HttpRouter
from chassis.web import database_of, respond

router = HttpRouter(prefix="/v1/accounting", tags=["refunds"], dependencies=[SIGNED])

EventId = Annotated[str, text(255)]
# The books have a page for every month since the first posting: a slip must not make
# that one of long ago.
Occurred = Written[
    Annotated[
        AwareDatetime,
        Field(
            ge=datetime(2000, 1, 1, tzinfo=UTC),
            lt=datetime(2100, 1, 1, tzinfo=UTC),
            description="in the years 2000 to 2099",
        ),
    ]
]


class RefundSettledBody(RequestBody):
    """The money of a refund is with the customer."""

    id: EventId
    type: Literal["refund.settled"]
    occurred_at: Occurred
    refund_id: UUID
    amount: Amount
    currency: Currency

    def what(self) -> Settled:
        money = Money(amount=self.amount, currency=self.currency)
        return Settled(refund_id=self.refund_id, money=money)


class RefundFailedBody(RequestBody):
    """A refund did not get through."""

    id: EventId
    type: Literal["refund.failed"]
    occurred_at: Occurred
    refund_id: UUID
    reason: Annotated[str, text(500)]

    def what(self) -> Failed:
        return Failed(refund_id=self.refund_id, reason=self.reason)


class PaidOutBody(RequestBody):
    """What the gateway held, `amount`, was paid out less its fee."""

    id: EventId
    type: Literal["payout.paid"]
    occurred_at: Occurred
    amount: Amount
    fee: Annotated[int, Field(ge=0, le=MAX_AMOUNT, description="part of the amount")]
    currency: Currency
    reference: Annotated[str, text(255)]

    @field_validator("fee")
    @classmethod
    def _keeps_no_more_than_there_is(cls, fee: int, info: ValidationInfo) -> int:
        if fee > info.data.get("amount", fee):
            raise ValueError("the fee is more than the amount")
        return fee

    def what(self) -> PaidOut:
        money = Money(amount=self.amount, currency=self.currency, fee=self.fee)
        return PaidOut(money=money)


class GatewayEventBody(
    RootModel[
        Annotated[
            RefundSettledBody | RefundFailedBody | PaidOutBody,
            Field(discriminator="type"),
        ]
    ]
):
    model_config = example(
        id="evt_1042",
        type="refund.settled",
        occurred_at="2026-03-02T10:00:00Z",
        refund_id="0198c5a6-2f0e-7c3a-8a55-6d8f1d6b8a01",
        amount=3558,
        currency="EUR",
    )


class GatewayEventView(BaseModel):
    """`repeated`: it was taken before, and has changed nothing now."""

    model_config = example(id="evt_1042", type="refund.settled", repeated=False)

    id: str
    type: str
    repeated: bool


@router.post("/gateway-events", response_model=GatewayEventView)
async def take_gateway_event(
    body: Annotated[Any, reads_signed(GatewayEventBody)], request: Request
) -> Response:
    """Take what the gateway reports of refunds and payouts: each event once."""
    event = body.root
    report = Report(
        id=event.id, type=event.type, occurred_at=event.occurred_at, what=event.what()
    )
    fresh = await database_of(request).transact(
        take_report,
        report,
        data=event.model_dump(mode="json"),
        fingerprint=fingerprint(event),
    )
    view = GatewayEventView(id=event.id, type=event.type, repeated=not fresh)
    return respond(request, view)
