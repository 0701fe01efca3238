"""Telling that an event about an order is stuck, so that Orders shows it."""

from collections.abc import Sequence
from uuid import UUID

from chassis import outbox
from chassis.aside import Aside, is_uuid
from chassis.database import Tx
from chassis.events import Announcement
from contracts.inventory import DeadLetterChanged


async def tell(tx: Tx, asides: Sequence[Aside]) -> None:
    about_orders = (aside for aside in asides if is_uuid(aside.subject))
    await outbox.publish(tx, [_told(aside) for aside in about_orders])


def _told(aside: Aside) -> Announcement:
    event = DeadLetterChanged(
        order_id=UUID(aside.subject),
        event_id=aside.event_id,
        event_type=aside.type,
        queue=aside.queue,
        waits=aside.waits,
        changed_at=aside.at,
    )
    return Announcement(event, aside.subject)
