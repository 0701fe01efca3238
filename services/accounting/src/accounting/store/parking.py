"""Facts that wait for their turn, those that were refused in it, and gaps."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct, convert
from sqlalchemy import (
    BigInteger,
    Interval,
    RowMapping,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from accounting.schema import gaps, parked_facts
from chassis.database import (
    Row,
    Tx,
    columns_of,
    insert_many,
    rows_from_arrays,
    run,
)
from chassis.events import Envelope, Event, to_wire
from chassis.ids import as_ours
from contracts.orders import EVENTS

SOURCE = "orderly/orders"

_TYPES = {event.type: event for event in EVENTS}
_PARKED = ("order_id", "sequence", "event_id", "type", "time", "traceparent", "data")
_PARK = insert_many(parked_facts, *_PARKED).on_conflict_do_nothing()
_FIND = select(*(parked_facts.c[name] for name in _PARKED)).where(
    parked_facts.c.order_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)
_reached = rows_from_arrays(("id", Uuid()), ("reached", BigInteger()))
_FORGET = delete(parked_facts).where(
    parked_facts.c.order_id == _reached.c.id,
    parked_facts.c.sequence <= _reached.c.reached,
)
_refused = rows_from_arrays(
    ("id", Uuid()), ("number", BigInteger()), ("reason", Text())
)
_REFUSE = (
    update(parked_facts)
    .where(
        parked_facts.c.order_id == _refused.c.id,
        parked_facts.c.sequence == _refused.c.number,
    )
    .values(refused=_refused.c.reason)
)


def order_id_of(fact: Envelope[Any]) -> UUID:
    """The subject of each of Orders' facts, which its data says, too: read already."""
    return as_ours(fact.data.order_id)


async def park(tx: Tx, facts: Collection[Envelope[Event]]) -> None:
    """Keep facts for later; one that waits already waits on since it came first."""
    if facts:
        await tx.execute(_PARK, columns_of(list(map(_row, facts)), _PARKED))


def _row(fact: Envelope[Event]) -> dict[str, Any]:
    return {
        "order_id": order_id_of(fact),
        "sequence": fact.sequence,
        "event_id": fact.id,
        "type": fact.data.type,
        "time": fact.time,
        "traceparent": fact.traceparent,
        "data": fact.data_as_sent,
    }


async def find(
    tx: Tx, ids: Collection[UUID]
) -> Mapping[UUID, Collection[Envelope[Event]]]:
    """The parked facts of these orders, also those that were refused."""
    found: defaultdict[UUID, list[Envelope[Event]]] = defaultdict(list)
    for row in await run(tx, _FIND, {"ids": list(ids)}):
        found[row["order_id"]].append(_parked(row))
    return found


def _parked(row: Row) -> Envelope[Event]:
    return Envelope(
        id=row["event_id"],
        source=SOURCE,
        subject=str(row["order_id"]),
        time=row["time"],
        sequence=row["sequence"],
        traceparent=row["traceparent"],
        data=convert(row["data"], _TYPES[row["type"]]),
    )


async def forget(tx: Tx, reached: Mapping[UUID, int]) -> None:
    """Let go of the facts up to those that were applied."""
    rows = {"id": list(reached), "reached": list(reached.values())}
    await tx.execute(_FORGET, rows)


class Refusal(Struct, frozen=True):
    """A fact that was early, and cannot be entered now that its turn has come."""

    fact: Envelope[Event]
    reason: str


async def refuse(tx: Tx, refusals: Collection[Refusal]) -> None:
    if refusals:
        rows = {
            "id": [order_id_of(one.fact) for one in refusals],
            "number": [one.fact.sequence for one in refusals],
            "reason": [one.reason for one in refusals],
        }
        await tx.execute(_REFUSE, rows)


class Refused(Struct, frozen=True, kw_only=True):
    """A refused fact as a dead letter shows it."""

    order_id: UUID
    sequence: int
    event_id: UUID
    type: str
    time: datetime
    reason: str
    alone: str

    @property
    def named(self) -> Mapping[str, str]:
        """Which event it is, as it says itself."""
        return {
            "id": str(self.event_id),
            "type": self.type,
            "subject": str(self.order_id),
        }


_NOT_PUT_ASIDE = (
    select(parked_facts, parked_facts.c.data.cast(Text).label("content"))
    .where(parked_facts.c.refused.is_not(None), parked_facts.c.put_aside_at.is_(None))
    .order_by(parked_facts.c.order_id)
    .limit(bindparam("most"))
)


async def find_refused(tx: Tx, most: int) -> list[Refused]:
    """Refused facts that are not among the dead letters yet."""
    rows = (await tx.execute(_NOT_PUT_ASIDE, {"most": most})).mappings()
    return [_refused_fact(row) for row in rows]


def _refused_fact(row: RowMapping) -> Refused:
    event = to_wire(
        id=row["event_id"],
        source=SOURCE,
        type=row["type"],
        subject=str(row["order_id"]),
        time=row["time"],
        sequence=row["sequence"],
        traceparent=row["traceparent"],
        data=row["content"],
    )
    return Refused(
        order_id=row["order_id"],
        sequence=row["sequence"],
        event_id=row["event_id"],
        type=row["type"],
        time=row["time"],
        reason=row["refused"],
        alone=f"[{event}]",
    )


async def note_put_aside(tx: Tx, refused: Refused) -> None:
    await tx.execute(
        update(parked_facts)
        .where(
            parked_facts.c.order_id == refused.order_id,
            parked_facts.c.sequence == refused.sequence,
        )
        .values(put_aside_at=func.now())
    )


class Waiting(Struct, frozen=True, kw_only=True):
    """How many facts are parked, how many of them were refused, how many orders have
    waited for one that is missing for longer than is good, and when more of them will.
    """

    parked: int
    refused: int
    overdue: int
    next_overdue: datetime | None


_refused_too = parked_facts.alias()
# Behind a fact that was refused others wait for people, and nothing is missing.
_IN_A_GAP = ~(
    select(_refused_too)
    .where(
        _refused_too.c.order_id == parked_facts.c.order_id,
        _refused_too.c.refused.is_not(None),
    )
    .exists()
)


async def count_waiting(tx: Tx, overdue: timedelta) -> Waiting:
    old = and_(_IN_A_GAP, parked_facts.c.parked_at <= func.now() - overdue)
    young = and_(_IN_A_GAP, parked_facts.c.parked_at > func.now() - overdue)
    row = (
        await tx.execute(
            select(
                func.count().label("parked"),
                func.count(parked_facts.c.refused).label("refused"),
                func.count(parked_facts.c.order_id.distinct())
                .filter(old)
                .label("overdue"),
                (func.min(parked_facts.c.parked_at).filter(young) + overdue).label(
                    "next_overdue"
                ),
            )
        )
    ).one()
    return Waiting(**row._asdict())


class Gap(Struct, frozen=True, kw_only=True):
    order_id: UUID
    from_sequence: int


_CLOSE = delete(gaps).where(
    ~select(parked_facts).where(parked_facts.c.order_id == gaps.c.order_id).exists()
)
# Asked again after twice as long each time, at most 1440 times the age, which is a day
# for a minute: each asking has two databases awake for a while.
# A fact that was refused is not missing.
_ASK = text(
    """
    WITH early AS (
        SELECT order_id, min(parked_at) AS since FROM parked_facts
        GROUP BY order_id HAVING min(parked_at) <= now() - CAST(:age AS interval)
    ), missing AS (
        SELECT order_id, applied + 1 AS from_sequence, since
        FROM early JOIN order_cursors USING (order_id)
        WHERE NOT EXISTS (
            SELECT FROM parked_facts AS next
            WHERE next.order_id = early.order_id AND next.sequence = applied + 1
        )
    )
    INSERT INTO gaps AS known (order_id, from_sequence, since, asked, asked_at)
    SELECT missing.order_id, missing.from_sequence, missing.since, 1, now()
    FROM missing LEFT JOIN gaps USING (order_id)
    WHERE gaps.order_id IS NULL OR gaps.from_sequence < missing.from_sequence
        OR gaps.asked_at <= now() - CAST(:age AS interval) * least(2 ^ gaps.asked, 1440)
    ORDER BY missing.order_id LIMIT :most
    ON CONFLICT (order_id) DO UPDATE SET
        asked = CASE WHEN known.from_sequence < excluded.from_sequence
            THEN 1 ELSE known.asked + 1 END,
        from_sequence = excluded.from_sequence, asked_at = now()
    WHERE known.from_sequence < excluded.from_sequence
        OR known.asked_at
            <= now() - CAST(:age AS interval) * least(2 ^ known.asked, 1440)
    RETURNING order_id, from_sequence
    """
).bindparams(bindparam("age", type_=Interval))


async def note_gaps(tx: Tx, *, age: timedelta, most: int) -> list[Gap]:
    """Gaps to ask about now: as old as that, and not asked about for a while."""
    await tx.execute(_CLOSE)
    rows = await tx.execute(_ASK, {"age": age, "most": most})
    return [Gap(order_id=r.order_id, from_sequence=r.from_sequence) for r in rows]
