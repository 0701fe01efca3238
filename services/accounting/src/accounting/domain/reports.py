"""What the payment gateway reports."""

from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from accounting.domain.money import Money

_EVENTS = uuid5(NAMESPACE_URL, "urn:orderly:gateway-events")


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The money of a refund is with the customer."""

    refund_id: UUID
    money: Money


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A refund did not get through; it is still owed."""

    refund_id: UUID
    reason: str


@dataclass(frozen=True, kw_only=True)
class PaidOut:
    """What the gateway held is in the bank, less its fee."""

    money: Money


@dataclass(frozen=True, kw_only=True)
class Report:
    """`id` is the gateway's own for the event."""

    id: str
    type: str
    occurred_at: datetime
    what: Settled | Failed | PaidOut

    @property
    def source_event_id(self) -> UUID:
        return uuid5(_EVENTS, self.id)
