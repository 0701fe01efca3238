"""What a snapshot makes of an order, and the facts that follow from it.

One that jumps over several steps tells the facts of all of them, in the same order.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from msgspec import Struct, field

from orders.domain.cancellations import Cancellation
from orders.domain.facts import (
    Confirmed,
    DecidedLine,
    Fact,
    Rejected,
    Returned,
    Shipped,
)
from orders.domain.lines import Line
from orders.domain.orders import FOLLOWS, Attention, Standing, Status, status_of
from orders.domain.returns import Return
from orders.domain.snapshots import Answer, Contradiction, Receipt, Snapshot

T = TypeVar("T")
S = TypeVar("S", bound=Standing)


class Settled(Struct, Generic[S], frozen=True, kw_only=True):
    """The order as Inventory has it, what else has changed, and the facts to tell."""

    order: S
    facts: Mapping[int, Fact] = field(default_factory=dict)
    cancellations: tuple[Cancellation, ...] = ()
    returns: tuple[Return, ...] = ()


def settle(
    order: S,
    snapshot: Snapshot,
    at: datetime,
    *,
    cancellations: Iterable[Cancellation] = (),
    returns: Iterable[Return] = (),
) -> Settled[S]:
    """Take over a snapshot; those of the order's that it has news of must be given."""
    if snapshot.version <= order.reservation_version:
        return Settled(order=order)
    snapshot.check()
    if not _is_settled_by(order, snapshot):
        return Settled(order=order.changed(at, reservation_version=snapshot.version))
    return _Settling(order, snapshot, at, cancellations, returns).done()


class _Settling(Generic[S]):
    """One snapshot being taken over: its steps, in the order of their facts."""

    def __init__(
        self,
        order: S,
        snapshot: Snapshot,
        at: datetime,
        cancellations: Iterable[Cancellation],
        returns: Iterable[Return],
    ) -> None:
        self._order = order
        self._snapshot = snapshot
        self._at = at
        self._cancellations = {c.id: c for c in cancellations}
        self._returns = {r.id: r for r in returns}
        self._changed_cancellations: dict[UUID, Cancellation] = {}
        self._changed_returns: dict[UUID, Return] = {}

    def done(self) -> Settled[S]:
        order, snapshot = self._order, self._snapshot
        lines = self._lines()
        told = list(self._facts())
        rejected = order.status is Status.REJECTED or Rejected in map(type, told)
        settled = order.changed(
            self._at,
            lines=lines,
            status=_next_status(order, lines, rejected=rejected),
            overdue=self._overdue(),
            reservation_version=snapshot.version,
            sequence=order.sequence + len(told),
            decided_at=order.decided_at or self._at,
            rescue_at=None,
            answers_announced=len(snapshot.answers),
            shipments_announced=len(snapshot.shipments),
            receipts_announced=len(snapshot.receipts),
        )
        return Settled(
            order=settled,
            facts=dict(enumerate(told, start=order.sequence + 1)),
            cancellations=tuple(self._changed_cancellations.values()),
            returns=tuple(self._changed_returns.values()),
        )

    def _facts(self) -> Iterator[Fact]:
        order, snapshot = self._order, self._snapshot
        if order.decided_at is None:
            yield _decision(order, snapshot, self._at)
        for answer in news(snapshot.answers, order.answers_announced):
            yield self._answered(answer)
        for shipment in news(snapshot.shipments, order.shipments_announced):
            yield Shipped(
                order_id=order.id,
                shipment_id=shipment.shipment_id,
                carrier=shipment.carrier,
                tracking=shipment.tracking,
                lines=shipment.lines,
                shipped_at=shipment.shipped_at,
            )
        for receipt in news(snapshot.receipts, order.receipts_announced):
            yield self._received(receipt)

    def _answered(self, answer: Answer) -> Fact:
        asked = self._cancellations.get(answer.cancellation_id)
        if asked is None:
            raise Contradiction(f"nobody asked for {answer.cancellation_id}")
        decided, fact = asked.answered(
            answer, self._at, complete=not self._snapshot.left_by_shipping(answer)
        )
        self._cancellations[asked.id] = decided
        self._changed_cancellations[asked.id] = decided
        return fact

    def _received(self, receipt: Receipt) -> Fact:
        expected = self._returns.get(
            receipt.return_id,
            Return(id=receipt.return_id, order_id=self._order.id, lines=()),
        )
        received = expected.received(receipt)
        self._returns[received.id] = received
        self._changed_returns[received.id] = received
        return Returned(
            order_id=self._order.id,
            return_id=receipt.return_id,
            receipt_id=receipt.receipt_id,
            lines=receipt.lines,
            received_at=receipt.received_at,
        )

    def _lines(self) -> tuple[Line, ...]:
        order, snapshot = self._order, self._snapshot
        lines = tuple([line.settle(snapshot.lines[line.line]) for line in order.lines])
        if order.decided_at is not None:
            _check_cancelled(order, lines, snapshot)
        return lines

    def _overdue(self) -> Attention | None:
        """What is settled needs none any more."""
        if self._order.overdue is not Attention.CANCELLATION_OPEN:
            return None
        answers = len(self._snapshot.answers) > self._order.answers_announced
        still_open = any(c.is_open for c in self._cancellations.values())
        return Attention.CANCELLATION_OPEN if not answers or still_open else None


def news(told: tuple[T, ...], announced: int) -> tuple[T, ...]:
    """What a list has at its end that was not announced yet."""
    if len(told) < announced:
        raise Contradiction(f"{announced} were told before, and {len(told)} now")
    return told[announced:]


def _is_settled_by(order: Standing, snapshot: Snapshot) -> bool:
    asked = {line.line: line.quantity for line in order.lines}
    requested = {line: now.requested for line, now in snapshot.lines.items()}
    if requested == asked:
        return True
    # A cancellation that overtook its order is answered by what Inventory knows.
    if order.decided_at is None and all(
        units <= asked.get(line, 0) for line, units in requested.items()
    ):
        return False
    raise Contradiction(f"{asked} units were ordered, and {requested} requested")


def _decision(order: Standing, snapshot: Snapshot, at: datetime) -> Fact:
    lines = [
        DecidedLine(
            line=line,
            confirmed=(confirmed := units.confirmed),
            short=units.requested - confirmed,
        )
        for line, units in sorted(snapshot.lines.items())
    ]
    if any(line.confirmed for line in lines):
        return Confirmed(order_id=order.id, lines=tuple(lines), decided_at=at)
    return Rejected(order_id=order.id, decided_at=at)


def _check_cancelled(
    order: Standing, lines: tuple[Line, ...], snapshot: Snapshot
) -> None:
    """Once decided, units are cancelled by nothing but cancellations."""
    released: Counter[int] = Counter()
    for answer in news(snapshot.answers, order.answers_announced):
        for line in answer.lines:
            released[line.line] += line.released
    for before, now in zip(order.lines, lines, strict=True):
        if now.cancelled - before.cancelled != released[now.line]:
            raise Contradiction(f"line {now.line} lost units that nobody cancelled")


def _next_status(order: Standing, lines: tuple[Line, ...], *, rejected: bool) -> Status:
    status = status_of(lines, rejected=rejected)
    if status is not order.status and status not in FOLLOWS[order.status]:
        raise Contradiction(f"what is {order.status} does not become {status}")
    return status
