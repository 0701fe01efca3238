"""Whatever happens to an order, and however it is heard of, its story is sound."""

from collections import Counter
from typing import Any
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from msgspec.structs import replace
from typing_extensions import override

from chassis.errors import Conflict
from orders.domain.cancellations import (
    Cancellation,
    CancellationStatus,
    request_cancellation,
)
from orders.domain.facts import (
    CancellationRefused,
    Cancelled,
    Confirmed,
    Fact,
    Rejected,
    Returned,
    Shipped,
)
from orders.domain.orders import FOLLOWS, Order
from orders.domain.returns import Return, authorise_return
from orders.domain.settling import settle
from orders.domain.snapshots import Snapshot
from tests.orders.factories import LATER, a_line, an_order, some
from tests.orders.warehouse import Warehouse

QUANTITIES = {1: 3, 2: 2}

units = st.fixed_dictionaries(
    {}, optional={line: st.integers(1, most) for line, most in QUANTITIES.items()}
)


class Ledger:
    """One who hears snapshots, in some order: an order, and what was told of it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.cancellations: dict[UUID, Cancellation] = {}
        self.returns: dict[UUID, Return] = {}
        self.facts: dict[int, Fact] = {}

    def hear(self, snapshot: Snapshot) -> None:
        before = self.order
        heard = settle(
            before,
            snapshot,
            LATER,
            cancellations=self.cancellations.values(),
            returns=self.returns.values(),
        )
        self.order = heard.order
        self.cancellations |= {c.id: c for c in heard.cancellations}
        self.returns |= {r.id: r for r in heard.returns}
        self.tell(heard.facts)
        assert before.status in {self.order.status, *_before(self.order)}

    def tell(self, news: Any) -> None:
        assert not self.facts.keys() & news.keys()
        self.facts |= news

    def told(self, *kinds: type[Fact]) -> list[Any]:
        return [fact for _, fact in sorted(self.facts.items()) if type(fact) in kinds]


def _before(order: Order) -> set[Any]:
    return {status for status, then in FOLLOWS.items() if order.status in then}


class Histories(RuleBasedStateMachine):
    """Orders asks, Inventory acts, and its snapshots arrive late, twice or never."""

    @initialize()
    def begin(self) -> None:
        lines = [a_line(line, quantity=n) for line, n in QUANTITIES.items()]
        order = an_order(*lines)
        self.ledger = Ledger(order)
        self.warehouse = Warehouse(order)
        self.asked: list[Cancellation] = []
        self.allowed: list[Return] = []

    @rule(wanted=units, everything=st.booleans())
    def ask_for_a_cancellation(self, wanted: dict[int, int], everything: bool) -> None:  # noqa: FBT001
        ledger = self.ledger
        if not (wanted or everything):
            return
        try:
            order, cancellation, fact = request_cancellation(
                ledger.order,
                None if everything else some(wanted),
                list(ledger.cancellations.values()),
                id=uuid4(),
                reason=None,
                at=LATER,
            )
        except Conflict:
            return
        ledger.order = order
        ledger.cancellations[cancellation.id] = cancellation
        ledger.tell(dict([fact]))
        self.asked.append(cancellation)

    @rule(wanted=units)
    def ask_for_a_return(self, wanted: dict[int, int]) -> None:
        ledger = self.ledger
        try:
            order, authorised, fact = authorise_return(
                ledger.order,
                some(wanted),
                list(ledger.returns.values()),
                id=uuid4(),
                reason=None,
                at=LATER,
            )
        except Conflict:
            return
        if wanted:
            ledger.order = order
            ledger.returns[authorised.id] = authorised
            ledger.tell(dict([fact]))
            self.allowed.append(authorised)

    @precondition(lambda self: not self.warehouse.knows_it)
    @rule(data=st.data())
    def inventory_hears_of_the_order(self, data: st.DataObject) -> None:
        reserved: Counter[int] = Counter()
        backordered: Counter[int] = Counter()
        for line, wanted in self.warehouse.wanted().items():
            reserved[line] = data.draw(st.integers(0, wanted))
            backordered[line] = data.draw(st.integers(0, wanted - reserved[line]))
        self.warehouse.hear_of_it(reserved, backordered)

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def inventory_hears_of_a_cancellation(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.asked) - 1))
        self.warehouse.cancel(self.asked.pop(index))

    @precondition(lambda self: +self.warehouse.backordered)
    @rule(data=st.data())
    def goods_come_in(self, data: st.DataObject) -> None:
        waiting = +self.warehouse.backordered
        line = data.draw(st.sampled_from(sorted(waiting)))
        self.warehouse.fill(line, data.draw(st.integers(1, waiting[line])))

    @precondition(lambda self: +self.warehouse.reserved)
    @rule(data=st.data())
    def goods_leave(self, data: st.DataObject) -> None:
        self.warehouse.ship(_some_of(data, +self.warehouse.reserved))

    @precondition(lambda self: self.warehouse.shipped - self.warehouse.returned)
    @rule(data=st.data())
    def goods_come_back(self, data: st.DataObject) -> None:
        out = self.warehouse.shipped - self.warehouse.returned
        known = [one.id for one in self.allowed]
        return_id = data.draw(st.sampled_from([*known, None])) or uuid4()
        self.warehouse.take_back(return_id, _some_of(data, out))

    @precondition(lambda self: self.warehouse.said)
    @rule(data=st.data())
    def a_snapshot_arrives(self, data: st.DataObject) -> None:
        self.ledger.hear(data.draw(st.sampled_from(self.warehouse.said)))

    @invariant()
    def units_add_up(self) -> None:
        for line in self.ledger.order.lines:
            assert line.open + line.shipped + line.cancelled == line.quantity
            assert 0 <= line.returned <= line.shipped
            assert min(line.pending, line.reserved, line.backordered) >= 0
            assert line.cancelled >= 0

    @invariant()
    def facts_are_numbered_without_gaps(self) -> None:
        ledger = self.ledger
        assert sorted(ledger.facts) == list(range(2, ledger.order.sequence + 1))

    @invariant()
    def each_fact_is_told_once(self) -> None:
        ledger = self.ledger
        decided = ledger.told(Confirmed, Rejected)
        answered = ledger.told(Cancelled, CancellationRefused)
        shipped, returned = ledger.told(Shipped), ledger.told(Returned)
        assert len(decided) == (ledger.order.decided_at is not None)
        assert len({fact.cancellation_id for fact in answered}) == len(answered)
        assert len({fact.shipment_id for fact in shipped}) == len(shipped)
        assert len({fact.receipt_id for fact in returned}) == len(returned)

    @invariant()
    def facts_and_figures_agree(self) -> None:
        ledger = self.ledger
        for kind, figure in ((Shipped, "shipped"), (Returned, "returned")):
            told: Counter[int] = Counter()
            for fact in ledger.told(kind):
                for line in fact.lines:
                    told[line.line] += line.quantity
            figures = {n.line: getattr(n, figure) for n in ledger.order.lines}
            assert +told == +Counter(figures)

    @invariant()
    def what_was_cancelled_completely_was_not_shipped(self) -> None:
        ledger = self.ledger
        kept = Counter({line.line: line.shipped for line in ledger.order.lines})
        for cancellation in ledger.cancellations.values():
            for line in cancellation.lines:
                assert 0 <= line.cancelled <= line.quantity
                if cancellation.status is CancellationStatus.COMPLETED:
                    kept[line.line] += line.quantity
        assert all(kept[line] <= quantity for line, quantity in QUANTITIES.items())

    @override
    def teardown(self) -> None:
        """At the end of the day, who heard everything and who heard the end agree."""
        if not self.warehouse.said:
            return
        asked = self.ledger.cancellations
        one_by_one, at_once = (self._from_the_start() for _ in range(2))
        for snapshot in self.warehouse.said:
            one_by_one.hear(snapshot)
        at_once.hear(self.warehouse.said[-1])
        self.ledger.hear(self.warehouse.said[-1])

        for other in (at_once, self.ledger):
            assert other.order.lines == one_by_one.order.lines
            assert other.order.status == one_by_one.order.status
            assert other.cancellations == one_by_one.cancellations
            assert other.returns == one_by_one.returns
        assert at_once.order.sequence == one_by_one.order.sequence
        assert set(at_once.facts.values()) == set(one_by_one.facts.values())
        assert asked.keys() == self.ledger.cancellations.keys()

    def _from_the_start(self) -> Ledger:
        ledger = Ledger(self.warehouse.order)
        ledger.cancellations = {
            c.id: replace(
                c,
                status=CancellationStatus.REQUESTED,
                decided_at=None,
                lines=tuple(replace(line, cancelled=0) for line in c.lines),
            )
            for c in self.ledger.cancellations.values()
        }
        ledger.returns = {one.id: one for one in self.allowed}
        return ledger


def _some_of(data: st.DataObject, there: Counter[int]) -> dict[int, int]:
    line = data.draw(st.sampled_from(sorted(there)))
    moved = {line: data.draw(st.integers(1, there[line]))}
    for other in there.keys() - {line}:
        if also := data.draw(st.integers(0, there[other])):
            moved[other] = also
    return moved


Histories.TestCase.settings = settings(
    max_examples=200, stateful_step_count=25, deadline=None
)
TestHistories = Histories.TestCase
