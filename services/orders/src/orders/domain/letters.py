"""Dead letters about orders, in the queue of whichever service."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct


class DeadLetter(Struct, frozen=True, kw_only=True):
    """An event that was put aside there, or handled after all."""

    event_id: UUID
    queue: str
    order_id: UUID
    event_type: str
    waits: bool
    changed_at: datetime


def newest(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """The last that was said of each event in each queue."""
    in_order = sorted(letters, key=lambda letter: letter.changed_at)
    last = {(letter.event_id, letter.queue): letter for letter in in_order}
    return [last[key] for key in sorted(last)]
