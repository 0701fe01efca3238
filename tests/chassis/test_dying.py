"""What every service does seldom is done once, wherever it dies while doing it."""

import pytest
import sqlalchemy as sa

from chassis import migrations, outbox, partitions
from chassis.idempotency import answers, forget_old
from chassis.queues import MESSAGE_BYTES
from sample.main import take
from tests.chassis.test_idempotency import count, grow_old, post
from tests.chassis.test_relay import published, put_aside, received, relay_for
from tests.dying import PLACES, dying

__all__ = ["post"]  # a fixture

pytestmark = pytest.mark.parametrize("place", PLACES)


async def test_old_answers_are_forgotten(place, post, database):
    await post(key="old")
    await database.transact(grow_old)
    with dying(place, "chassis.idempotency.forget_old"):
        await database.transact(forget_old)

    await database.transact(forget_old)

    assert await count(database, answers) == 0


async def test_partitions_are_made_and_dropped(place, database):
    there = await partitions_of(database, "outbox")
    await run(database, f"DROP TABLE {there[-1]}", "CREATE TABLE old (LIKE outbox)")
    await run(
        database,
        "ALTER TABLE old RENAME TO outbox_200001",
        "ALTER TABLE outbox ATTACH PARTITION outbox_200001"
        " FOR VALUES FROM ('2000-01-01') TO ('2000-02-01')",
    )
    with dying(place, "chassis.migrations.make_partitions"):
        await database.transact(migrations.make_partitions)
    with dying(place, "chassis.partitions.drop_old"):
        await database.transact(partitions.drop_old, outbox.PARTITIONS)

    await database.transact(migrations.make_partitions)
    await database.transact(partitions.drop_old, outbox.PARTITIONS)

    assert await partitions_of(database, "outbox") == there


async def test_what_sns_never_takes_is_put_aside_once(
    place, database, aws, topic, queue
):
    large = "x" * MESSAGE_BYTES
    await database.transact(take, [large, "after"])
    with dying(place, "chassis.relay.Relay._put_aside.<locals>.note"):
        await relay_for(database, aws, topic).drain()
    await run(database, "UPDATE relay_cursor SET leased_until = '-infinity'")

    await relay_for(database, aws, topic).drain()

    assert [text for text, _ in await put_aside(database)] == [large]
    assert await published(database) == 2
    assert [e["data"]["text"] for e in await received(aws, queue, 1)] == ["after"]


async def run(database, *statements: str) -> None:
    async with database.begin() as tx:
        for statement in statements:
            await tx.execute(sa.text(statement))


async def partitions_of(database, table: str) -> list[str]:
    query = (
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = CAST(:table AS regclass) ORDER BY 1"
    )
    async with database.begin() as tx:
        return list((await tx.execute(sa.text(query), {"table": table})).scalars())
