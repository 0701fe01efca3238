"""The facts of orders, posted in the sequence in which they happened."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from uuid import UUID

from msgspec import Struct, field

from accounting.commands.announcing import document_issued, refund_requested
from accounting.commands.gaps import tell
from accounting.domain.bookkeeping import Books
from accounting.domain.documents import Document, Series
from accounting.domain.lines import Inconsistent
from accounting.domain.money import spread
from accounting.domain.orders import Order, in_turn
from accounting.handlers.facts import read_fact
from accounting.settings import Seller
from accounting.store import books, orders, parking, receivables
from accounting.store.parking import Refusal, order_id_of
from chassis import aside, outbox
from chassis.database import Tx, announce
from chassis.events import Envelope, Event, Router
from contracts.orders import EVENTS, PaymentMethod
from contracts.topology import ACCOUNTING_FROM_ORDERS

router = Router()

# Told to who listens to commits: the timers that see to them.
UNNUMBERED = "unnumbered documents"
REFUSED = "refused facts"


class _Turns(Struct):
    """What comes of the facts at hand: how far orders get, and what is left over."""

    orders: dict[UUID, Order]
    arrived: Collection[UUID]
    books: Books = field(default_factory=Books)
    reached: dict[UUID, int] = field(default_factory=dict)
    early: list[Envelope[Event]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def take(self, order_id: UUID, due: Sequence[Envelope[Event]]) -> None:
        """Enter an order's facts up to the first that cannot be entered.

        If that one has just arrived, its own message carries it to the dead letters,
        without its neighbours. If it was parked, its message is long gone, and those
        that released it are not to blame: it is refused, and what follows it waits.
        """
        for place, event in enumerate(due):
            try:
                self._enter(order_id, event)
            except Inconsistent as wrong:
                if event.id in self.arrived:
                    raise
                self.refusals.append(Refusal(event, str(wrong)))
                self.early += due[place + 1 :]
                return

    def _enter(self, order_id: UUID, event: Envelope[Event]) -> None:
        fact = read_fact(event)
        if fact:
            self.orders[order_id] = self.books.enter(self.orders.get(order_id), fact)
        self.reached[order_id] = event.sequence or 0


# All of Orders' facts in one function, also those no rule is about: they are applied in
# their sequence, and each takes its place in it.
@router.on(*EVENTS)
async def post_orders(
    tx: Tx, events: list[Envelope[Event]], seller: Seller | None = None
) -> None:
    of_order: defaultdict[UUID, list[Envelope[Event]]] = defaultdict(list)
    for event in events:
        of_order[order_id_of(event)].append(event)
    applied = await orders.hold(tx, of_order)
    waiting = await parking.find(tx, applied)
    due, early = _in_turn(applied, waiting, of_order)

    before = await orders.get(tx, [id_ for id_ in due if applied[id_]])
    arrived = {event.id for event in events}
    turns = _Turns(orders=dict(before), arrived=arrived, early=early)
    for order_id, facts in due.items():
        turns.take(order_id, facts)

    await _note_turns(tx, turns, waiting)
    await _keep(tx, turns, before, seller)


def posting(seller: Seller) -> Router:
    """Has documents get their numbers as they are stored, where that needs no waiting.

    They are `seller`'s, who is not known where events alone are.
    """
    router = Router()
    router.on(*EVENTS)(partial(post_orders, seller=seller))
    return router


def _in_turn(
    applied: Mapping[UUID, int],
    waiting: Mapping[UUID, Collection[Envelope[Event]]],
    arrived: Mapping[UUID, Collection[Envelope[Event]]],
) -> tuple[dict[UUID, list[Envelope[Event]]], list[Envelope[Event]]]:
    """Per order the facts whose turn it is, and the early ones of all."""
    due: dict[UUID, list[Envelope[Event]]] = {}
    all_early: list[Envelope[Event]] = []
    for order_id, facts in arrived.items():
        known = [*waiting.get(order_id, ()), *facts]
        now, early = in_turn(applied[order_id], known)
        if now:
            due[order_id] = now
        all_early += early
    return due, all_early


async def _note_turns(
    tx: Tx,
    turns: _Turns,
    waiting: Mapping[UUID, Collection[Envelope[Event]]],
) -> None:
    reached = {id_: turns.reached[id_] for id_ in waiting if id_ in turns.reached}
    if reached:
        await parking.forget(tx, reached)
        entered = [fact for id_ in reached for fact in waiting[id_]]
        await _take_back(tx, [e for e in entered if _is_reached(e, reached)])
    await parking.park(tx, [one for one in turns.early if one.id in turns.arrived])
    await parking.refuse(tx, turns.refusals)
    if turns.refusals:
        announce(tx, [REFUSED])


def _is_reached(fact: Envelope[Event], reached: Mapping[UUID, int]) -> bool:
    return (fact.sequence or 0) <= reached[order_id_of(fact)]


async def _take_back(tx: Tx, entered: Iterable[Envelope[Event]]) -> None:
    """One that had been refused may lie among the dead letters: nobody waits for it."""
    done = {fact.id: (fact.data.type, fact.subject) for fact in entered}
    await aside.take_back(tx, ACCOUNTING_FROM_ORDERS.name, done, tell)


async def _keep(
    tx: Tx, turns: _Turns, before: Mapping[UUID, Order], seller: Seller | None
) -> None:
    """Write down what the facts brought forth, and announce it."""
    new, after = turns.books, turns.orders
    requested, numbered = await books.write(
        tx,
        new,
        reached=turns.reached,
        before=before,
        after=after,
        seller=seller.model_dump_json() if seller else None,
    )
    await _credit(tx, new.documents, after)
    asked = [refund_requested(one, after[one.refund.order_id]) for one in requested]
    await outbox.publish(tx, [*asked, *map(document_issued, numbered)])
    if len(numbered) < len(new.documents):
        announce(tx, [UNNUMBERED])


async def _credit(
    tx: Tx, issued: Iterable[Document], after: Mapping[UUID, Order]
) -> None:
    """Have credit notes lessen what is open of their orders' invoices, also of those
    that come later.
    """
    on_terms = {
        one.order_id
        for one in issued
        if after[one.order_id].payment.method is PaymentMethod.TERMS
        and after[one.order_id].tally.credited
    }
    if not on_terms:
        return
    amounts: dict[UUID, int] = {}
    for found in (await receivables.find_open(tx, on_terms)).values():
        invoices = [one for one in found if one.series is Series.INVOICE]
        notes = [one for one in found if one.series is Series.CREDIT_NOTE]
        for these, those in ((invoices, notes), (notes, invoices)):
            most = sum(one.open for one in those)
            shares = spread(most, [one.open for one in these])
            amounts |= {one.id: n for one, n in zip(these, shares, strict=True) if n}
    await receivables.credit(tx, amounts)
