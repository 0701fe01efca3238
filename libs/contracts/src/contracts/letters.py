"""What services say alike of the dead letters that are about orders."""

from collections.abc import Iterable
from typing import Self
from uuid import UUID

from chassis.aside import Aside, is_uuid
from chassis.events import Announcement, Event, Time


class DeadLetter(Event, frozen=True, kw_only=True):
    """An event about an order that could not be handled, and whether it still waits.

    Of two about the same event in the same queue, the later is true.
    """

    order_id: UUID
    event_id: UUID
    event_type: str
    queue: str
    waits: bool
    changed_at: Time

    @classmethod
    def of(cls, asides: Iterable[Aside]) -> list[Announcement]:
        """What there is to announce of these: nothing of what is about no order.

        Nor of its own kind: the news of each would be put aside like the last.
        """
        return [
            Announcement(cls._about(aside), aside.subject)
            for aside in asides
            if is_uuid(aside.subject) and aside.type != cls.type
        ]

    @classmethod
    def _about(cls, aside: Aside) -> Self:
        return cls(
            order_id=UUID(aside.subject),
            event_id=aside.event_id,
            event_type=aside.type,
            queue=aside.queue,
            waits=aside.waits,
            changed_at=aside.at,
        )
