"""Facts that do not come are asked for; those that cannot be entered are put aside."""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from botocore.exceptions import ClientError
from msgspec import Struct

from accounting.store import parking
from accounting.store.parking import Gap, Refused
from chassis import aside, inbox, outbox
from chassis.database import Database, Tx
from chassis.events import Announcement
from chassis.letters import DeadLetter, put_aside
from chassis.logs import of_one
from chassis.queues import Aws
from chassis.topology import Queue
from contracts.accounting import DeadLetterChanged, FactsMissing

log = structlog.get_logger(__name__)

AT_ONCE = 100
BEHIND = 100  # messages: what is missing may be in one of them

tell = aside.announcing(DeadLetterChanged.of)


class Patience(Struct, frozen=True, kw_only=True):
    """How old a gap is when it is asked about, and when it is an alarm."""

    asks_after: timedelta = timedelta(seconds=60)
    alarms_after: timedelta = timedelta(minutes=10)


async def ask_for_missing(
    database: Database, aws: Aws, queue: Queue, patience: Patience
) -> Sequence[Gap]:
    """Have Orders announce again what has not come, unless it may be on its way."""
    if await aws.depth(queue.name) > BEHIND:
        return []
    return await database.transact(_ask, patience.asks_after)


async def _ask(tx: Tx, age: timedelta) -> Sequence[Gap]:
    gaps = await parking.note_gaps(tx, age=age, most=AT_ONCE)
    await outbox.publish(tx, [_missing(gap) for gap in gaps])
    if gaps:
        one = of_one("order_id", [gap.order_id for gap in gaps])
        log.warning("Facts are missing", orders=len(gaps), **one)
    return gaps


def _missing(gap: Gap) -> Announcement:
    return Announcement(
        FactsMissing(order_id=gap.order_id, from_sequence=gap.from_sequence),
        subject=str(gap.order_id),
    )


async def put_refused_aside(database: Database, aws: Aws, queue: Queue) -> int:
    """Make dead letters of refused facts, as if their messages had just come."""
    refused = await database.transact(parking.find_refused, AT_ONCE)
    for fact in refused:
        # Who redrives a letter the moment it is there is to find it waited for.
        await database.transact(_await_redrive, queue, fact)
        try:
            await put_aside(aws, queue, DeadLetter(body=fact.alone, reason=fact.reason))
        except ClientError:
            # Tried again, and the others need not wait for it.
            log.exception("Not put aside", order_id=str(fact.order_id))
        else:
            # A crash before this costs a second letter, and never one.
            await database.transact(parking.note_put_aside, fact)
    return len(refused)


async def _await_redrive(tx: Tx, queue: Queue, fact: Refused) -> None:
    await aside.note(tx, queue.name, [fact.named], tell)
    await inbox.release(tx, fact.event_id, fact.time)
