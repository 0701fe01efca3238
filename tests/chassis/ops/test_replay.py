from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chassis import replays
from chassis.aside import Aside
from chassis.database import Tx
from chassis.outbox import outbox, refusals
from chassis.relay import Relay
from chassis.replays import Replayer
from sample.main import take
from tests.chassis.faults import first_time, refuse, with_faults
from tests.chassis.test_relay import received, refusing

ALWAYS = "2020-01-01T00:00:00Z"


@pytest.fixture
async def log(database, aws, topic, queue):
    """Six events that were announced; their ids in order."""
    relay = Relay(database, aws, topic=topic.name, source="orderly/sample")
    for text in "abcdef":
        await database.transact(take, [text])
    await relay.drain()
    await received(aws, queue, 6)
    async with database.begin() as tx:
        found = await tx.execute(sa.select(outbox.c.id).order_by(outbox.c.position))
        return [str(id_) for id_ in found.scalars()]


async def asked(operator, **body):
    answer = await operator.post(
        "replay", json=body, headers={"Idempotency-Key": uuid4().hex}
    )
    assert answer.status_code == 202, answer.text
    return answer


async def now(operator, answer):
    replay_id = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/sample/ops/replay/{replay_id}"
    return (await operator.get(f"replay/{replay_id}")).json()


async def test_events_are_announced_again_under_their_own_ids(
    operator, replayer, aws, queue, log
):
    replay = await asked(operator, **{"from": ALWAYS})
    assert replay.json()["status"] == "running"

    assert await replayer.work() is False

    assert sorted(e["id"] for e in await received(aws, queue, 6)) == sorted(log)
    done = await now(operator, replay)
    assert (done["status"], done["published"]) == ("completed", 6)
    assert done["reached"] == done["last"] == 6


async def test_one_subject_is_announced_again(operator, replayer, database, log):
    async with database.begin() as tx:
        query = sa.select(outbox.c.subject).where(outbox.c.id == log[3])
        subject = (await tx.execute(query)).scalar_one()
    replay = await asked(operator, subject=subject)

    await replayer.work()

    assert (await now(operator, replay))["published"] == 1


@pytest.mark.usefixtures("log")
async def test_only_what_was_announced_in_between_and_of_a_type_is_meant(
    operator, replayer, database
):
    async with database.begin() as tx:
        await tx.execute(sa.update(outbox).values(time=sa.func.now()))
        for position, minutes in ((2, 0), (3, 10), (4, 20)):
            later = sa.func.now() + timedelta(minutes=minutes)
            await tx.execute(
                sa.update(outbox)
                .where(outbox.c.position == position)
                .values(time=later)
            )
        begins = (
            await tx.execute(sa.select(outbox.c.time).where(outbox.c.position == 3))
        ).scalar_one()
    times = {
        "from": begins.isoformat(),
        "to": (begins + timedelta(minutes=1)).isoformat(),
    }
    meant = await asked(operator, **times, types=["sample.note_taken.v1"])
    none = await asked(operator, **times, types=["sample.note_lost.v1"])

    await replayer.work()

    assert (await now(operator, meant))["published"] == 1
    assert (await now(operator, none))["published"] == 0


@pytest.mark.usefixtures("log")
async def test_a_long_log_is_worked_off_in_steps(
    operator, replayer, aws, queue, monkeypatch
):
    monkeypatch.setattr(replays, "STEP_EVENTS", 2)
    monkeypatch.setattr(replays, "STEP_POSITIONS", 3)
    replay = await asked(operator, **{"from": ALWAYS})

    await replayer.work()

    assert len(await received(aws, queue, 6)) == 6
    assert (await now(operator, replay))["published"] == 6


@pytest.mark.usefixtures("log")
async def test_what_a_crash_interrupted_is_taken_up_where_it_was(
    operator, database, aws, topic, monkeypatch
):
    monkeypatch.setattr(replays, "STEP_EVENTS", 4)
    monkeypatch.setattr(replays, "LEASE", timedelta(0))
    replay = await asked(operator, **{"from": ALWAYS})
    calls = iter([None, refuse])

    async def second_fails(real, **arguments):
        fault = next(calls)
        return await (fault(real) if fault else real(**arguments))

    crashing = with_faults(aws, sns={"publish_batch": second_fails})
    with pytest.raises(ConnectionRefusedError):
        await Replayer(database, crashing, topic=topic.name, source="x").work()
    halfway = await now(operator, replay)
    assert (halfway["status"], halfway["reached"]) == ("running", 4)

    await Replayer(database, aws, topic=topic.name, source="x").work()

    assert (await now(operator, replay))["published"] == 6


@pytest.mark.usefixtures("log")
async def test_one_process_at_a_time_is_at_it(operator, replayer, database, aws, topic):
    replay = await asked(operator, **{"from": ALWAYS})
    away = with_faults(aws, sns={"publish_batch": first_time(refuse)})
    with pytest.raises(ConnectionRefusedError):
        await Replayer(database, away, topic=topic.name, source="x").work()

    assert await replayer.work() is True
    assert (await now(operator, replay))["published"] == 0


@pytest.mark.usefixtures("log")
async def test_asking_wakes_who_works_it_off(operator, replayer):
    await asked(operator, **{"from": ALWAYS})

    nudged = replayer.timer._nudged  # noqa: SLF001 - else it looks only now and then
    assert nudged.is_set()


@pytest.mark.usefixtures("log")
async def test_a_repeated_request_is_one_replay(operator):
    key = {"Idempotency-Key": uuid4().hex}

    first = await operator.post("replay", json={"from": ALWAYS}, headers=key)
    again = await operator.post("replay", json={"from": ALWAYS}, headers=key)

    assert first.json()["id"] == again.json()["id"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"to": ALWAYS},
        {"from": ALWAYS, "to": ALWAYS},
        {"from": "yesterday"},
        {"from": "0"},
        {"from": "2020-01-01T00:00:00"},
        {"subject": ""},
        {"from": ALWAYS, "types": []},
        {"from": ALWAYS, "since": ALWAYS},
    ],
)
async def test_what_says_nothing_or_nonsense_is_refused(operator, body):
    answer = await operator.post(
        "replay", json=body, headers={"Idempotency-Key": uuid4().hex}
    )

    assert answer.status_code == 422


async def test_a_replay_that_nobody_asked_for_is_404(operator):
    answer = await operator.get(f"replay/{uuid4()}")

    assert (answer.status_code, answer.json()["code"]) == (404, "replay_not_found")


async def test_what_sns_once_refused_is_out_once_it_has_taken_it(
    operator, database, aws, topic
):
    told: list[Aside] = []

    async def tell(_: Tx, asides: Sequence[Aside]) -> None:
        told.extend(asides)

    how = {"topic": topic.name, "source": "orderly/sample", "tell": tell}
    fault = refusing("faulty", "InvalidParameter")
    await database.transact(take, ["faulty"])
    await Relay(database, with_faults(aws, sns={"publish_batch": fault}), **how).drain()
    await asked(operator, **{"from": ALWAYS})

    await Replayer(database, aws, **how).work()

    assert [aside.waits for aside in told] == [True, False]
    async with database.begin() as tx:
        assert (await tx.execute(sa.select(refusals))).all() == []
