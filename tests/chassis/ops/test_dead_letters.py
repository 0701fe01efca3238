import asyncio
import itertools
import json
from datetime import UTC, datetime

import pytest

from chassis import dead_letters
from chassis.consumer import Consumer
from chassis.dead_letters import QueueUnavailable
from chassis.testing import eventually
from sample.main import events
from tests.chassis.faults import first_time, refuse, with_faults
from tests.chassis.test_consumer import a_message, consuming, count, has_heard


async def put_aside(aws, queue, *texts, error="ValueError: no"):
    seen = datetime.now(UTC).isoformat()
    attributes = {"error": error, "stack": "in hear", "first_seen": seen}
    for text in texts:
        await aws.send(queue.dead_letters, a_message(text), attributes)


async def seen(operator, **params):
    answer = await operator.get("dead-letters", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def redrive(operator, *ids):
    answer = await operator.post("dead-letters/redrive", json={"ids": ids or None})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def received(aws, queue, number):
    messages = []

    async def enough():
        messages.extend(await aws.receive(queue, wait_s=1))
        return len(messages) >= number

    await eventually(enough)
    return messages


async def test_a_letter_shows_its_event_and_what_became_of_it(
    operator, database, aws, topic, queue
):
    message = a_message("poison")
    await aws.publish(topic.name, [message])
    async with consuming(Consumer(database, aws, queue, events)):

        async def is_there():
            return (await aws.count(queue.dead_letters)).waiting == 1

        await eventually(is_there)

    (letter,) = (await seen(operator))["items"]

    (event,) = json.loads(message)
    assert letter["event"] == {name: event[name] for name in ("id", "type", "subject")}
    assert (letter["queue"], letter["events"]) == (queue.name, 1)
    assert letter["error"] == "ValueError: cannot hear this"
    assert "in hear" in letter["trace"]
    assert letter["first_seen"] == letter["last_seen"]


async def test_what_cannot_be_read_is_shown_too(operator, aws, queue):
    for body in ("no JSON", "{}", '[{"id": 7}, 8]'):
        await aws.send(queue.dead_letters, body, {"first_seen": "long ago"})

    letters = (await seen(operator))["items"]

    assert sorted(letter["events"] for letter in letters) == [0, 0, 1]
    assert all(letter["first_seen"] for letter in letters)


async def test_letters_stay_where_they_are_and_keep_their_ids(operator, aws, queue):
    await put_aside(aws, queue, *"abcdefghijklm")

    first, second = await seen(operator), await seen(operator)

    ids = {letter["id"] for letter in first["items"]}
    assert len(ids) == 13
    assert {letter["id"] for letter in second["items"]} == ids
    assert first["more"] is second["more"] is False


async def test_two_who_look_at_once_see_the_same(operator, aws, queue):
    await put_aside(aws, queue, *"abc")

    mine, others = await asyncio.gather(
        seen(operator), dead_letters.look(aws, [queue], most=100)
    )

    assert len(mine["items"]) == len(others.letters) == 3


@pytest.mark.parametrize("nth", [1, 3])
async def test_who_looks_as_others_hand_back_sees_what_they_had(aws, queue, nth):
    await put_aside(aws, queue, *"abc")
    theirs = await aws.receive(queue.dead_letters, hide_s=60)
    counted = itertools.count(1)

    async def hand_back_before_the_nth(real, **asked):
        if next(counted) == nth:
            await aws.hide(queue.dead_letters, theirs, for_s=0)
        return await real(**asked)

    late = with_faults(aws, sqs={"get_queue_attributes": hand_back_before_the_nth})

    assert len((await dead_letters.look(late, [queue], most=10)).letters) == 3


async def test_a_look_is_bounded_and_says_so(operator, aws, queue):
    await put_aside(aws, queue, *"abc")

    look = await seen(operator, limit=2)

    assert (len(look["items"]), look["more"]) == (2, True)


async def test_one_letter_is_redriven_and_the_others_stay(operator, aws, queue):
    await put_aside(aws, queue, *"abc")
    chosen = (await seen(operator))["items"][1]

    done = await redrive(operator, chosen["id"], "made-up")

    assert (done["redriven"], done["not_found"]) == (1, ["made-up"])
    (message,) = await received(aws, queue.name, 1)
    assert json.loads(message.body)[0]["id"] == chosen["event"]["id"]
    assert message.attributes.keys() == {"first_seen"}
    left = {letter["id"] for letter in (await seen(operator))["items"]}
    assert len(left) == 2
    assert chosen["id"] not in left


async def test_all_are_redriven_and_handled(operator, database, aws, queue):
    await put_aside(aws, queue, *"abcdefghijklmno")

    done = await redrive(operator)
    assert done == {"redriven": 15, "not_found": [], "kept": [], "more": False}

    async with consuming(Consumer(database, aws, queue, events)):
        await eventually(has_heard(database, 15))
    assert (await seen(operator))["items"] == []


async def test_a_count_that_lags_keeps_nobody_waiting(aws, queue):
    """It still says that there are some when none is left, as SQS does for a while."""
    await put_aside(aws, queue, *"abc")
    waiting = "ApproximateNumberOfMessages"

    async def late_count(real, **asked):
        answer = await real(**asked)
        found = answer["Attributes"]
        return {"Attributes": found | {waiting: str(int(found[waiting]) + 3)}}

    lagging = with_faults(aws, sqs={"get_queue_attributes": late_count})
    look = await dead_letters.look(lagging, [queue], most=10)
    done = await dead_letters.redrive(lagging, [queue], None)

    assert (len(look.letters), look.more) == (3, False)
    assert (len(done.ids), done.more) == (3, False)


async def test_a_letter_that_is_redriven_twice_is_not_found_the_second_time(
    operator, aws, queue
):
    await put_aside(aws, queue, "a")
    (letter,) = (await seen(operator))["items"]
    await redrive(operator, letter["id"])

    assert await redrive(operator, letter["id"]) == {
        "redriven": 0,
        "not_found": [letter["id"]],
        "kept": [],
        "more": False,
    }


async def test_what_fails_again_is_not_redriven_for_ever(
    operator, database, aws, queue
):
    await put_aside(aws, queue, *["poison"] * 3)

    async with consuming(Consumer(database, aws, queue, events)):
        assert (await redrive(operator))["redriven"] == 3

        async def are_back():
            return (await aws.count(queue.dead_letters)).waiting == 3

        await eventually(are_back)


async def test_a_letter_is_kept_when_it_cannot_be_sent(aws, queue):
    await put_aside(aws, queue, "a")
    away = with_faults(aws, sqs={"send_message": refuse})

    with pytest.raises(QueueUnavailable):
        await dead_letters.redrive(away, [queue], None)

    assert len((await dead_letters.look(aws, [queue], most=10)).letters) == 1


async def test_a_letter_that_could_not_be_deleted_has_its_effect_once(
    database, aws, queue
):
    await put_aside(aws, queue, "a")
    undone = first_time(refuse)
    forgetful = with_faults(aws, sqs={"delete_message_batch": undone})
    with pytest.raises(QueueUnavailable):
        await dead_letters.redrive(forgetful, [queue], None)
    assert (await dead_letters.redrive(aws, [queue], None)).ids

    async with consuming(Consumer(database, aws, queue, events)):

        async def all_gone():
            return await aws.depth(queue.name) == 0

        await eventually(all_gone)
    assert await count(database) == 1


@pytest.mark.parametrize("times", [1, 9])
async def test_who_redrives_is_told_which_letters_are_kept(database, aws, queue, times):
    """SQS does not delete one, once or again and again; it was sent before."""
    await put_aside(aws, queue, *"ab")
    refusals = iter(range(times))

    async def delete_but_one(real, Entries, **rest):  # noqa: N803
        if next(refusals, None) is None:
            return await real(Entries=Entries, **rest)
        kept, *others = Entries
        answer = await real(Entries=others, **rest) if others else {}
        return {**answer, "Failed": [{"Id": kept["Id"], "Code": "InternalError"}]}

    forgetful = with_faults(aws, sqs={"delete_message_batch": delete_but_one})
    done = await dead_letters.redrive(forgetful, [queue], None)
    again = await dead_letters.redrive(aws, [queue], None)

    assert len(done.ids) == 2
    assert done.kept == again.ids
    assert len(done.kept) == (times > 1)
    async with consuming(Consumer(database, aws, queue, events)):

        async def all_gone():
            return await aws.depth(queue.name) == 0

        await eventually(all_gone)
    assert await count(database) == 2


async def test_what_is_looked_through_is_not_held(aws, queue):
    await put_aside(aws, queue, *"abc")

    async with dead_letters._taking(aws, queue, within_s=5) as taken:  # noqa: SLF001
        async for _ in taken:
            pass

    assert {message.body for message in taken.in_hand.values()} == {""}


async def test_a_queue_that_is_away_is_503(operator, aws, queue):
    await aws.sqs.delete_queue(QueueUrl=await aws.queue_url(queue.dead_letters))

    answer = await operator.get("dead-letters")

    assert answer.status_code == 503
    assert answer.json()["code"] == "queue_unavailable"
    assert "retry-after" in answer.headers
