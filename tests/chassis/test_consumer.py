import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa
import structlog
from botocore.exceptions import ClientError

from chassis import consumer as consumer_module
from chassis.aside import Aside
from chassis.consumer import Consumer
from chassis.database import Database, Tx, after_commit
from chassis.events import Envelope, Router, to_wire
from chassis.inbox import inbox
from chassis.queues import Aws, Message, QueueAway
from chassis.testing import eventually
from orderly.stack.postgres import Postgres
from sample.main import NoteTaken, events
from sample.schema import heard
from tests.chassis.faults import first_time, refuse, with_faults


def an_event(text: str = "hello", **changes: Any) -> str:
    note = NoteTaken(note_id=uuid4(), text=text)
    attributes: dict[str, Any] = {
        "id": uuid4(),
        "source": "orderly/sample",
        "type": note.type,
        "subject": str(note.note_id),
        "time": datetime.now(UTC),
        "sequence": None,
        "traceparent": None,
        "data": msgspec.json.encode(note).decode(),
    }
    return to_wire(**attributes | changes)


def a_message(*texts: str) -> str:
    return f"[{','.join(an_event(text) for text in texts)}]"


async def count(database: Database, table: sa.Table = heard) -> int:
    async with database.begin() as tx:
        query = sa.select(sa.func.count()).select_from(table)
        return int((await tx.execute(query)).scalar_one())


def has_heard(database: Database, number: int) -> Callable[[], Any]:
    async def check() -> bool:
        return await count(database) == number

    return check


@asynccontextmanager
async def consuming(consumer: Consumer) -> AsyncIterator[Consumer]:
    task = asyncio.create_task(consumer.run())
    yield consumer
    consumer.stop()
    await asyncio.wait_for(task, 10)


@pytest.fixture
def consumer(database, aws, queue) -> Consumer:
    return Consumer(database, aws, queue, events)


async def none_left(aws: Aws, queue: str) -> bool:
    answer = await aws.sqs.get_queue_attributes(
        QueueUrl=await aws.queue_url(queue),
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ],
    )
    return {int(number) for number in answer["Attributes"].values()} == {0}


async def dead_letters(aws: Aws, queue: Any, number: int) -> list[Message]:
    found: list[Message] = []

    async def enough() -> bool:
        found.extend(await aws.receive(queue.dead_letters, wait_s=1))
        return len(found) >= number

    await eventually(enough)
    return found


async def test_events_are_handled_and_their_messages_deleted(
    consumer, database, aws, topic, queue
):
    await aws.publish(topic.name, [a_message("a", "b"), a_message("c")])

    async with consuming(consumer):
        await eventually(has_heard(database, 3))

        async def deleted() -> bool:
            return await none_left(aws, queue.name)

        await eventually(deleted)


async def test_an_event_has_its_effect_once_however_often_it_comes(
    consumer, database, aws, topic, queue
):
    message = a_message("again and again")
    await aws.publish(topic.name, [message] * 5)

    async with consuming(consumer):

        async def all_gone() -> bool:
            return await count(database) > 0 and await none_left(aws, queue.name)

        await eventually(all_gone)

    assert await count(database) == 1


async def test_many_messages_share_a_transaction(database, aws, topic, queue):
    batches: list[int] = []
    router = Router()

    @router.on(NoteTaken)
    async def hear(_: Tx, taken: list[Envelope[NoteTaken]]) -> None:
        batches.append(len(taken))

    for _ in range(4):
        await aws.publish(topic.name, [a_message("note") for _ in range(10)])

    async with consuming(Consumer(database, aws, queue, router)):

        async def all_heard() -> bool:
            return sum(batches) == 40

        await eventually(all_heard)
    assert len(batches) <= 6


async def test_a_transaction_has_at_most_so_many_events(
    database, aws, topic, queue, monkeypatch
):
    monkeypatch.setattr(consumer_module, "MAX_EVENTS", 4)
    batches: list[int] = []
    router = Router()

    @router.on(NoteTaken)
    async def hear(_: Tx, taken: list[Envelope[NoteTaken]]) -> None:
        batches.append(len(taken))

    await aws.publish(topic.name, [a_message(*["note"] * 10)])
    async with consuming(Consumer(database, aws, queue, router)):

        async def all_heard() -> bool:
            return sum(batches) == 10

        await eventually(all_heard)
    assert batches == [4, 4, 2]


async def test_poison_is_put_aside_alone_with_its_reason(
    consumer, database, aws, topic, queue
):
    await aws.publish(topic.name, [a_message("a", "poison", "b"), a_message("c")])

    async with consuming(consumer):
        await eventually(has_heard(database, 3))
        (letter,) = await dead_letters(aws, queue, 1)

    (event,) = json.loads(letter.body)
    assert event["data"]["text"] == "poison"
    assert letter.attributes["error"] == "ValueError: cannot hear this"
    assert "in hear" in letter.attributes["stack"]
    assert letter.attributes["queue"] == queue.name
    assert letter.attributes["first_seen"] == letter.attributes["last_seen"]


async def test_a_letter_says_what_the_database_refuses_without_the_statement(
    consumer, database, aws, topic, queue
):
    async with database.begin() as tx:
        await tx.execute(sa.text("ALTER TABLE heard ADD CHECK (note_id IS NULL)"))
    await aws.publish(topic.name, [a_message("refused")])

    async with consuming(consumer):
        (letter,) = await dead_letters(aws, queue, 1)

    assert letter.attributes["error"].startswith("IntegrityError: ")
    assert letter.attributes["error"].endswith('constraint "heard_note_id_check"')
    assert "CheckViolation" in letter.attributes["stack"]
    assert "[SQL" not in letter.attributes["stack"]


async def test_a_dead_letter_can_be_tried_again(consumer, database, aws, topic, queue):
    await aws.publish(topic.name, [a_message("poison")])
    async with consuming(consumer):
        (letter,) = await dead_letters(aws, queue, 1)
        assert await count(database, inbox) == 0

        mended = letter.body.replace("poison", "mended")
        await aws.send(queue.name, mended, {})

        await eventually(has_heard(database, 1))


async def test_a_dead_letter_that_fails_again_remembers_when_it_first_did(
    consumer, aws, queue
):
    await aws.send(queue.name, a_message("poison"), {"first_seen": "long ago"})

    async with consuming(consumer):
        (letter,) = await dead_letters(aws, queue, 1)

    assert letter.attributes["first_seen"] == "long ago"
    assert letter.attributes["last_seen"] > "2026"


async def test_what_cannot_be_read_is_put_aside(consumer, database, aws, queue):
    for body in ("poison", "{}", f"[{an_event('good')}, {{}}]"):
        await aws.send(queue.name, body, {})

    async with consuming(consumer):
        letters = await dead_letters(aws, queue, 3)
        await eventually(has_heard(database, 1))

    assert sorted(letter.body for letter in letters) == ["[{}]", "poison", "{}"]
    assert all(letter.attributes["error"] for letter in letters)


async def test_events_for_others_are_deleted(database, aws, topic, queue):
    deleting = asyncio.Event()

    async def look(real: Any, **arguments: Any) -> Any:
        deleting.set()
        return await real(**arguments)

    await aws.publish(topic.name, [f"[{an_event(type='others.thing_done.v1')}]"])
    watched = with_faults(aws, sqs={"delete_message_batch": look})

    async with consuming(Consumer(database, watched, queue, events)):
        await asyncio.wait_for(deleting.wait(), 15)

    assert await none_left(aws, queue.name)


async def test_nothing_goes_to_the_dead_letters_while_the_database_is_away(
    aws, topic, queue
):
    async with Postgres.throwaway() as server:
        url = server.url()
        away = Database(url, application_name="tests", connect_timeout_s=1)
        await server.stop()
        await aws.publish(topic.name, [a_message("patient")])
        with structlog.testing.capture_logs() as logs:

            async def has_probed_a_few_times() -> bool:
                found = [entry["event"] for entry in logs]
                return found.count("Waiting for the database") > 2

            async with consuming(Consumer(away, aws, queue, events)):
                await eventually(has_probed_a_few_times, within_s=30)
    (message,) = await aws.receive(queue.name, wait_s=5)

    assert message.received_count == 1
    assert await none_left(aws, queue.dead_letters)


async def test_a_database_that_goes_away_costs_no_event(database, aws, topic, queue):
    attempts = 0
    router = Router()

    @router.on(NoteTaken)
    async def hear(tx: Tx, taken: list[Envelope[NoteTaken]]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 7:
            raise ConnectionResetError
        rows = [{"note_id": event.data.note_id} for event in taken]
        await tx.execute(sa.insert(heard), rows)

    await aws.publish(topic.name, [a_message("a", "b")])
    async with consuming(Consumer(database, aws, queue, router)):
        await eventually(has_heard(database, 2))

    assert await none_left(aws, queue.dead_letters)


async def test_dead_letters_are_not_multiplied_by_an_absent_database(
    database, aws, topic, queue
):
    attempts = 0
    router = Router()

    @router.on(NoteTaken)
    async def hear(_: Tx, taken: list[Envelope[NoteTaken]]) -> None:
        nonlocal attempts
        if any(event.data.text == "poison" for event in taken):
            raise ValueError
        attempts += 1
        if attempts <= 7:
            raise ConnectionResetError

    await aws.publish(topic.name, [a_message("poison", "good"), "not JSON"])
    async with consuming(Consumer(database, aws, queue, router)):

        async def all_gone() -> bool:
            return attempts > 7 and await none_left(aws, queue.name)

        await eventually(all_gone)

    assert len(await dead_letters(aws, queue, 2)) == 2


async def test_what_one_receive_brought_is_handled_though_another_failed(
    database, aws, topic, queue
):
    calls = 0

    async def fail_every_third(real: Any, **arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            raise ConnectionResetError
        return await real(**arguments)

    for _ in range(4):
        await aws.publish(topic.name, [a_message("note") for _ in range(10)])
    faulty = with_faults(aws, sqs={"receive_message": fail_every_third})

    async with consuming(Consumer(database, faulty, queue, events)):
        await eventually(has_heard(database, 40))


async def test_a_message_that_could_not_be_deleted_is_known_when_it_comes_again(
    database, aws, topic, queue
):
    attempts = 0

    async def delete_at_last(real: Any, Entries: list[dict], **rest: Any) -> Any:  # noqa: N803
        nonlocal attempts
        attempts += 1
        if attempts > 1:
            return await real(Entries=Entries, **rest)
        failed = [{"Id": e["Id"], "Code": "InternalError"} for e in Entries]
        return {"Successful": [], "Failed": failed}

    async def deleted() -> bool:
        return attempts > 1 and await none_left(aws, queue.name)

    await aws.publish(topic.name, [a_message("once")])
    faulty = with_faults(aws, sqs={"delete_message_batch": delete_at_last})
    async with consuming(Consumer(database, faulty, queue, events)):
        await eventually(deleted, within_s=30)

    assert await count(database) == 1


@pytest.mark.parametrize("call", ["receive_message", "delete_message_batch"])
async def test_a_queue_that_refuses_is_asked_again(database, aws, topic, queue, call):
    await aws.publish(topic.name, [a_message("patient")])
    faulty = with_faults(aws, sqs={call: first_time(refuse)})

    async with consuming(Consumer(database, faulty, queue, events)):
        await eventually(has_heard(database, 1))


async def test_dead_letters_that_cannot_be_sent_stay_on_the_queue(
    database, aws, topic, queue
):
    await aws.publish(topic.name, [a_message("poison")])
    faulty = with_faults(aws, sqs={"send_message": first_time(refuse)})

    async with consuming(Consumer(database, faulty, queue, events)):
        assert len(await dead_letters(aws, queue, 1)) == 1


async def test_a_letter_that_is_never_taken_holds_up_nobody(database, aws, queue):
    async def take_no_poison(real: Any, MessageBody: str, **rest: Any) -> Any:  # noqa: N803
        if "poison" in MessageBody:
            error = {"Code": "InvalidParameterValue", "Message": "no"}
            http = {"HTTPStatusCode": 400}
            raise ClientError({"Error": error, "ResponseMetadata": http}, "SendMessage")
        return await real(MessageBody=MessageBody, **rest)

    for body in (a_message("poison", "a"), a_message("b"), "[8]"):
        await aws.send(queue.name, body, {})
    faulty = with_faults(aws, sqs={"send_message": take_no_poison})

    messages = [m for _ in range(3) for m in await aws.receive(queue.name, wait_s=1)]
    await Consumer(database, faulty, queue, events)._handle(messages)  # noqa: SLF001

    assert await count(database) == 2
    assert [m.body for m in await aws.receive(queue.dead_letters)] == ["[8]"]
    (left,) = await aws.receive(queue.name, wait_s=queue.visibility_timeout_s + 2)
    assert "poison" in left.body


async def test_long_work_keeps_its_messages_hidden(database, aws, topic, queue):
    handling, finish = asyncio.Event(), asyncio.Event()
    router = Router()

    @router.on(NoteTaken)
    async def hear(_: Tx, __: list[Envelope[NoteTaken]]) -> None:
        handling.set()
        await finish.wait()

    await aws.publish(topic.name, [a_message("long")])
    async with consuming(Consumer(database, aws, queue, router)):
        await handling.wait()
        # Longer than the message would stay hidden by itself.
        seen = await aws.receive(queue.name, wait_s=queue.visibility_timeout_s + 2)
        finish.set()

    assert seen == []


async def test_what_is_not_finished_is_handed_back(database, aws, topic, queue):
    handling = asyncio.Event()
    handed_back: list[int] = []
    router = Router()

    @router.on(NoteTaken)
    async def hear(_: Tx, __: list[Envelope[NoteTaken]]) -> None:
        handling.set()
        await asyncio.Future()

    async def look(real: Any, Entries: list[dict], **arguments: Any) -> Any:  # noqa: N803
        handed_back.extend(entry["VisibilityTimeout"] for entry in Entries)
        return await real(Entries=Entries, **arguments)

    await aws.publish(topic.name, [a_message("unfinished")])
    watched = with_faults(aws, sqs={"change_message_visibility_batch": look})
    running = asyncio.create_task(Consumer(database, watched, queue, router).run())
    await handling.wait()

    running.cancel()
    await asyncio.wait([running])

    assert handed_back == [0]


async def test_a_queue_that_hangs_does_not_hold_who_leaves(
    database, aws, topic, queue, monkeypatch
):
    monkeypatch.setattr(consumer_module, "HANDS_BACK_WITHIN_S", 0.1)
    handling = asyncio.Event()
    router = Router()

    @router.on(NoteTaken)
    async def hear(_: Tx, __: list[Envelope[NoteTaken]]) -> None:
        handling.set()
        await asyncio.Future()

    async def hang(_: Any, **__: Any) -> Any:
        await asyncio.Future()

    await aws.publish(topic.name, [a_message("unfinished")])
    hanging = with_faults(aws, sqs={"change_message_visibility_batch": hang})
    running = asyncio.create_task(Consumer(database, hanging, queue, router).run())
    await handling.wait()

    running.cancel()

    await asyncio.wait([running], timeout=5)
    assert running.done()


async def test_stopping_finishes_what_was_begun(database, aws, topic, queue):
    handling, finish = asyncio.Event(), asyncio.Event()
    router = Router()

    @router.on(NoteTaken)
    async def hear(tx: Tx, taken: list[Envelope[NoteTaken]]) -> None:
        handling.set()
        await finish.wait()
        rows = [{"note_id": event.data.note_id} for event in taken]
        await tx.execute(sa.insert(heard), rows)

    await aws.publish(topic.name, [a_message("begun")])
    async with consuming(Consumer(database, aws, queue, router)) as consumer:
        await handling.wait()
        consumer.stop()
        finish.set()

    assert await count(database) == 1
    assert await none_left(aws, queue.name)


async def test_what_comes_while_it_leaves_is_handed_back(database, aws, topic, queue):
    """What SQS has just given out would be hidden from everybody for a while."""
    given, answered = asyncio.Event(), asyncio.Event()

    async def answer_late(real: Any, **arguments: Any) -> Any:
        answer = await real(**arguments)
        given.set()
        await answered.wait()
        return answer

    await aws.publish(topic.name, [a_message("late")])
    slow = with_faults(aws, sqs={"receive_message": answer_late})
    async with consuming(Consumer(database, slow, queue, events)) as consumer:
        await given.wait()
        consumer.stop()
        asyncio.get_running_loop().call_later(0.2, answered.set)

    (message,) = await aws.receive(queue.name, wait_s=1)
    assert message.received_count == 2


async def test_two_processes_share_a_queue(database, aws, topic, queue):
    for _ in range(10):
        await aws.publish(topic.name, [a_message("a", "b") for _ in range(10)])

    async with (
        consuming(Consumer(database, aws, queue, events)),
        consuming(Consumer(database, aws, queue, events)),
    ):
        await eventually(has_heard(database, 200))


def told_by(database, aws, queue) -> tuple[Consumer, list[Aside]]:
    """A consumer, and what it tells of dead letters once it is committed."""
    told: list[Aside] = []

    async def tell(tx: Tx, asides: Sequence[Aside]) -> None:
        after_commit(tx, partial(told.extend, asides))

    return Consumer(database, aws, queue, events, tell=tell), told


async def is_told(told: list[Aside], *what: str) -> None:
    async def all_of_it() -> bool:
        return ["waits" if aside.waits else "over" for aside in told] == [*what]

    await eventually(all_of_it)


async def test_what_is_put_aside_is_told_and_that_it_was_handled_after_all(
    database, aws, queue
):
    consumer, told = told_by(database, aws, queue)
    await aws.send(queue.name, a_message("poison", "fine"), {})
    async with consuming(consumer):
        (letter,) = await dead_letters(aws, queue, 1)
        mended = letter.body.replace("poison", "mended")
        await aws.send(queue.name, mended, {})  # however it comes back
        await is_told(told, "waits", "over")

    (event,) = json.loads(letter.body)
    assert {(aside.subject, aside.queue) for aside in told} == {
        (event["subject"], queue.name)
    }
    assert told[0].at < told[1].at


async def test_nobody_waits_for_an_event_that_was_handled_after_a_crash(
    database, aws, queue, monkeypatch
):
    """It was noted that it waits, and its letter was never sent."""
    consumer, told = told_by(database, aws, queue)
    await aws.send(queue.name, a_message("poison"), {})
    (message,) = await aws.receive(queue.name, wait_s=1)
    dying = with_faults(aws, sqs={"send_message": refuse})
    monkeypatch.setattr(consumer, "_aws", dying)
    with pytest.raises(QueueAway):
        await consumer._handle([message])  # noqa: SLF001
    await is_told(told, "waits")

    monkeypatch.setattr(consumer, "_aws", aws)
    mended = replace(message, body=message.body.replace("poison", "mended"))
    await consumer._handle([mended])  # noqa: SLF001

    await is_told(told, "waits", "over")


async def test_a_letter_of_what_was_handled_meanwhile_is_over_when_it_is_redriven(
    database, aws, queue
):
    consumer, told = told_by(database, aws, queue)
    await aws.send(queue.name, a_message("poison"), {})
    async with consuming(consumer):
        (letter,) = await dead_letters(aws, queue, 1)
        mended = letter.body.replace("poison", "mended")
        await aws.send(queue.name, mended, {})
        await is_told(told, "waits", "over")

        await aws.send(queue.name, mended, letter.attributes)

        async def all_gone() -> bool:
            return await none_left(aws, queue.name)

        await eventually(all_gone)
    await is_told(told, "waits", "over")


async def test_what_cannot_be_told_is_put_aside_all_the_same(database, aws, queue):
    async def tell(_: Tx, __: Sequence[Aside]) -> None:
        raise ValueError

    await aws.send(queue.name, a_message("poison", "poison"), {})

    async with consuming(Consumer(database, aws, queue, events, tell=tell)):
        assert len(await dead_letters(aws, queue, 2)) == 2


async def test_what_does_not_say_which_event_it_is_is_not_told(database, aws, queue):
    consumer, told = told_by(database, aws, queue)
    nameless = [{"id": "7"}, {"id": str(uuid4()), "type": "a\0b", "subject": "c"}, 8]
    await aws.send(queue.name, json.dumps(nameless), {})

    async with consuming(consumer):
        assert len(await dead_letters(aws, queue, 3)) == 3

    assert told == []


async def test_what_kills_its_process_again_and_again_is_put_aside_by_itself(
    consumer, database, aws, queue
):
    await aws.send(queue.name, a_message("a", "b"), {})
    (message,) = await aws.receive(queue.name, wait_s=1)
    last = replace(message, received_count=queue.max_receive_count)

    await consumer._handle([last])  # noqa: SLF001

    letters = await dead_letters(aws, queue, 2)
    assert {letter.attributes["error"] for letter in letters} == {consumer_module.KILLS}
    assert await count(database) == 0


async def test_a_dead_letter_says_how_often_it_was_put_aside(consumer, aws, queue):
    await aws.send(queue.name, a_message("poison"), {"times": "3"})

    async with consuming(consumer):
        (letter,) = await dead_letters(aws, queue, 1)

    assert letter.attributes["times"] == "4"
