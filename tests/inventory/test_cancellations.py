from uuid import UUID, uuid4

import pytest
from msgspec.structs import asdict, replace

from contracts.inventory import (
    AnsweredCancellation,
    Condition,
    ReleasedLine,
    ReservationChanged,
)
from contracts.orders import Policy
from inventory.commands.returns import receive_return
from inventory.commands.shipping import ship_units
from inventory.domain.cancellations import CancellationRequest, cancel
from inventory.domain.history import MOST_CANCELLATIONS, MOST_CANCELLED_LINES
from inventory.domain.reservations import Reservation
from inventory.handlers.orders import follow_orders
from inventory.store import stock
from tests.inventory.factories import (
    a_parcel,
    a_reserved_line,
    a_return,
    an_order,
    cancelled,
    placed,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities


def a_backorder(*wanted: tuple[str, int], placed_after_s: int = 0) -> Reservation:
    return an_order(
        *wanted, policy=Policy.ALLOW_BACKORDER, placed_after_s=placed_after_s
    )


def figures(snapshot: ReservationChanged, line: int = 1) -> dict[str, int]:
    """What a line has, without what it has not."""
    (found,) = [known for known in snapshot.lines if known.line == line]
    return {
        name: value for name, value in asdict(found).items() if value and name != "line"
    }


def answer(cancellation_id: UUID, *lines: tuple[int, int, int]) -> AnsweredCancellation:
    return AnsweredCancellation(
        cancellation_id=cancellation_id,
        lines=tuple(
            ReleasedLine(line=line, asked=asked, released=released)
            for line, asked, released in lines
        ),
    )


async def test_what_has_not_shipped_is_released(tx, published):
    await stocked(tx, ("SOAP", 5), ("RUM", 5))
    order = an_order(("SOAP", 3), ("RUM", 2))
    request = cancelled(order.order_id, {1: 2, 2: 2})
    await follow_orders(tx, [placed(order)])

    await follow_orders(tx, [request])

    told = (await published())[-1].data
    assert (told.version, told.cause) == (2, "cancelled")
    assert figures(told) == {"requested": 3, "reserved": 1, "released": 2}
    assert figures(told, 2) == {"requested": 2, "released": 2}
    assert told.cancellations == (
        answer(request.data.cancellation_id, (1, 2, 2), (2, 2, 2)),
    )
    assert {s.sku: s.available for s in await stock.get(tx, ["SOAP", "RUM"])} == {
        "SOAP": 4,
        "RUM": 5,
    }
    await assert_books_agree(tx)


async def test_movements_say_what_was_released(tx):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 3))
    await follow_orders(tx, [placed(order)])

    await follow_orders(tx, [cancelled(order.order_id, {1: 2})])

    *_, released = await quantities(tx, "movements", reference=str(order.order_id))
    assert (released["kind"], released["reserved_change"]) == ("release", -2)


async def test_what_is_waited_for_is_cancelled_before_what_is_kept(tx, published):
    await stocked(tx, ("SOAP", 2))
    order = a_backorder(("SOAP", 5))
    await follow_orders(tx, [placed(order)])

    await follow_orders(tx, [cancelled(order.order_id, {1: 4})])

    assert figures((await published())[-1].data) == {
        "requested": 5,
        "reserved": 1,
        "released": 4,
    }
    await assert_books_agree(tx)


async def test_the_preferred_location_is_released_last(tx):
    await stocked(tx, ("SOAP", 2), location="FIRST", priority=1)
    await stocked(tx, ("SOAP", 2), location="SECOND", priority=2)
    order = an_order(("SOAP", 4))
    await follow_orders(tx, [placed(order)])

    await follow_orders(tx, [cancelled(order.order_id, {1: 3})])

    shelves = await stock.get(tx, ["SOAP"])
    assert [(s.location, s.reserved) for s in shelves] == [("FIRST", 1), ("SECOND", 0)]
    await assert_books_agree(tx)


async def test_what_has_shipped_cannot_be_cancelled(tx, published):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 3))
    await follow_orders(tx, [placed(order)])
    await ship_units(tx, a_parcel(order.order_id, {1: 2}), actor="staff")
    request = cancelled(order.order_id, {1: 3})

    await follow_orders(tx, [request])

    told = (await published())[-1].data
    assert told.cancellations == (answer(request.data.cancellation_id, (1, 3, 1)),)
    await assert_books_agree(tx)


async def test_a_cancellation_that_comes_too_late_is_answered_with_nothing(
    tx, published
):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 9))
    await follow_orders(tx, [placed(order)])
    request = cancelled(order.order_id, {1: 9, 7: 1})

    await follow_orders(tx, [request])

    told = (await published())[-1].data
    assert told.version == 2
    assert told.cancellations == (
        answer(request.data.cancellation_id, (1, 9, 0), (7, 1, 0)),
    )


async def test_a_cancellation_asked_again_is_answered_again_and_done_once(
    tx, published
):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 3))
    await follow_orders(tx, [placed(order)])
    request = cancelled(order.order_id, {1: 1})
    again = cancelled(
        order.order_id, {1: 1}, cancellation_id=request.data.cancellation_id
    )

    await follow_orders(tx, [request, again])
    await follow_orders(tx, [again])

    *_, first, second = (a.data for a in await published())
    assert (first.version, second.version) == (2, 3)
    assert second.cancellations == first.cancellations
    assert figures(second) == {"requested": 3, "reserved": 2, "released": 1}
    await assert_books_agree(tx)


async def test_cancellations_are_told_in_the_order_in_which_they_were_answered(
    tx, published
):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 3))
    requests = [cancelled(order.order_id, {1: 2}) for _ in range(3)]
    await follow_orders(tx, [placed(order)])

    await follow_orders(tx, requests[:2])
    await follow_orders(tx, requests[2:])

    told = (await published())[-1].data
    got = zip(requests, (2, 1, 0), strict=True)
    assert told.cancellations == tuple(
        answer(request.data.cancellation_id, (1, 2, released))
        for request, released in got
    )


async def test_what_is_released_goes_to_who_waits_longest(tx, published):
    await stocked(tx, ("SOAP", 3))
    first = an_order(("SOAP", 3))
    late, early = a_backorder(("SOAP", 2), placed_after_s=9), a_backorder(("SOAP", 2))
    await follow_orders(tx, [placed(first)])
    await follow_orders(tx, [placed(late), placed(early)])

    await follow_orders(tx, [cancelled(first.order_id, {1: 3})])

    told = [(a.subject, a.data.cause) for a in (await published())[-3:]]
    assert told == [
        (str(first.order_id), "cancelled"),
        (str(early.order_id), "backorder_filled"),
        (str(late.order_id), "backorder_filled"),
    ]
    rows = await quantities(tx, "reservation_lines")
    assert {row["order_id"]: row["reserved"] for row in rows} == {
        first.order_id: 0,
        early.order_id: 2,
        late.order_id: 1,
    }
    await assert_books_agree(tx)


async def test_a_cancellation_that_overtakes_its_order_is_answered_at_once(
    tx, published
):
    order_id = uuid4()
    request = cancelled(order_id, {2: 3})

    await follow_orders(tx, [request])

    (told,) = await published()
    voided = a_reserved_line(line=2, requested=3, released=3)
    assert told.subject == str(order_id)
    assert told.data == ReservationChanged(
        order_id=order_id,
        version=1,
        cause="cancelled",
        lines=(voided,),
        cancellations=(answer(request.data.cancellation_id, (2, 3, 3)),),
    )


async def test_an_order_that_was_overtaken_gets_only_the_rest(tx, published):
    await stocked(tx, ("SOAP", 5), ("RUM", 5))
    order = an_order(("SOAP", 4), ("RUM", 2))
    requests = [cancelled(order.order_id, {1: 3}), cancelled(order.order_id, {2: 2})]
    for request in requests:
        await follow_orders(tx, [request])

    await follow_orders(tx, [placed(order)])

    told = (await published())[-1].data
    assert (told.version, told.cause) == (3, "order_placed")
    assert figures(told) == {"requested": 4, "reserved": 1, "released": 3}
    assert figures(told, 2) == {"requested": 2, "released": 2}
    assert [c.cancellation_id for c in told.cancellations] == [
        request.data.cancellation_id for request in requests
    ]
    await assert_books_agree(tx)


async def test_all_or_nothing_means_what_was_not_cancelled(tx, published):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 7), policy=Policy.ALL_OR_NOTHING)
    await follow_orders(tx, [cancelled(order.order_id, {1: 2})])

    await follow_orders(tx, [placed(order)])

    assert figures((await published())[-1].data) == {
        "requested": 7,
        "reserved": 5,
        "released": 2,
    }


async def test_a_repeated_cancellation_of_an_order_that_came_since_is_done_once(
    tx, published
):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 4))
    request = cancelled(order.order_id, {1: 1})
    await follow_orders(tx, [request])
    await follow_orders(tx, [placed(order)])

    await follow_orders(tx, [request])

    told = (await published())[-1].data
    assert told.version == 3
    assert figures(told) == {"requested": 4, "reserved": 3, "released": 1}
    await assert_books_agree(tx)


async def test_an_order_and_its_cancellation_may_be_at_hand_together(tx, published):
    await stocked(tx, ("SOAP", 5))
    given_up, other = an_order(("SOAP", 5)), an_order(("SOAP", 5), placed_after_s=9)
    request = cancelled(given_up.order_id, {1: 5})

    await follow_orders(tx, [placed(given_up), request, placed(other)])

    newest = {a.subject: a.data for a in await published()}
    assert figures(newest[str(given_up.order_id)]) == {"requested": 5, "released": 5}
    assert figures(newest[str(other.order_id)]) == {"requested": 5, "reserved": 5}
    await assert_books_agree(tx)


async def test_what_a_cancellation_releases_is_there_for_orders_at_hand(tx, published):
    await stocked(tx, ("SOAP", 5))
    earlier, other = an_order(("SOAP", 5)), an_order(("SOAP", 5))
    await follow_orders(tx, [placed(earlier)])

    await follow_orders(tx, [placed(other), cancelled(earlier.order_id, {1: 5})])

    newest = {a.subject: a.data for a in await published()}
    assert figures(newest[str(other.order_id)]) == {"requested": 5, "reserved": 5}


async def test_orders_at_hand_get_what_those_who_wait_leave(tx, published):
    await stocked(tx, ("SOAP", 5))
    given_up, waiting = an_order(("SOAP", 5)), a_backorder(("SOAP", 3))
    new = an_order(("SOAP", 3), policy=Policy.ALLOW_PARTIAL)
    await follow_orders(tx, [placed(given_up)])
    await follow_orders(tx, [placed(waiting)])

    await follow_orders(tx, [placed(new), cancelled(given_up.order_id, {1: 5})])

    newest = {a.subject: a.data for a in await published()}
    assert figures(newest[str(waiting.order_id)]) == {"requested": 3, "reserved": 3}
    assert figures(newest[str(new.order_id)]) == {"requested": 3, "reserved": 2}
    await assert_books_agree(tx)


async def test_what_orders_at_hand_get_is_not_given_to_who_waits_behind_them(
    tx, published
):
    await stocked(tx, ("SOAP", 5))
    given_up, first = an_order(("SOAP", 5)), an_order(("SOAP", 4))
    second = a_backorder(("SOAP", 4), placed_after_s=9)
    await follow_orders(tx, [placed(given_up)])

    await follow_orders(
        tx, [placed(first), placed(second), cancelled(given_up.order_id, {1: 5})]
    )

    newest = {a.subject: a.data for a in await published()}
    assert figures(newest[str(second.order_id)]) == {
        "requested": 4,
        "reserved": 1,
        "backordered": 3,
    }
    await assert_books_agree(tx)


async def test_what_was_told_before_is_told_by_every_later_version(tx, published):
    await stocked(tx, ("SOAP", 5))
    order = a_backorder(("SOAP", 7))
    await follow_orders(tx, [placed(order)])
    await follow_orders(tx, [cancelled(order.order_id, {1: 1})])
    parcel = await ship_units(tx, a_parcel(order.order_id, {1: 3}), actor="staff")
    back = a_return(order.order_id, (1, 1, Condition.RESELLABLE))

    await receive_return(tx, back, actor="staff")
    await follow_orders(tx, [placed(order)])

    returned, filled, again = [a.data for a in (await published())[-3:]]
    assert [s.shipment_id for s in filled.shipments] == [parcel.shipment_id]
    assert len(filled.cancellations) == len(filled.returns) == 1
    assert replace(filled, cause="", lines=()) == (
        replace(returned, version=5, cause="", lines=())
    )
    assert again == filled


@pytest.mark.parametrize(
    ("cancellations", "lines"),
    [(MOST_CANCELLATIONS, 1), (MOST_CANCELLED_LINES // 350, 350)],
)
def test_what_could_not_be_told_is_not_cancelled(cancellations, lines):
    order = an_order(*[("SOAP", 9)] * 400)

    def a_request(lines: int) -> CancellationRequest:
        return CancellationRequest(
            cancellation_id=uuid4(),
            order_id=order.order_id,
            units=dict.fromkeys(range(1, lines + 1), 1),
        )

    requests = [a_request(lines) for _ in range(cancellations)]
    full = cancel(order, requests, []).reservation

    after = cancel(full, [a_request(1)], [])

    assert all(c.lines for c in full.history.cancellations)
    assert after.answers[0].lines == ()
    assert after.reservation.lines == full.lines
