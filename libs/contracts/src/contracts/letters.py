"""What services say alike of the dead letters that are about orders."""

from datetime import datetime
from uuid import UUID

from chassis.events import Event


class DeadLetter(Event):
    """An event about an order that could not be handled, and whether it still waits.

    Of two about the same event in the same queue, the later is true.
    """

    order_id: UUID
    event_id: UUID
    event_type: str
    queue: str
    waits: bool
    changed_at: datetime
