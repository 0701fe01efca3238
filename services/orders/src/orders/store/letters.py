"""Dead letters about orders: which wait, wherever they are."""

from collections.abc import Collection, Sequence
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, select

from chassis.database import Tx, columns_of, insert_many
from orders.domain.letters import DeadLetter
from orders.schema import dead_letters

_FIELDS = tuple(column.name for column in dead_letters.c)
_insert = insert_many(dead_letters, *_FIELDS)
_NOTE = _insert.on_conflict_do_update(
    index_elements=["event_id", "queue"],
    set_={
        "waits": _insert.excluded.waits,
        "changed_at": _insert.excluded.changed_at,
    },
    where=dead_letters.c.changed_at < _insert.excluded.changed_at,
)
_COUNT = (
    select(dead_letters.c.order_id, func.count().label("waiting"))
    .where(
        dead_letters.c.order_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
        dead_letters.c.waits,
    )
    .group_by(dead_letters.c.order_id)
)


async def note(tx: Tx, letters: Sequence[DeadLetter]) -> None:
    """What is newer than what is known; of each event in each queue at most one."""
    await tx.execute(_NOTE, columns_of([asdict(one) for one in letters], _FIELDS))


async def count_waiting(tx: Tx, order_ids: Collection[UUID]) -> dict[UUID, int]:
    """How many wait, of the orders of which any do."""
    found = await tx.execute(_COUNT, {"ids": list(order_ids)})
    return {row.order_id: row.waiting for row in found}
