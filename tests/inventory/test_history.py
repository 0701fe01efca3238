from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from uuid import uuid4

import pytest
from msgspec.structs import replace

from chassis.events import to_wire
from contracts.inventory import Condition
from contracts.orders import Policy
from inventory.commands.reservations import snapshot
from inventory.domain.history import (
    MOST_CANCELLATIONS,
    MOST_CANCELLED_LINES,
    MOST_RETURN_RECEIPTS,
    MOST_RETURNED_LINES,
    MOST_SHIPMENTS,
    MOST_SHIPPED_LINES,
    Cancellation,
    History,
    MovedLine,
    ReleasedLine,
    ReturnedLine,
    ReturnReceipt,
    Shipment,
)
from inventory.domain.reservations import Cause, Line, Reservation
from inventory.domain.returns import TooManyReturnReceipts, take_back
from inventory.domain.shipments import TooManyShipments, ship
from tests.inventory.factories import a_known_product, a_parcel, a_return

LINES = 500
MOST = 100_000  # units of a line
DEAREST = MOST * 10**9  # what they cost at the most
SOAP = {"SOAP": a_known_product()}
NOW = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)


def parts(lines: int, of: int) -> Sequence[Sequence[int]]:
    """So many lines, shared by so many parts; the widest numbers."""
    numbers = list(islice(cycle(range(LINES, LINES - 100, -1)), lines))
    return [numbers[index::of] for index in range(of)]


def the_longest_history() -> History:
    return History(
        cancellations=tuple(
            Cancellation(
                cancellation_id=uuid4(),
                lines=tuple(
                    ReleasedLine(line=line, asked=MOST, released=MOST) for line in part
                ),
            )
            for part in parts(MOST_CANCELLED_LINES, MOST_CANCELLATIONS)
        ),
        shipments=tuple(
            Shipment(
                shipment_id=uuid4(),
                order_id=uuid4(),
                carrier="\N{TEST TUBE}" * 32,
                tracking='"' * 64,
                lines=tuple(
                    MovedLine(line=line, quantity=MOST, cost=DEAREST) for line in part
                ),
                shipped_at=NOW,
            )
            for part in parts(MOST_SHIPPED_LINES, MOST_SHIPMENTS)
        ),
        returns=tuple(
            ReturnReceipt(
                receipt_id=uuid4(),
                order_id=uuid4(),
                return_id=uuid4(),
                location="CORK",
                lines=tuple(
                    ReturnedLine(
                        line=line,
                        quantity=MOST,
                        cost=DEAREST,
                        condition=Condition.RESELLABLE,
                    )
                    for line in part
                ),
                received_at=NOW,
            )
            for part in parts(MOST_RETURNED_LINES, MOST_RETURN_RECEIPTS)
        ),
    )


def the_largest_reservation() -> Reservation:
    """Larger than any can be: units are in one place only, and here they are in all."""
    lines = tuple(
        Line(
            line=number,
            sku="SOAP",
            requested=MOST,
            reserved=MOST,
            backordered=MOST,
            shipped=MOST,
            released=MOST,
            returned=MOST,
            cost_shipped=DEAREST,
            cost_returned=DEAREST,
            cost_currency="EUR",
        )
        for number in range(1, LINES + 1)
    )
    return Reservation(
        order_id=uuid4(),
        version=10**6,
        policy=Policy.ALLOW_BACKORDER,
        placed_at=NOW,
        cause=Cause.BACKORDER_FILLED,
        lines=lines,
        history=the_longest_history(),
    )


def test_the_largest_snapshot_fits_in_a_message():
    announced = snapshot(the_largest_reservation())

    body = to_wire(
        id=uuid4(),
        source="orderly/inventory",
        type=announced.event.type,
        subject=announced.subject,
        time=NOW,
        sequence=None,
        traceparent="00-" + "f" * 51,
        data=announced.data_on_the_wire,
    )

    assert len(body.encode()) < 240 * 1024


def test_a_shipment_that_could_not_be_told_is_refused_with_the_figures():
    order = the_largest_reservation()

    with pytest.raises(TooManyShipments) as refused:
        ship(order, a_parcel(order.order_id, {1: 1, 2: 1}), [], SOAP)

    assert refused.value.figures == {
        "shipments": MOST_SHIPMENTS + 1,
        "lines": MOST_SHIPPED_LINES + 2,
    }


def test_an_order_has_room_for_all_its_lines_in_each_list():
    assert min(MOST_CANCELLED_LINES, MOST_SHIPPED_LINES, MOST_RETURNED_LINES) >= LINES


def test_a_return_that_could_not_be_told_is_refused_with_the_figures():
    order = the_largest_reservation()
    order = replace(order, lines=(Line(line=1, sku="SOAP", requested=2, shipped=2),))
    back = a_return(order.order_id, (1, 1, Condition.DAMAGED))

    with pytest.raises(TooManyReturnReceipts) as refused:
        take_back(order, back, SOAP)

    assert refused.value.figures == {
        "return_receipts": MOST_RETURN_RECEIPTS + 1,
        "lines": MOST_RETURNED_LINES + 1,
    }
