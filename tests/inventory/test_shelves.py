"""Stock under everything that moves it, in any order, against real PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from chassis.database import Database
from contracts.orders import Policy
from inventory.commands.holds import expire_holds, hold_units, release_hold
from inventory.commands.products import put_product
from inventory.commands.reservations import reserve_orders
from inventory.commands.stock import adjust_stock, receive_goods
from inventory.domain.holds import Hold, HoldConsumed, HoldNotFound, NotAvailable
from inventory.domain.stock import BelowReserved
from inventory.store import reservations, stock
from tests.inventory.factories import (
    NOON,
    a_delivery,
    a_hold,
    a_product,
    an_adjustment,
    an_order,
    stocked,
)
from tests.inventory.figures import assert_books_agree

SKUS = ("SOAP", "RUM")
LOCATIONS = ("CORK", "DUBLIN", "GALWAY")

skus = st.sampled_from(SKUS)
locations = st.sampled_from(LOCATIONS)
few = st.integers(1, 5)
wanted = st.lists(st.tuples(skus, few), min_size=1, max_size=3)
minutes = st.integers(0, 20)


class Shelves(RuleBasedStateMachine):
    """What anybody may ask of stock; each run is a transaction that leaves no trace."""

    holds = Bundle("holds")
    database: Database
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    @initialize()
    def open(self) -> None:
        self.stack = AsyncExitStack()
        self.do(self._open())

    async def _open(self) -> None:
        self.tx = await self.stack.enter_async_context(undone(self.database))
        for priority, location in enumerate(LOCATIONS):
            await stocked(self.tx, location=location, priority=priority)
        for sku in SKUS:
            await put_product(self.tx, a_product(sku, reorder_point=3))

    @override
    def teardown(self) -> None:
        self.do(self.stack.aclose())

    async def free(self) -> Counter[str]:
        return Counter(await stock.get_available(self.tx, SKUS))

    @rule(sku=skus, location=locations, units=few)
    def receive(self, sku: str, location: str, units: int) -> None:
        delivery = a_delivery((sku, units), location=location)
        self.do(receive_goods(self.tx, delivery, actor="staff"))

    @rule(sku=skus, location=locations, delta=st.sampled_from([-4, -2, -1, 1, 3]))
    def adjust(self, sku: str, location: str, delta: int) -> None:
        self.do(self._adjust(sku, location, delta))

    async def _adjust(self, sku: str, location: str, delta: int) -> None:
        before = await stock.get_at(self.tx, sku, location)
        adjustment = an_adjustment(delta, sku, location=location)
        try:
            after = await adjust_stock(self.tx, adjustment, actor="staff")
        except BelowReserved:
            assert before.available + delta < 0
        else:
            assert after.on_hand == before.on_hand + delta >= before.reserved

    @rule(target=holds, lines=wanted, after=minutes)
    def hold(self, lines: list[tuple[str, int]], after: int) -> UUID | None:
        held: UUID = self.do(self._hold(a_hold(*lines, expires_in=60 * after)))
        return held

    async def _hold(self, asked: Hold) -> UUID:
        free = await self.free()
        enough = all(free[sku] >= units for sku, units in asked.quantities.items())
        try:
            await hold_units(self.tx, asked, actor="checkout")
        except NotAvailable:
            assert not enough
        else:
            assert enough
        return asked.id

    @rule(hold=consumes(holds))
    def release(self, hold: UUID) -> None:
        self.do(self._release(hold))

    async def _release(self, hold: UUID) -> None:
        with suppress(HoldConsumed, HoldNotFound):
            await release_hold(self.tx, hold, customer_id=None, actor="checkout")

    @rule(after=minutes)
    def expire(self, after: int) -> None:
        self.do(expire_holds(self.tx, NOON + timedelta(minutes=after), most=2))

    @rule(
        lines=wanted,
        policy=st.sampled_from(Policy),
        hold=st.none() | holds,
        after=minutes,
    )
    def place(
        self,
        lines: list[tuple[str, int]],
        policy: Policy,
        hold: UUID | None,
        after: int,
    ) -> None:
        order = an_order(*lines, policy=policy, placed_after_s=60 * after, hold_id=hold)
        self.do(self._place(order))

    async def _place(self, order: Any) -> None:
        there = await self.free() + await self._held_for(order)
        await reserve_orders(self.tx, [order])
        (decided,) = await reservations.get(self.tx, [order.order_id])
        asked, got = Counter[str](), Counter[str]()
        for line in decided.lines:
            asked[line.sku] += line.requested
            got[line.sku] += line.reserved
        could_have = Counter({sku: min(asked[sku], there[sku]) for sku in asked})
        nothing = order.policy is Policy.ALL_OR_NOTHING and could_have != asked
        assert got == (Counter() if nothing else could_have)

    async def _held_for(self, order: Any) -> Counter[str]:
        found = await self.tx.exec_driver_sql(
            "SELECT sku, reserved FROM hold_allocations JOIN holds ON hold_id = id"
            " WHERE id = $1 AND expires_at >= $2",
            (order.hold_id, order.placed_at),
        )
        held = Counter[str]()
        for sku, units in found:
            held[sku] += units
        return held

    @rule(sku=skus, point=st.none() | st.integers(0, 8))
    def set_reorder_point(self, sku: str, point: int | None) -> None:
        self.do(put_product(self.tx, a_product(sku, reorder_point=point)))

    @invariant()
    def books_agree(self) -> None:
        if hasattr(self, "tx"):
            self.do(assert_books_agree(self.tx))


@asynccontextmanager
async def undone(database: Database) -> AsyncIterator[Any]:
    async with database.begin() as tx:
        yield tx
        await tx.rollback()


async def test_whatever_happens_stock_is_neither_oversold_nor_falsely_sold_out(
    database,
):
    class OnThisDatabase(Shelves):
        loop = asyncio.get_running_loop()

    OnThisDatabase.database = database
    few_long_runs = settings(max_examples=25, stateful_step_count=20, deadline=None)

    await asyncio.to_thread(
        run_state_machine_as_test, OnThisDatabase, settings=few_long_runs
    )
