"""Queues that an emulator forgets as it stops: made anew, with what was in them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from chassis.database import is_away
from chassis.queues import NO_ANSWER, Aws
from chassis.topology import Topology, provision
from orderly.words import some

LOOK_EVERY_S = 2.0
NEVER = "never"


async def keep(
    aws: Aws,
    topology: Topology,
    publish_again: Callable[[], Awaitable[int]],
    say: Callable[[str], None],
    *,
    every_s: float = LOOK_EVERY_S,
) -> NoReturn:
    """See to it now, and whenever a queue is not the one it was, whoever made it."""
    known: dict[str, str] | None = None
    waiting = False
    while True:
        try:
            found = await _creation_times(aws, topology)
            if found != known or NEVER in found.values():
                await provision(aws, topology)
                made = await _creation_times(aws, topology)
                published = await publish_again()
                known = made
                say(f"queues are there, {some(published, 'event')} published again")
            waiting = False
        except Exception as error:
            if not (isinstance(error, NO_ANSWER) or is_away(error)):
                raise
            if not waiting:
                say(f"trying until it answers: {error}")
            waiting = True
        await asyncio.sleep(every_s)


async def _creation_times(aws: Aws, topology: Topology) -> dict[str, str]:
    return {queue.name: await _created(aws, queue.name) for queue in topology.queues}


async def _created(aws: Aws, queue: str) -> str:
    try:
        answer = await aws.sqs.get_queue_attributes(
            QueueUrl=await aws.queue_url(queue), AttributeNames=["CreatedTimestamp"]
        )
    except aws.sqs.exceptions.QueueDoesNotExist:
        return NEVER
    return str(answer["Attributes"]["CreatedTimestamp"])
