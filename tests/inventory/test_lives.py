"""Orders' lives in any order that the world may come up with."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec import convert, json
from sqlalchemy import select
from typing_extensions import override

from chassis.database import Database, Tx
from chassis.errors import Refused
from chassis.outbox import outbox
from contracts.inventory import Condition, ReservationChanged
from contracts.orders import Policy
from inventory.commands.holds import expire_holds, hold_units, release_hold
from inventory.commands.products import put_product
from inventory.commands.reservations import snapshot
from inventory.commands.returns import receive_return
from inventory.commands.shipping import ship_units
from inventory.commands.stock import adjust_stock, receive_goods
from inventory.domain.holds import Hold
from inventory.handlers.orders import OrderEvent, follow_orders
from inventory.store import reservations
from tests.inventory.factories import (
    NOON,
    a_delivery,
    a_hold,
    a_parcel,
    a_product,
    a_return,
    an_adjustment,
    an_order,
    cancelled,
    placed,
    stocked,
)
from tests.inventory.figures import assert_books_agree

SKUS = ("SOAP", "RUM", "TEA")
LOCATIONS = ("CORK", "DUBLIN")

units = st.integers(1, 6)
goods = st.lists(st.tuples(st.sampled_from(SKUS), units), min_size=1, max_size=3)
wanted = st.lists(
    st.tuples(st.sampled_from((*SKUS, "UNKNOWN")), units), min_size=1, max_size=3
)
which = st.integers(0, 2)
again = st.lists(st.integers(0, 99), max_size=2)
some = st.dictionaries(st.integers(1, 3), units, min_size=1)


Told = dict[UUID, list[ReservationChanged]]


async def snapshots(tx: Tx) -> Told:
    """All that was told of each order, in its order."""
    rows = await tx.execute(
        select(outbox.c.data)
        .where(outbox.c.type == ReservationChanged.type)
        .order_by(outbox.c.added)
    )
    told: defaultdict[UUID, list[ReservationChanged]] = defaultdict(list)
    for data in rows.scalars():
        event = convert(data, ReservationChanged)
        told[event.order_id].append(event)
    return told


def grows(before: Sequence[object], after: Sequence[object]) -> bool:
    return tuple(after[: len(before)]) == tuple(before)


def assert_follows(before: ReservationChanged, after: ReservationChanged) -> None:
    """A later version says all that the one before it said; the same one, the same."""
    assert after == before or after.version == before.version + 1
    assert grows(before.cancellations, after.cancellations)
    assert grows(before.shipments, after.shipments)
    assert grows(before.returns, after.returns)


class Lives(RuleBasedStateMachine):
    """Each life is one transaction, which leaves no trace."""

    loop: asyncio.AbstractEventLoop
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self._open = self.database.begin()
        self.tx = self.run(self._open.__aenter__())
        self.heard: list[OrderEvent] = []
        self.asked: set[UUID] = set()
        self.held: set[UUID] = set()
        for priority, location in enumerate(LOCATIONS):
            self.run(stocked(self.tx, location=location, priority=priority))
        for sku in SKUS:
            self.run(put_product(self.tx, a_product(sku)))

    @override
    def teardown(self) -> None:
        self.run(self.tx.rollback())
        self.run(self._open.__aexit__(None, None, None))

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    def try_to(self, command: Callable[..., Awaitable[object]], *given: object) -> None:
        """Do it, or refuse it and leave everything as it was."""

        async def attempt() -> None:
            async with self.tx.begin_nested():
                await command(self.tx, *given, actor="staff")

        with suppress(Refused):
            self.run(attempt())

    @initialize(
        wanted=st.lists(
            st.tuples(wanted, st.sampled_from(Policy), st.none() | st.integers(0, 1)),
            min_size=3,
        ),
        kept=st.lists(goods, min_size=2, max_size=2),
        expires_in=st.sampled_from([1, 600]),
    )
    def want(self, wanted: Any, kept: Any, expires_in: int) -> None:
        self.holds = [a_hold(*lines, expires_in=expires_in) for lines in kept]
        self.orders = [
            an_order(
                *lines,
                policy=policy,
                placed_after_s=number,
                hold_id=None if hold is None else self.holds[hold].id,
            )
            for number, (lines, policy, hold) in enumerate(wanted[:3])
        ]
        # What Orders may still ask to cancel: it never asks for more than there is.
        self.unasked = {
            order.order_id: {line.line: line.requested for line in order.lines}
            for order in self.orders
        }

    @rule(which=which, again=again)
    def place(self, which: int, again: list[int]) -> None:
        self.hear(placed(self.orders[which]), again)

    @rule(which=which, units=some, again=again)
    def regret(self, which: int, units: dict[int, int], again: list[int]) -> None:
        order_id = self.orders[which].order_id
        unasked = self.unasked[order_id]
        asked = {n: min(units[n], unasked[n]) for n in units.keys() & unasked.keys()}
        for line, quantity in asked.items():
            unasked[line] -= quantity
        request = cancelled(order_id, {n: q for n, q in asked.items() if q})
        self.asked.add(request.data.cancellation_id)
        self.hear(request, again)

    def hear(self, event: OrderEvent, again: list[int]) -> None:
        """With some that were heard before, in any order."""
        self.heard.append(event)
        others = [self.heard[number % len(self.heard)] for number in again]
        self.run(follow_orders(self.tx, [*others[:1], event, *others[1:]]))

    @rule(which=which, units=st.none() | some)
    def ship(self, which: int, units: dict[int, int] | None) -> None:
        self.try_to(ship_units, a_parcel(self.orders[which].order_id, units))

    @rule(
        which=which,
        units=st.lists(
            st.tuples(st.integers(1, 2), st.integers(1, 2), st.sampled_from(Condition)),
            min_size=1,
            max_size=3,
        ),
        location=st.sampled_from(LOCATIONS),
    )
    def take_back(self, which: int, units: Any, location: str) -> None:
        order_id = self.orders[which].order_id
        back = a_return(order_id, *units, location=location)
        self.try_to(receive_return, back)

    @rule(
        sku=st.sampled_from(SKUS),
        quantity=st.integers(1, 12),
        location=st.sampled_from(LOCATIONS),
    )
    def receive(self, sku: str, quantity: int, location: str) -> None:
        self.try_to(receive_goods, a_delivery((sku, quantity), location=location))

    @rule(
        sku=st.sampled_from(SKUS),
        delta=st.sampled_from([-3, -1, 1, 4]),
        location=st.sampled_from(LOCATIONS),
    )
    def count(self, sku: str, delta: int, location: str) -> None:
        self.try_to(adjust_stock, an_adjustment(delta, sku, location=location))

    @rule(which=st.integers(0, 1))
    def check_out(self, which: int) -> None:
        if self.holds[which].id not in self.held:
            self.try_to(self._hold, self.holds[which])

    async def _hold(self, tx: Tx, wanted: Hold, *, actor: str) -> None:
        await hold_units(tx, wanted, actor=actor)
        self.held.add(wanted.id)

    @rule(which=st.integers(0, 1))
    def give_up(self, which: int) -> None:
        release = partial(release_hold, customer_id=None)
        self.try_to(release, self.holds[which].id)

    @rule(after_s=st.sampled_from([2, 601]))
    def sweep(self, after_s: int) -> None:
        self.run(expire_holds(self.tx, NOON + timedelta(seconds=after_s), most=1))

    @rule(sku=st.sampled_from(SKUS), unit_cost=st.integers(0, 900))
    def value(self, sku: str, unit_cost: int) -> None:
        self.run(put_product(self.tx, a_product(sku, unit_cost=unit_cost)))

    @invariant()
    def the_books_agree(self) -> None:
        self.run(assert_books_agree(self.tx))

    @invariant()
    def what_was_told_is_so(self) -> None:
        told = self.run(snapshots(self.tx))
        self.assert_it_is_so(told)
        self.assert_each_cancellation_is_answered_once(told)

    def assert_it_is_so(self, told: Told) -> None:
        for versions in told.values():
            assert versions[0].version == 1
            for before, after in pairwise(versions):
                assert_follows(before, after)
        for order in self.run(reservations.get(self.tx, told.keys())):
            now = json.decode(snapshot(order).data_on_the_wire, type=ReservationChanged)
            assert told[order.order_id][-1] == now

    def assert_each_cancellation_is_answered_once(self, told: Told) -> None:
        answers = [
            answer.cancellation_id
            for versions in told.values()
            for answer in versions[-1].cancellations
        ]
        assert len(answers) == len(set(answers))
        assert set(answers) == self.asked


def test_whatever_happens_to_orders_the_books_agree(database_url: str):
    loop = asyncio.new_event_loop()  # what hypothesis calls is not async
    Lives.loop = loop
    Lives.database = Database(database_url, application_name="tests")
    try:
        run_state_machine_as_test(
            Lives,
            settings=settings(
                max_examples=15,
                stateful_step_count=20,
                phases=[Phase.generate],  # a script is short enough to be read
            ),
        )
    finally:
        loop.run_until_complete(Lives.database.close())
        loop.close()
