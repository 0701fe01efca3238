"""The largest event there can be still travels: SNS takes 256 KiB; some is spare.

Every number is as long as the longest, every text of the characters that need most
room: on the wire, SNS and SQS want some as six.
"""

from datetime import UTC, date, datetime
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import msgspec
import pytest

from chassis import aside
from chassis.events import Event, to_wire
from contracts import EVENTS
from contracts.inventory import ReservationChanged
from contracts.topology import TOPOLOGY

MOST_BYTES = 240 * 1024
MOST_LINES = 500
LARGEST = 10**12
ID = UUID(int=2**128 - 1)
NOW = datetime(2026, 11, 21, 23, 59, 59, 999_999, tzinfo=UTC)
WIDEST = "\uffff"
# How long each text may be, and of what; what is not here is a word of ours.
TEXTS = {
    "sku": "\N{TEST TUBE}" * 64,
    "location": WIDEST * 64,
    "name": WIDEST * 200,
    "line1": WIDEST * 200,
    "line2": WIDEST * 200,
    "city": WIDEST * 100,
    "region": WIDEST * 100,
    "postal_code": WIDEST * 20,
    "country": "IE",
    "customer_id": WIDEST * 64,
    "reference": WIDEST * 255,
    "provider": WIDEST * 64,
    "reason": WIDEST * 500,
    "carrier": WIDEST * 128,
    "tracking": WIDEST * 128,
    "currency": "EUR",
    "cost_currency": "EUR",
    "number": "INV-2026-000000001",
    "tax_rate": "19.00",
    "cause": "cancellation_requested",
    "event_type": "t" * aside.MOST_LETTERS,
    "queue": max((queue.name for queue in TOPOLOGY.queues), key=len),
}
PLAIN = {UUID: ID, datetime: NOW, date: NOW.date(), int: LARGEST, bool: False}


def largest(type_: Any, name: str = "") -> Any:
    """A value of this type that is as long as there can be."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in {Annotated, Union, UnionType}:
        return largest(arguments[0], name)  # of what may be None: what else it may be
    if origin is tuple:
        return [largest(arguments[0], name)] * MOST_LINES
    if issubclass(type_, msgspec.Struct):
        return {
            field.name: largest(field.type, field.name)
            for field in msgspec.structs.fields(type_)
        }
    if issubclass(type_, Enum):
        return max((member.value for member in type_), key=len)
    return TEXTS[name] if type_ is str else PLAIN[type_]


def bytes_on_the_wire(event: Event) -> int:
    body = to_wire(
        id=ID,
        source="orderly/accounting",
        type=event.type,
        subject=TEXTS["sku"],
        time=NOW,
        sequence=LARGEST,
        traceparent=f"00-{'f' * 32}-{'f' * 16}-01",
        data=msgspec.json.encode(event).decode(),
    )
    return len(f"[{body}]".encode())


# That one is as long as what happened to its order: Inventory bounds it, and tests it.
BOUNDED = [event for event in EVENTS if event is not ReservationChanged]


@pytest.mark.parametrize("event", BOUNDED, ids=lambda event: event.type)
def test_the_largest_event_fits_in_a_message(event: type[Event]):
    instance = msgspec.convert(largest(event), event)

    assert bytes_on_the_wire(instance) <= MOST_BYTES
