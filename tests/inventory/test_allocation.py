import time
from collections import Counter
from datetime import timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.orders import Policy
from inventory.domain import allocation
from inventory.domain.allocation import Served, fill, hold, reserve
from inventory.domain.holds import Hold, NotAvailable
from inventory.domain.reservations import Reservation, State
from inventory.domain.stock import Shelf, available
from tests.inventory.factories import NOON, a_hold, a_shelf, an_order

SKUS = ("A", "B", "C")
LOCATIONS = ("CORK", "DUBLIN", "GALWAY")

shelves = st.lists(
    st.builds(
        a_shelf,
        st.sampled_from(SKUS),
        st.sampled_from(LOCATIONS),
        st.integers(0, 12),
    ),
    unique_by=lambda shelf: (shelf.sku, shelf.location),
).map(lambda found: sorted(found, key=lambda shelf: (shelf.location, shelf.sku)))


@st.composite
def orders(draw: st.DrawFn) -> Reservation:
    lines = st.tuples(st.sampled_from((*SKUS, "UNKNOWN")), st.integers(1, 8))
    return an_order(
        *draw(st.lists(lines, min_size=1, max_size=4)),
        policy=draw(st.sampled_from(Policy)),
        placed_after_s=draw(st.integers(0, 3)),
    )


batches = st.lists(orders(), max_size=8)


def taken(served: list[Served]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for order in served:
        for units in order.allocations:
            found[units.sku, units.location] += units.reserved
    return found


def wanted_of(order: Reservation, sku: str) -> int:
    return sum(line.requested for line in order.lines if line.sku == sku)


def reserved_of(order: Reservation, sku: str) -> int:
    return sum(line.reserved for line in order.lines if line.sku == sku)


@given(batches, shelves)
def test_nothing_is_ever_oversold(batch, shelves):
    there = {(shelf.sku, shelf.location): shelf.available for shelf in shelves}

    served = reserve(batch, SKUS, shelves)

    assert all(units <= there[shelf] for shelf, units in taken(served).items())


@given(batches, shelves)
def test_nobody_is_told_sold_out_while_units_are_free(batch, shelves):
    free = Counter(available(shelves))

    for order in (order.reservation for order in reserve(batch, SKUS, shelves)):
        could_have = {
            sku: min(wanted_of(order, sku), free[sku]) for sku in (*SKUS, "UNKNOWN")
        }
        if order.policy is Policy.ALL_OR_NOTHING and order.short:
            assert any(units < wanted_of(order, s) for s, units in could_have.items())
        else:
            assert {sku: reserved_of(order, sku) for sku in could_have} == could_have
        free.subtract({sku: reserved_of(order, sku) for sku in SKUS})


@given(batches, shelves)
def test_all_or_nothing_is_all_or_nothing(batch, shelves):
    for order in (order.reservation for order in reserve(batch, SKUS, shelves)):
        if order.policy is Policy.ALL_OR_NOTHING:
            asked = sum(line.requested for line in order.lines)
            assert order.short in {0, asked}


@given(batches, shelves)
def test_only_backorders_of_known_products_wait(batch, shelves):
    for order in (order.reservation for order in reserve(batch, SKUS, shelves)):
        for line in order.lines:
            waits = order.policy is Policy.ALLOW_BACKORDER and line.sku in SKUS
            left = line.requested - line.reserved
            assert (line.backordered, line.short) == ((left, 0) if waits else (0, left))


@given(batches, shelves)
def test_allocations_add_up_to_what_is_reserved(batch, shelves):
    for order in reserve(batch, SKUS, shelves):
        kept: Counter[int] = Counter()
        for units in order.allocations:
            kept[units.line] += units.reserved
        assert all(line.reserved == kept[line.line] for line in order.reservation.lines)


@given(orders(), shelves)
def test_an_order_comes_from_as_few_locations_as_can_be(order, shelves):
    (served,) = reserve([order], SKUS, shelves)

    used = {units.location for units in served.allocations}
    fewer = combinations(LOCATIONS, max(len(used) - 1, 0))
    assert not used or not any(
        all(
            sum(s.available for s in shelves if s.sku == sku and s.location in some)
            >= reserved_of(served.reservation, sku)
            for sku in SKUS
        )
        for some in fewer
    )


@given(batches, shelves)
def test_who_asked_first_is_served_first(batch, shelves):
    served = [order.reservation for order in reserve(batch, SKUS, shelves)]

    assert served == sorted(served, key=lambda o: (o.placed_at, o.order_id))
    assert reserve(batch[::-1], SKUS, shelves) == reserve(batch, SKUS, shelves)


@given(batches, shelves, shelves)
def test_backorders_get_all_that_comes_in_and_the_oldest_get_it_first(
    batch, before, after
):
    waiting = [order.reservation for order in reserve(batch, SKUS, before)]
    short_of = Counter(available(after))

    filled = fill(waiting, SKUS, after)

    by_id = {order.reservation.order_id: order.reservation for order in filled}
    for order in waiting:
        now = by_id.get(order.order_id, order)
        for line, then in zip(now.lines, order.lines, strict=True):
            units = min(then.backordered, short_of[line.sku])
            short_of[line.sku] -= units
            assert line.reserved == then.reserved + units
            assert line.backordered == then.backordered - units


def test_a_location_that_has_it_all_is_preferred_to_one_that_comes_first():
    shelves = [
        a_shelf("A", "FIRST", 5),
        a_shelf("A", "SECOND", 1),
        a_shelf("B", "SECOND", 1),
    ]

    (served,) = reserve([an_order(("A", 1), ("B", 1))], SKUS, shelves)

    assert {units.location for units in served.allocations} == {"SECOND"}


def test_of_two_locations_that_have_it_all_the_preferred_one_serves():
    shelves = [a_shelf("A", "FIRST", 5), a_shelf("A", "SECOND", 9)]

    (served,) = reserve([an_order(("A", 2))], SKUS, shelves)

    assert [units.location for units in served.allocations] == ["FIRST"]


def test_an_order_that_fits_only_across_locations_is_served_from_several():
    shelves = [a_shelf("A", "FIRST", 3), a_shelf("A", "SECOND", 3)]

    (served,) = reserve([an_order(("A", 5))], SKUS, shelves)

    assert [(u.location, u.reserved) for u in served.allocations] == [
        ("FIRST", 3),
        ("SECOND", 2),
    ]


def test_hundreds_of_small_locations_serve_an_order_together():
    shelves = [a_shelf("A", f"SHOP-{number}", 1) for number in range(300)]

    (served,) = reserve([an_order(("A", 300))], SKUS, shelves)

    assert len(served.allocations) == 300


def test_one_of_hundreds_of_locations_that_has_it_all_serves_alone():
    shelves = [a_shelf("A", f"SHOP-{number}", 1) for number in range(300)]
    shelves.append(a_shelf("A", "DEPOT", 7))

    (served,) = reserve([an_order(("A", 7))], SKUS, shelves)

    assert [units.location for units in served.allocations] == ["DEPOT"]


def test_lines_of_the_same_product_are_counted_together():
    order = an_order(("A", 2), ("A", 2))

    (served,) = reserve([order], SKUS, [a_shelf("A", "CORK", 3)])

    assert served.reservation.short == 4
    assert not served.allocations


def test_units_that_are_reserved_are_not_free():
    (served,) = reserve([an_order(("A", 1))], SKUS, [a_shelf("A", "CORK", 3, 3)])

    assert served.reservation.short == 1


@pytest.mark.parametrize("policy", Policy)
def test_units_voided_before_the_order_came_are_not_reserved(policy):
    order = an_order(("A", 3), policy=policy)
    (line,) = order.lines
    voided = type(line)(line=1, sku="A", requested=3, voided=2)
    order = replace(order, lines=(voided,))

    (served,) = reserve([order], SKUS, [a_shelf("A", "CORK", 1)])

    assert (served.reservation.lines[0].reserved, served.reservation.short) == (1, 0)


def test_a_reservation_is_closed_when_it_has_nothing_and_waits_for_nothing():
    (nothing,) = reserve([an_order(("A", 1))], SKUS, [])
    (waits,) = reserve([an_order(("A", 1), policy=Policy.ALLOW_BACKORDER)], SKUS, [])
    (has,) = reserve([an_order(("A", 1))], SKUS, [a_shelf("A", "CORK", 1)])

    states = [served.reservation.state for served in (nothing, waits, has)]
    assert states == [State.CLOSED, State.OPEN, State.OPEN]


def held(*wanted: tuple[str, int], location: str = "CORK", expires_in: int = 9) -> Hold:
    """A hold on an otherwise empty shelf."""
    there = [a_shelf(sku, location, units) for sku, units in wanted]
    return hold(a_hold(*wanted, expires_in=expires_in), SKUS, there)


def naming(order: Reservation, taken: Hold) -> Reservation:
    return replace(order, hold_id=taken.id)


def shelves_of(taken: Hold, free: int = 0) -> list[Shelf]:
    return [
        a_shelf(u.sku, u.location, u.reserved + free, u.reserved) for u in taken.units
    ]


def served_by(orders: list[Reservation], taken: Hold, free: int = 0, **waiting: int):
    """What each order got, and whether it took the hold over."""
    served = reserve(orders, SKUS, shelves_of(taken, free), {taken.id: taken}, waiting)
    by_id = {order.reservation.order_id: order for order in served}
    found = [by_id[order.order_id] for order in orders]
    return [
        (sum(line.reserved for line in order.reservation.lines), bool(order.took_over))
        for order in found
    ]


def test_a_hold_keeps_its_units_for_the_order_that_names_it():
    taken = held(("A", 3))
    early, late = an_order(("A", 3)), an_order(("A", 3), placed_after_s=1)

    assert served_by([early, naming(late, taken)], taken) == [(0, False), (3, True)]


def test_units_beyond_the_hold_are_reserved_as_usual():
    taken = held(("A", 3))
    order = naming(an_order(("A", 5)), taken)

    assert served_by([order], taken, free=2) == [(5, True)]
    assert served_by([order], taken, free=1) == [(0, True)]


def test_what_an_order_leaves_of_its_hold_is_free_for_the_next():
    taken = held(("A", 3))
    orders = [naming(an_order(("A", 1)), taken), an_order(("A", 2), placed_after_s=1)]

    assert served_by(orders, taken) == [(1, True), (2, False)]


def test_what_an_order_leaves_of_its_hold_is_first_for_who_waits_already():
    taken = held(("A", 3))
    orders = [naming(an_order(("A", 1)), taken), an_order(("A", 1), placed_after_s=1)]

    assert served_by(orders, taken, A=2) == [(1, True), (0, False)]
    assert served_by(orders, taken, A=1) == [(1, True), (1, False)]


def test_who_waits_since_this_batch_is_before_who_comes_after():
    taken = held(("A", 2))
    orders = [
        an_order(("A", 1), policy=Policy.ALLOW_BACKORDER),
        naming(an_order(("A", 1), placed_after_s=1), taken),
        an_order(("A", 1), placed_after_s=2),
    ]

    assert served_by(orders, taken) == [(0, False), (1, True), (0, False)]


def test_a_hold_is_used_once_by_the_order_that_was_placed_first():
    taken = held(("A", 3))
    orders = [
        naming(an_order(("A", 3), placed_after_s=1), taken),
        naming(an_order(("A", 3)), taken),
    ]

    assert served_by(orders, taken) == [(0, False), (3, True)]


def test_an_order_placed_after_its_hold_expired_finds_none():
    taken = held(("A", 3), expires_in=9)
    in_time, late = (an_order(("A", 3), placed_after_s=s) for s in (9, 10))

    assert served_by([naming(late, taken)], taken) == [(0, False)]
    assert served_by([naming(in_time, taken)], taken) == [(3, True)]


def test_a_hold_keeps_all_or_nothing_and_says_what_there_is():
    with pytest.raises(NotAvailable) as refused:
        hold(a_hold(("A", 2), ("B", 1), ("A", 2)), SKUS, [a_shelf("A", "CORK", 3)])

    assert refused.value.figures["available"] == [
        {"sku": "A", "quantity": 4, "available": 3},
        {"sku": "B", "quantity": 1, "available": 0},
    ]


def test_a_hold_looks_expired_once_it_ran_out():
    taken = held(("A", 1), expires_in=9)

    statuses = [taken.seen(NOON + timedelta(seconds=s)).status for s in (9, 10)]

    assert statuses == ["held", "expired"]


def seconds_for(orders: list[Reservation], shelves: list[Shelf]) -> float:
    began = time.process_time()
    reserve(orders, {shelf.sku for shelf in shelves}, shelves)
    return time.process_time() - began


def test_a_thousand_orders_are_served_in_well_under_a_second():
    shelves = [a_shelf(f"S{n}", f"L{at}", 99) for at in range(5) for n in range(500)]
    orders = [
        an_order(*((f"S{(n + k * 77) % 500}", 2) for k in range(3)))
        for n in range(1000)
    ]

    # The least of three: a collection of everybody's garbage may come in between.
    assert min(seconds_for(orders, shelves) for _ in range(3)) < 0.5


def test_orders_of_500_lines_do_not_blow_up_over_20_locations():
    shelves = [
        a_shelf(f"S{n}", f"L{at:02}", 3 if (n + at) % 7 else 0)
        for at in range(20)
        for n in range(500)
    ]
    orders = [an_order(*((f"S{n}", 3) for n in range(500))) for _ in range(10)]

    assert seconds_for(orders, shelves) < 5


def test_who_takes_more_than_there_is_is_stopped():
    pool = allocation._Pool({"SOAP"}, [a_shelf("SOAP", "CORK", 1)], {})  # noqa: SLF001

    with pytest.raises(ValueError, match="empty"):
        list(pool.take(["SOAP"], [2]))
