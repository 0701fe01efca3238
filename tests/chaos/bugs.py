"""Bugs that others have had, each put into a service by a name when it is started.

Who checks is checked by them: each must be noticed, by an invariant that it breaks and
not by any other mishap. What a bug needs to show is said with it: the faults that bring
it out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

from msgspec.structs import replace
from sqlalchemy import text

from chassis.database import columns_from, run

# ruff: noqa: SLF001 - a bug is where nobody should be

Spoil = Callable[[], None]


@dataclass(frozen=True)
class Bug:
    spoil: Spoil
    breaks: Sequence[str]  # the invariants, any of which gives it away
    shown_by: Sequence[str] = ()
    services: Sequence[str] = ()  # that have it; none: all
    processes: int = 1  # of each service; some bugs need company
    buyers: Sequence[str] = ()  # what they do; none: everything


BUGS: dict[str, Bug] = {}


def bug(
    *shown_by: str,
    breaks: Sequence[str],
    of: str = "",
    processes: int = 1,
    buyers: Sequence[str] = (),
) -> Callable[[Spoil], Spoil]:
    def named(spoil: Spoil) -> Spoil:
        name = spoil.__name__.replace("_", " ")
        services = (of,) if of else ()
        BUGS[name] = Bug(spoil, breaks, shown_by, services, processes, buyers)
        return spoil

    return named


def _import(module: str) -> Any:
    """When it is to be spoilt: a service does without the modules of others."""
    return import_module(module)


def introduce(name: str, service: str) -> None:
    one = BUGS[name]
    if not one.services or service in one.services:
        one.spoil()


# --- messages ------------------------------------------------------------------------


@bug("commits cut before they arrive", breaks=["facts_without_gaps"], of="orders")
def published_before_the_commit() -> None:
    outbox = _import("chassis.outbox")
    announce = _import("chassis.database").announce

    as_it_should_be = outbox.publish

    async def publish(tx: Any, announcements: Sequence[Any]) -> None:
        if announcements:
            async with tx.engine.begin() as other:
                await as_it_should_be(other, announcements)
            announce(tx, [one.subject for one in announcements])

    outbox.publish = publish


@bug("deliveries repeated", breaks=["events_are_heard"])
def nothing_noted_in_the_inbox() -> None:
    inbox = _import("chassis.inbox")

    async def claim(_: Any, events: Sequence[Any]) -> list[Any]:
        return list(events)

    inbox.claim = claim


@bug(
    "PostgreSQL killed",
    "backend killed",
    breaks=["events_are_heard", "acknowledged_exists"],
)
def message_deleted_before_the_commit() -> None:
    consumer = _import("chassis.consumer").Consumer

    as_it_should_be = consumer._handle

    async def handle(self: Any, messages: Sequence[Any]) -> None:
        await self._delete(messages)
        await as_it_should_be(self, messages)

    consumer._handle = handle


@bug(
    "PostgreSQL killed",
    "PostgreSQL restarted",
    breaks=["events_are_heard", "acknowledged_exists"],
)
def failure_of_a_handler_swallowed() -> None:
    consumer = _import("chassis.consumer").Consumer

    as_it_should_be = consumer._handle

    async def handle(self: Any, messages: Sequence[Any]) -> None:
        try:
            await as_it_should_be(self, messages)
        except Exception:  # noqa: BLE001 - which is the bug
            await self._delete(messages)

    consumer._handle = handle


@bug("AWS refuses connections", "AWS answers 503", breaks=["events_are_heard"])
def events_marked_before_they_are_published() -> None:
    relay = _import("chassis.relay").Relay

    as_it_should_be = relay._publish

    async def publish(self: Any, rows: Sequence[Any]) -> None:
        self._reached = rows[-1].position
        await as_it_should_be(self, rows)

    relay._publish = publish


@bug("some connections slow", breaks=["events_are_heard"], processes=2)
def last_number_taken_for_a_cursor() -> None:
    """What commits later with a lower number is behind it for ever."""
    relay = _import("chassis.relay")

    before, order, after = str(relay._NUMBER).partition(" ORDER BY added LIMIT")
    assert order
    seen = (
        " AND added > (SELECT coalesce(max(added), 0)"
        " FROM outbox WHERE position IS NOT NULL)"
    )
    relay._NUMBER = text(before + seen + order + after)


@bug("entries fail alone", breaks=["events_are_heard"])
def failed_entries_overlooked() -> None:
    queues = _import("chassis.queues")

    queues._not_confirmed = lambda *_: []


# --- transactions and keys -----------------------------------------------------------


@bug(
    "commits cut before they arrive", breaks=["acknowledged_exists", "events_are_heard"]
)
def failed_commit_taken_for_done() -> None:
    database = _import("chassis.database").Database
    is_away = _import("chassis.database").is_away

    as_it_should_be = database.begin

    @asynccontextmanager
    async def begin(self: Any) -> AsyncIterator[Any]:
        done = False
        try:
            async with as_it_should_be(self) as tx:
                yield tx
                done = True
        except Exception as error:
            if not (done and is_away(error)):
                raise

    database.begin = begin


@bug(
    "commits cut before their answer",
    breaks=["each_key_has_one_effect"],
    buyers=["received", "cancelled", "shipped"],
)
def answers_not_remembered() -> None:
    idempotent = _import("chassis.idempotency").Idempotent

    async def answer(self: Any, body: Any, work: Any) -> Any:
        del body
        done = await self._database.transact(work)
        made = done.body.model_dump_json()
        respond = _import("chassis.idempotency")._response
        return respond(done.status, made, done.location)

    idempotent.answer = answer


@bug(
    "black hole",
    "process killed",
    breaks=["acknowledged_exists", "reads_never_go_back"],
    of="orders",
)
def answered_before_the_commit() -> None:
    intake = _import("orders.commands.intake").Intake
    placed = _import("orders.commands.placing").Placed

    under_way = set()

    async def take(self: Any, order: Any) -> Any:
        writing = asyncio.create_task(self.placing.submit(order))
        under_way.add(writing)
        writing.add_done_callback(lambda done: done.exception())
        return placed(replace(order, serial=1), is_news=True)

    intake.take = take


@bug("black hole", breaks=["acknowledged_exists"], of="orders")
def spilled_orders_lost() -> None:
    intake = _import("orders.commands.intake").Intake
    spilled = _import("orders.commands.intake").Spilled

    async def spill(_: Any, orders: Sequence[Any]) -> Sequence[Any]:
        return [spilled(order.id) for order in orders]

    intake._spill = spill


@bug(
    breaks=["one_key_one_order"],
    of="orders",
    buyers=["same_key_for_another", "twice_at_once"],
)
def key_not_looked_at() -> None:
    orders = _import("orders.domain.orders")

    orders.order_id = lambda *_: uuid4()


@bug(
    breaks=["a_payment_pays_one_order"],
    of="orders",
    buyers=["same_payment_for_another"],
)
def payment_used_for_several_orders() -> None:
    orders = _import("orders.store.orders")

    as_it_should_be = orders._ORDER["payment_provider"]

    def provider(order: Any) -> str | None:
        # So that no two are the same to the unique index.
        known = as_it_should_be(order)
        return known and f"{known}{order.id}"

    orders._ORDER["payment_provider"] = provider


@bug(breaks=["reads_never_go_back"], of="orders", processes=2, buyers=["watching"])
def reads_from_a_stale_copy() -> None:
    orders = _import("orders.store.orders")

    as_it_should_be = orders.get_many
    copies: dict[UUID, tuple[float, Any]] = {}

    async def get_many(tx: Any, ids: Collection[UUID]) -> dict[UUID, Any]:
        now = time.monotonic()
        old = {id_ for id_ in ids if now - copies.get(id_, (0.0, None))[0] > 1}
        for id_, order in (await as_it_should_be(tx, old)).items():
            copies[id_] = now, order
        return {id_: copies[id_][1] for id_ in ids if id_ in copies}

    orders.get_many = get_many


# --- orders and stock ----------------------------------------------------------------


@bug(
    "deliveries delayed and shuffled",
    breaks=[
        "only_poison_is_put_aside",
        "audit: units shipped",
        "audit: units reserved",
    ],
    of="orders",
    buyers=["cancelled", "shipped"],
)
def older_snapshot_overwrites_newer() -> None:
    reservations = _import("orders.handlers.reservations")

    as_it_should_be = reservations.settle

    def settle(order: Any, *rest: Any, **known: Any) -> Any:
        return as_it_should_be(replace(order, reservation_version=-1), *rest, **known)

    reservations.settle = settle


@bug(
    "deliveries delayed and shuffled",
    breaks=["only_poison_is_put_aside", "audit: units reserved"],
    of="inventory",
    buyers=["cancelled"],
)
def cancellation_that_overtakes_forgotten() -> None:
    reservations = _import("inventory.commands.reservations")

    def as_they_came(placed: Sequence[Any], awaited: Any) -> list[Any]:
        return [
            replace(order, version=awaited[order.order_id].version)
            for order in placed
            if order.order_id in awaited
        ]

    reservations._new = as_they_came


@bug(breaks=["orders_and_holds_make_reserved"], of="inventory", buyers=["cancelled"])
def stock_released_twice() -> None:
    reservations = _import("inventory.store.reservations")
    stock = _import("inventory.store.stock")

    as_it_should_be = reservations.save_cancelled

    async def save(tx: Any, cancelled: Any, *rest: Any, actor: str) -> None:
        await as_it_should_be(tx, cancelled, *rest, actor=actor)
        moves = [move for one in cancelled for move in one.movements]
        await stock.move(tx, moves, actor=actor)

    reservations.save_cancelled = save


@bug(breaks=["the_last_unit_is_sold"], of="inventory", buyers=["hot", "once"])
def sold_without_looking() -> None:
    """All is promised, and what is there is taken for it."""
    pool = _import("inventory.domain.allocation")._Pool

    def grant(_: Any, __: Any, wanted: Sequence[int]) -> list[int]:
        return list(wanted)

    def locations(self: Any, _: Any) -> Sequence[str]:
        return list(self._rank)

    pool.grant = grant
    pool._locations = locations


@bug(breaks=["the_last_unit_is_sold"], of="inventory", buyers=["hot"])
def last_unit_never_sold() -> None:
    pool = _import("inventory.domain.allocation")._Pool

    as_it_should_be = pool.grant

    def grant(self: Any, lines: Any, wanted: Sequence[int]) -> list[int]:
        left = {line.sku: self._free.get(line.sku, 0) - 1 for line in lines}
        granted = as_it_should_be(self, lines, wanted)
        return [
            max(0, min(units, left[line.sku]))
            for units, line in zip(granted, lines, strict=True)
        ]

    pool.grant = grant


@bug(breaks=["orders_and_holds_make_reserved"], of="inventory")
def confirmed_and_nothing_kept() -> None:
    """Say yes, and leave the shelf as it is."""
    reservations = _import("inventory.store.reservations")

    as_it_should_be = reservations.add

    async def add(tx: Any, served: Any, **said: Any) -> None:
        nothing_kept = [replace(order, allocations=()) for order in served]
        await as_it_should_be(tx, nothing_kept, **said)
        kept = [units for order in served for units in order.allocations]
        columns = columns_from(kept, reservations._ALLOCATION, prefix="kept_")
        await run(tx, reservations._allocate, columns)

    reservations.add = add


@bug(breaks=["movements_make_on_hand"], of="inventory")
def moved_without_a_trace() -> None:
    """A unit appears on the shelf, and no movement tells where it is from."""
    reservations = _import("inventory.store.reservations")

    as_it_should_be = reservations.add

    async def add(tx: Any, served: Any, **said: Any) -> None:
        await as_it_should_be(tx, served, **said)
        for one in [units for order in served for units in order.allocations][:1]:
            await tx.execute(
                text(
                    "UPDATE stock SET on_hand = on_hand + 1"
                    " WHERE sku = :sku AND location = :location"
                ),
                {"sku": one.sku, "location": one.location},
            )

    reservations.add = add


# --- money ---------------------------------------------------------------------------


@bug(breaks=["each_is_invoiced_once"], of="accounting")
def invoiced_twice() -> None:
    documents = _import("accounting.store.documents")

    as_it_should_be = documents.columns_of

    def columns_of(batch: Sequence[Any]) -> Any:
        return as_it_should_be([*batch, *batch])

    documents.columns_of = columns_of


@bug(breaks=["audit: amounts invoiced, posted"], of="accounting")
def posted_at_twice_the_amount() -> None:
    """Both sides of it, so that the database's own check is content."""
    journal = _import("accounting.store.journal")

    as_it_should_be = journal.columns_of

    def columns_of(batch: Sequence[Any]) -> Any:
        return as_it_should_be([_doubled(entry) for entry in batch])

    journal.columns_of = columns_of


def _doubled(entry: Any) -> Any:
    postings = (
        replace(posting, debit=2 * posting.debit, credit=2 * posting.credit)
        for posting in entry.postings
    )
    return replace(entry, postings=tuple(postings))


@bug(breaks=["each_is_invoiced_once"], of="accounting", buyers=["cancelled", "shipped"])
def money_in_floats() -> None:
    """Each unit's share is rounded for itself, and they do not make the whole."""
    lines = _import("accounting.domain.lines")

    def share(whole: int, *, quantity: int, first: int, units: int) -> int:
        del first
        return round(whole / quantity) * units

    def whole(line: Any) -> Any:
        discount = line._share(line.discount, (0, line.quantity))
        return replace(
            as_it_should_be.fget(line),
            discount=discount,
            net=line.quantity * line.unit_price - discount,
            tax=line._share(line.tax, (0, line.quantity)),
        )

    as_it_should_be = lines.Line.whole
    lines.Line.whole = property(whole)
    lines.share = share


@bug(
    "deliveries delayed and shuffled",
    breaks=["only_poison_is_put_aside", "each_is_invoiced_once"],
    of="accounting",
    buyers=["cancelled", "shipped"],
)
def applied_in_the_order_of_arrival() -> None:
    """Facts are taken as they come; those that come early are not waited for."""
    orders = _import("accounting.handlers.orders")

    def in_turn(_: int, facts: Any) -> tuple[list[Any], list[Any]]:
        return sorted(facts, key=lambda fact: fact.sequence), []

    orders.in_turn = in_turn
