"""SQS and SNS on a bad day, as no emulator has them: the real ones, with a fault.

And a log that somebody else is giving positions in.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa

from chassis.database import Database
from chassis.outbox import relay_cursor
from chassis.queues import Aws

Call = Callable[..., Awaitable[Any]]
# Gets the real call, and makes of it what it likes.
Fault = Callable[..., Awaitable[Any]]


class Faulty:
    """A client that passes every call on, except those that have a fault."""

    def __init__(self, client: Any, faults: Mapping[str, Fault]) -> None:
        self._client = client
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        return partial(self._faults[name], real) if name in self._faults else real


def with_faults(
    aws: Aws, *, sqs: Mapping[str, Fault] = {}, sns: Mapping[str, Fault] = {}
) -> Aws:
    return Aws(
        Faulty(aws.sqs, sqs),
        Faulty(aws.sns, sns),
        region="us-east-1",
        account_id="000000000000",
    )


def first_time(fault: Fault) -> Fault:
    """The fault once, and then the real call."""
    faults = iter([fault])

    async def call(real: Call, **arguments: Any) -> Any:
        now = next(faults, None)
        return await (now(real, **arguments) if now else real(**arguments))

    return call


async def refuse(_: Call, **__: Any) -> Any:
    raise ConnectionRefusedError


@asynccontextmanager
async def nobody_numbers(database: Database) -> AsyncIterator[None]:
    """What is announced meanwhile waits for the relay to have positions."""
    async with database.begin() as tx:
        await tx.execute(sa.select(relay_cursor).with_for_update())
        yield
