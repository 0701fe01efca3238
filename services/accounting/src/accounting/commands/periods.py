"""Periods are closed."""

from collections.abc import Mapping
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from accounting.domain.periods import Loose, Month, missing
from accounting.store import periods
from accounting.store.periods import Period
from chassis.database import Database, Tx
from chassis.errors import Conflict, Unavailable
from chassis.queues import Aws
from contracts.topology import TOPOLOGY

QUEUES = tuple(
    name
    for queue in TOPOLOGY.queues_of("accounting")
    for name in (queue.name, queue.dead_letters)
)


class PeriodNotClosable(Conflict):
    """Something of the period is outstanding; the answer names it."""

    code = "period_not_closable"


class QueuesUnavailable(Unavailable):
    code = "queues_unavailable"


async def close_period(
    database: Database, aws: Aws, month: Month, closed_by: str
) -> Period:
    # Asked first: no call to the outside happens inside a transaction. What a queue
    # brings after this is late, and finds the period closed or is in before it is.
    waiting = await _depths(aws)
    return await database.transact(_close, month, closed_by, waiting)


async def _close(
    tx: Tx, month: Month, closed_by: str, waiting: Mapping[str, int]
) -> Period:
    await periods.hold_all(tx)
    closed = await periods.get_closed(tx, month)
    if closed:
        return closed
    parked, unnumbered = await periods.count_loose(tx, month)
    loose = Loose(
        first_open=await periods.first_open_month(tx),
        parked=parked,
        unnumbered=unnumbered,
        waiting=waiting,
    )
    found = missing(month, datetime.now(UTC).date(), loose)
    if found:
        raise PeriodNotClosable(
            f"{month} cannot be closed yet.",
            missing=[reason._asdict() for reason in found],
        )
    return await periods.close(tx, month, closed_by)


async def _depths(aws: Aws) -> dict[str, int]:
    try:
        return {queue: await aws.depth(queue) for queue in QUEUES}
    except (BotoCoreError, ClientError) as error:
        raise QueuesUnavailable("The queues do not answer.") from error
