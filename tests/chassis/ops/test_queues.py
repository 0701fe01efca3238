import asyncio
from dataclasses import replace

import pytest

from chassis import ops
from chassis.testing import serving
from sample.main import QUEUE, SERVICE, events
from tests.chassis.faults import with_faults


async def the_queue(operator):
    (view,) = (await operator.get("queues")).json()["items"]
    return view


async def test_an_empty_queue_is_shown_with_its_figures(operator, queue):
    assert await the_queue(operator) == {
        "name": queue.name,
        "depth": 0,
        "in_flight": 0,
        "age": 0,
        "dead_letters": 0,
        "error": None,
    }


async def test_what_waits_is_told_from_what_somebody_has_in_hand(operator, aws, queue):
    for _ in range(12):
        await aws.send(queue.name, "[]", {})
    taken = await aws.receive(queue.name, wait_s=5)
    await aws.send(queue.dead_letters, "[]", {})

    view = await the_queue(operator)

    assert (view["depth"], view["in_flight"]) == (12 - len(taken), len(taken))
    assert view["dead_letters"] == 1


async def test_nobody_knows_the_age_of_what_was_never_received_here(
    operator, aws, queue
):
    await aws.send(queue.name, "[]", {})

    assert (await the_queue(operator))["age"] is None


async def test_the_age_is_that_of_the_oldest_message_last_received(
    operator, aws, queue
):
    await aws.send(queue.name, "[]", {})
    await asyncio.sleep(1.1)
    await aws.receive(queue.name, wait_s=5)

    assert 1 <= (await the_queue(operator))["age"] <= 20


async def test_a_queue_that_does_not_answer_says_so(database, aws, issuer, queue):
    async def hang(real, QueueUrl, **arguments):  # noqa: N803 - as AWS calls it
        if QueueUrl.endswith(queue.name):
            await asyncio.sleep(60)
        return await real(QueueUrl=QueueUrl, **arguments)

    other = replace(QUEUE, name="nowhere")
    service = replace(SERVICE, hears={queue: events, other: events})
    faulty = with_faults(aws, sqs={"get_queue_attributes": hang})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops.queues, "ANSWERS_WITHIN_S", 0.5)
        async with serving(service, database, faulty, [issuer.trusted]) as client:
            answer = await client.get(
                "/v1/sample/ops/queues", headers=issuer.headers("ops")
            )

    errors = [view["error"] for view in answer.json()["items"]]
    assert answer.status_code == 200
    assert errors[0] == "TimeoutError"
    assert errors[1] is not None


@pytest.mark.parametrize("path", ["queues", "dead-letters", "digest"])
async def test_operations_are_for_operators(operator, issuer, path):
    reader = await operator.get(path, headers=issuer.headers("sample.read"))
    customer = await operator.get(path, headers=issuer.headers("ops", customer="c-42"))

    assert (reader.status_code, customer.status_code) == (403, 403)
