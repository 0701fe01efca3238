import sqlalchemy as sa

from chassis.outbox import outbox
from chassis.relay import Relay
from sample.main import take


async def test_what_waits_to_be_published_is_told_with_its_age(operator, database):
    await database.transact(take, ["a", "b"])
    async with database.begin() as tx:
        minute_ago = sa.func.now() - sa.text("interval '1 minute'")
        await tx.execute(sa.update(outbox).values(time=minute_ago))

    backlog = (await operator.get("outbox")).json()

    assert backlog["waiting"] == 2
    assert 60 <= backlog["age"] < 600


async def test_nothing_waits_once_it_is_published(operator, database, aws, topic):
    await database.transact(take, ["a"])
    await Relay(database, aws, topic=topic.name, source="orderly/sample").drain()

    assert (await operator.get("outbox")).json() == {"waiting": 0, "age": 0}
