"""What is done to a stack that runs elsewhere, by the settings its services have."""

import asyncio
import os
from collections.abc import Mapping
from typing import NoReturn

from chassis import queues
from chassis.database import is_away
from chassis.queues import NO_ANSWER, Aws
from chassis.topology import provision
from contracts.topology import TOPOLOGY
from orderly.errors import StackError
from orderly.republish import Tell, republish
from orderly.stack.services import NAMES

LOOK_EVERY_S = 2.0


async def provision_topology() -> None:
    async with queues.connect(**_account()) as aws:
        await provision(aws, TOPOLOGY)


async def republish_lost(tell: Tell) -> int:
    async with queues.connect(**_account()) as aws:
        return await republish(aws, _database_urls(), tell)


async def keep_queues(tell: Tell) -> NoReturn:
    """Make queues that are gone anew, with what was in them; for ever.

    Also queues that somebody else made anew: an emulator that was restarted has lost
    what was under way, whoever provisions it.
    """
    known: Mapping[str, str] | None = None
    silent = False
    async with queues.connect(**_account()) as aws:
        while True:
            try:
                if known is None or await _creation_times(aws) != known:
                    await provision(aws, TOPOLOGY)
                    made = await _creation_times(aws)
                    published = await republish(aws, _database_urls(), tell)
                    tell("queues", f"are there: {published:,} events published again")
                    known = made
                silent = False
            except Exception as error:
                if not (isinstance(error, NO_ANSWER) or is_away(error)):
                    raise
                if not silent:
                    tell("queues", f"not all is there, trying on: {error!r}")
                silent = True
            await asyncio.sleep(LOOK_EVERY_S)


async def _creation_times(aws: Aws) -> dict[str, str]:
    """When each queue was made; one that is missing was never."""
    return {queue.name: await _created(aws, queue.name) for queue in TOPOLOGY.queues}


async def _created(aws: Aws, queue: str) -> str:
    try:
        answer = await aws.sqs.get_queue_attributes(
            QueueUrl=await aws.queue_url(queue), AttributeNames=["CreatedTimestamp"]
        )
    except aws.sqs.exceptions.QueueDoesNotExist:
        return "never"
    return str(answer["Attributes"]["CreatedTimestamp"])


def _account() -> dict[str, str]:
    return {
        "region": os.environ.get("AWS_REGION", "us-east-1"),
        "account_id": os.environ.get("ORDERLY_AWS_ACCOUNT_ID", "000000000000"),
    }


def _database_urls() -> dict[str, str]:
    return {name: _database_url(name) for name in NAMES}


def _database_url(service: str) -> str:
    setting = f"{service.upper()}_DATABASE_URL"
    if setting not in os.environ:
        raise StackError(f"{setting} is not set: where is the database of {service}?")
    return os.environ[setting]
