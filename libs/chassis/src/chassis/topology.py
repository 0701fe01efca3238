"""The words a messaging topology is written in, and how to set one up.

In production Terraform does that; locally and in tests `provision` does.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chassis.queues import Aws


@dataclass(frozen=True, kw_only=True)
class Topic:
    """Where one service announces its events."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Where one service hears another; if `hears` is None, its own service writes."""

    name: str
    owner: str
    hears: Topic | None
    # What a killed process had in hand comes back after this; who lives extends it.
    visibility_timeout_s: int = 15
    retention_s: int = 4 * 24 * 3600
    # A dead letter's age counts from when it was first sent: it must outlive its queue.
    dead_letter_retention_s: int = 14 * 24 * 3600
    # Poison is isolated by the consumer; this only catches what kills the process.
    max_receive_count: int = 50

    @property
    def dead_letters(self) -> str:
        return f"{self.name}-dlq"


@dataclass(frozen=True, kw_only=True)
class Topology:
    topics: tuple[Topic, ...]
    queues: tuple[Queue, ...]

    def queues_of(self, owner: str) -> tuple[Queue, ...]:
        return tuple(queue for queue in self.queues if queue.owner == owner)


async def provision(aws: Aws, topology: Topology) -> None:
    """Create what is missing; what is there stays as it is."""
    for topic in topology.topics:
        await aws.sns.create_topic(Name=topic.name)
    for queue in topology.queues:
        await _provision_queue(aws, queue)


async def _provision_queue(aws: Aws, queue: Queue) -> None:
    await _create_queue(
        aws,
        queue.dead_letters,
        {"MessageRetentionPeriod": str(queue.dead_letter_retention_s)},
    )
    redrive = {
        "deadLetterTargetArn": aws.queue_arn(queue.dead_letters),
        "maxReceiveCount": queue.max_receive_count,
    }
    await _create_queue(
        aws,
        queue.name,
        {
            "VisibilityTimeout": str(queue.visibility_timeout_s),
            "MessageRetentionPeriod": str(queue.retention_s),
            "RedrivePolicy": json.dumps(redrive),
        },
    )
    if queue.hears is None:
        return
    arn = aws.queue_arn(queue.name)
    await aws.sqs.set_queue_attributes(
        QueueUrl=await aws.queue_url(queue.name),
        Attributes={"Policy": _only_from(aws.topic_arn(queue.hears.name), arn)},
    )
    await aws.sns.subscribe(
        TopicArn=aws.topic_arn(queue.hears.name),
        Protocol="sqs",
        Endpoint=arn,
        Attributes={"RawMessageDelivery": "true"},
    )


async def _create_queue(aws: Aws, name: str, attributes: Mapping[str, str]) -> None:
    # It raises when the queue is there, and is another one than is asked for.
    with suppress(aws.sqs.exceptions.QueueNameExists):
        await aws.sqs.create_queue(
            QueueName=name,
            Attributes={**attributes, "SqsManagedSseEnabled": "true"},
        )


def _only_from(topic_arn: str, queue_arn: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
    )
