import asyncio
import json
from dataclasses import replace

from chassis.testing import eventually
from chassis.topology import Queue, Topic, Topology, provision


async def attributes_of(aws, queue: str) -> dict:
    answer = await aws.sqs.get_queue_attributes(
        QueueUrl=await aws.queue_url(queue), AttributeNames=["All"]
    )
    return answer["Attributes"]


async def test_a_queue_gets_its_times_and_its_dead_letters(aws, queue):
    attributes = await attributes_of(aws, queue.name)

    assert attributes["VisibilityTimeout"] == str(queue.visibility_timeout_s)
    assert attributes["MessageRetentionPeriod"] == str(queue.retention_s)
    assert json.loads(attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": aws.queue_arn(f"{queue.name}-dlq"),
        "maxReceiveCount": 50,
    }


async def test_dead_letters_outlive_their_queue(aws, queue):
    attributes = await attributes_of(aws, queue.dead_letters)

    assert int(attributes["MessageRetentionPeriod"]) > queue.retention_s


async def test_only_its_topic_may_write_to_a_queue(aws, topic, queue):
    attributes = await attributes_of(aws, queue.name)

    (statement,) = json.loads(attributes["Policy"])["Statement"]
    source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert source == aws.topic_arn(topic.name)


async def test_provisioning_again_changes_and_doubles_nothing(aws, topic, queue):
    await provision(aws, Topology(topics=(topic,), queues=(queue,)))
    await aws.publish(topic.name, ["once"])

    (message,) = await aws.receive(queue.name, wait_s=5)
    await aws.delete(queue.name, [message])

    assert await aws.receive(queue.name, wait_s=1) == []


async def test_what_is_there_stays_as_it_is(aws, topic, queue):
    changed = replace(queue, visibility_timeout_s=77)

    await provision(aws, Topology(topics=(topic,), queues=(changed,)))

    attributes = await attributes_of(aws, queue.name)
    assert attributes["VisibilityTimeout"] == str(queue.visibility_timeout_s)


async def test_two_may_provision_at_once(aws, topic, queue):
    second = replace(queue, name=f"{queue.name}-2")
    topology = Topology(topics=(topic,), queues=(queue, second))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(provision(aws, topology))
    await aws.publish(topic.name, ["to both"])

    async def reached() -> bool:
        return bool(await aws.receive(second.name, wait_s=1))

    await eventually(reached)


def test_a_service_knows_its_queues():
    topic = Topic(name="topic")
    ours = Queue(name="ours", owner="us", hears=topic)
    theirs = Queue(name="theirs", owner="them", hears=topic)

    assert Topology(topics=(topic,), queues=(ours, theirs)).queues_of("us") == (ours,)
