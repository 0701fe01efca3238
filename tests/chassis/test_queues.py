import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from chassis.queues import MESSAGE_BYTES, Message, _read_messages, transportable
from chassis.topology import Queue, Topology, provision
from sample.main import QUEUE
from tests.chassis.faults import with_faults


@pytest.fixture
async def inbox(aws) -> Queue:
    """A queue that its own service writes to."""
    queue = replace(QUEUE, name=f"sample-{uuid4().hex[:8]}", hears=None)
    await provision(aws, Topology(topics=(), queues=(queue,)))
    return queue


async def receive_all(aws, queue: str, count: int) -> list[Message]:
    messages: list[Message] = []
    while len(messages) < count:
        messages += await aws.receive(queue, wait_s=5)
    return messages


async def test_what_is_sent_is_received_with_its_attributes(aws, inbox):
    await aws.send(inbox.name, "hello", {"error": "what went wrong: ü"})

    (message,) = await receive_all(aws, inbox.name, 1)

    assert (message.body, message.received_count) == ("hello", 1)
    assert message.attributes == {"error": "what went wrong: ü"}


async def test_a_hidden_message_comes_again_when_it_is_handed_back(aws, inbox):
    await aws.send(inbox.name, "hello", {})
    first = await receive_all(aws, inbox.name, 1)
    await aws.hide(inbox.name, first, for_s=60)
    assert await aws.receive(inbox.name, wait_s=1) == []

    await aws.hide(inbox.name, first, for_s=0)

    (again,) = await receive_all(aws, inbox.name, 1)
    assert (again.id, again.received_count) == (first[0].id, 2)


async def test_a_deleted_message_stays_away(aws, inbox):
    await aws.send(inbox.name, "hello", {})
    messages = await receive_all(aws, inbox.name, 1)

    assert await aws.delete(inbox.name, messages) == []

    await aws.hide(inbox.name, messages, for_s=0)
    assert await aws.receive(inbox.name, wait_s=1) == []


async def test_a_published_body_arrives_to_the_letter(aws, topic, queue):
    body = json.dumps(
        ["&=+%2B;#?/ \t\n\\\"'<>~", "Æther 東京 🚢", "é"], ensure_ascii=False
    )

    assert await aws.publish(topic.name, [body]) == []

    (message,) = await receive_all(aws, queue.name, 1)
    assert message.body == body


async def test_ten_bodies_are_published_by_one_call(aws, topic, queue):
    bodies = [str(number) for number in range(10)]

    assert await aws.publish(topic.name, bodies) == []

    messages = await receive_all(aws, queue.name, 10)
    assert sorted(message.body for message in messages) == bodies


async def test_what_was_refused_is_told_with_its_reason(aws, topic, queue):
    async def refuse_second(real, PublishBatchRequestEntries, **arguments):  # noqa: N803
        first, second, *rest = PublishBatchRequestEntries
        answer = await real(PublishBatchRequestEntries=[first, *rest], **arguments)
        failed = {"Id": second["Id"], "Code": "Throttled", "SenderFault": False}
        return {**answer, "Failed": [failed]}

    faulty = with_faults(aws, sns={"publish_batch": refuse_second})

    (refused,) = await faulty.publish(topic.name, ["a", "b", "c"])

    assert (refused.index, refused.reason) == (1, "Throttled: ")
    bodies = {message.body for message in await receive_all(aws, queue.name, 2)}
    assert bodies == {"a", "c"}


async def test_a_body_too_large_is_refused_for_ever_and_costs_no_neighbour(
    aws, topic, queue
):
    bodies = ["before", "x" * (MESSAGE_BYTES + 1), "after"]

    (refused,) = await aws.publish(topic.name, bodies)

    assert (refused.index, refused.for_ever) == (1, True)
    received = {message.body for message in await receive_all(aws, queue.name, 2)}
    assert received == {"before", "after"}


async def test_what_sqs_refuses_is_no_absence_of_it(aws, inbox):
    with pytest.raises(ClientError):
        await aws.send(inbox.name, "", {})


async def test_what_the_answer_does_not_name_was_not_done(aws, inbox):
    async def forget_one(real, **arguments):
        answer = await real(**arguments)
        return {"Successful": answer["Successful"][1:]}

    for body in ("a", "b"):
        await aws.send(inbox.name, body, {})
    messages = await receive_all(aws, inbox.name, 2)
    faulty = with_faults(aws, sqs={"delete_message_batch": forget_one})

    (forgotten,) = await faulty.delete(inbox.name, messages)

    assert (forgotten.index, forgotten.reason) == (0, "not in the answer")


async def test_a_name_with_characters_that_sqs_refuses_gets_through(aws, inbox):
    name = "Ada \ufffe\uffff \x00\x01 Byron 😀 ü"
    body = json.dumps({"name": name}, ensure_ascii=False)

    await aws.send(inbox.name, body, {})

    (message,) = await receive_all(aws, inbox.name, 1)
    assert json.loads(message.body) == {"name": name}


def read(body: bytes, status: int = 200) -> tuple[bytes, dict[str, Any]]:
    """What is left to botocore, and what was read before."""
    answer: dict[str, Any] = {"status_code": status, "body": body}
    messages: dict[str, Any] = {}
    _read_messages(response_dict=answer, customized_response_dict=messages)
    return answer["body"], messages


@pytest.mark.parametrize("found", [{}, {"Messages": [{"MessageId": "1", "Body": "é"}]}])
def test_messages_are_read_and_nothing_is_left(found):
    assert read(json.dumps(found).encode()) == (b"{}", found)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"Messages": null}', b'{"Messages": [{"Body": null}]}'],
)
def test_an_answer_without_messages_is_left_to_botocore(body):
    assert read(body) == (body, {})


def test_an_error_is_left_to_botocore():
    error = b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist"}'

    assert read(error, status=400) == (error, {})


@pytest.mark.parametrize("text", ["plain", "ü", "\ufffe", "\uffff\ufffe"])
def test_what_is_made_transportable_means_the_same(text):
    document = json.dumps([text], ensure_ascii=False)

    carried = transportable(document)

    assert json.loads(carried) == [text]
    assert not set("\ufffe\uffff") & set(carried)
