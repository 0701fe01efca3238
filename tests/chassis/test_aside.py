"""What was put aside is told of with times in the order in which it happened."""

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import UUID, uuid4

from chassis import aside
from chassis.aside import Aside
from chassis.database import Tx, after_commit
from tests.locks import until_somebody_waits

QUEUE = "somebody-from-somebody"


def an_event(id: UUID) -> dict[str, str]:
    return {"id": str(id), "type": "sample.noted.v1", "subject": "s"}


async def test_what_is_taken_back_while_it_is_noted_again_is_told_as_later(database):
    id_, told = uuid4(), list[Aside]()

    async def tell(tx: Tx, asides: Sequence[Aside]) -> None:
        after_commit(tx, partial(told.extend, asides))

    async def take_back(tx: Tx) -> None:
        await aside.take_back(tx, QUEUE, {id_: ("sample.noted.v1", "s")}, tell)

    await database.transact(aside.note, QUEUE, [an_event(id_)], tell)
    async with database.begin() as tx:
        await aside.note(tx, QUEUE, [an_event(id_)], tell)
        taking_back = asyncio.create_task(database.transact(take_back))
        await until_somebody_waits(database)
    await taking_back

    # Whose caller goes on first after its commit is left to the loop; the times tell.
    in_order = sorted(told, key=lambda one: one.at)
    assert [one.waits for one in in_order] == [True, True, False]


async def test_what_is_noted_twice_at_once_is_told_once(database):
    id_, told = uuid4(), list[Aside]()

    async def tell(_: Tx, asides: Sequence[Aside]) -> None:
        told.extend(asides)

    await database.transact(aside.note, QUEUE, [an_event(id_)] * 2, tell)

    assert [one.event_id for one in told] == [id_]
