"""What the payment gateway reports."""

from datetime import datetime
from uuid import NAMESPACE_URL, UUID

from msgspec import Struct

from accounting.domain.money import Money
from chassis.ids import uuid5

_EVENTS = uuid5(NAMESPACE_URL, "urn:orderly:gateway-events")


class Settled(Struct, frozen=True, kw_only=True):
    """The money of a refund is with the customer."""

    refund_id: UUID
    money: Money


class Failed(Struct, frozen=True, kw_only=True):
    """A refund did not get through; it is still owed."""

    refund_id: UUID
    reason: str


class PaidOut(Struct, frozen=True, kw_only=True):
    """What the gateway held is in the bank, less its fee."""

    money: Money


class Report(Struct, frozen=True, kw_only=True):
    """`id` is the gateway's own for the event."""

    id: str
    type: str
    occurred_at: datetime
    what: Settled | Failed | PaidOut

    @property
    def source_event_id(self) -> UUID:
        return uuid5(_EVENTS, self.id)
