"""The queue that Orders writes to itself: what is in it is nowhere else yet."""

import asyncio
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from chassis.queues import Aws
from contracts.topology import ORDERS_INTAKE
from orderly.stack.emulator import Emulator
from orderly.stack.keeper import Say

DRAINED_WITHIN_S = 20.0
LOOK_EVERY_S = 0.2


async def drain(
    emulator: Emulator, say: Say, *, hurried: Callable[[], bool] = lambda: False
) -> None:
    """Wait for Orders to place what is in it: an emulator that ends forgets it."""
    left: int | None = None
    try:
        async with asyncio.timeout(DRAINED_WITHIN_S), emulator.connect() as aws:
            left = await _depth(aws)
            if left:
                say(
                    "orders",
                    f"has {left} still to place from {ORDERS_INTAKE.name}: waiting up"
                    f" to {DRAINED_WITHIN_S:.0f} s for that (Ctrl-C: no longer)",
                )
            while left and not hurried():
                await asyncio.sleep(LOOK_EVERY_S)
                left = await _depth(aws)
    except (TimeoutError, BotoCoreError, ClientError) as error:
        if left is None:
            say("emulator", f"does not tell what is in its queues: {error!r}")
    if left:
        say("emulator", f"forgets {left} in {ORDERS_INTAKE.name}, never placed")


async def _depth(aws: Aws) -> int:
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    answer = await aws.sqs.get_queue_attributes(
        QueueUrl=await aws.queue_url(ORDERS_INTAKE.name), AttributeNames=list(counts)
    )
    return sum(int(answer["Attributes"][count]) for count in counts)
