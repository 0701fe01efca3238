"""What is known of dead letters: by others' events, and by our own queues."""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import asdict

from chassis.aside import Aside, is_uuid
from chassis.database import Tx
from chassis.events import Envelope
from contracts.letters import DeadLetter as LetterChanged
from orders.commands import letters
from orders.domain.letters import DeadLetter


async def mark_orders(tx: Tx, events: Sequence[Envelope[LetterChanged]]) -> None:
    await letters.note(tx, [DeadLetter(**asdict(event.data)) for event in events])


async def mark_own(tx: Tx, asides: Sequence[Aside]) -> None:
    """What this service itself puts aside; the subject of all it hears is an order."""
    about_orders = [aside for aside in asides if is_uuid(aside.subject)]
    await letters.note(tx, [_letter(aside) for aside in about_orders])


def _letter(aside: Aside) -> DeadLetter:
    return DeadLetter(
        event_id=aside.event_id,
        queue=aside.queue,
        order_id=UUID(aside.subject),
        event_type=aside.type,
        waits=aside.waits,
        changed_at=aside.at,
    )
