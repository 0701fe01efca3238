"""The watchdog's rules: when what nobody answered is announced again."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from orders.domain.cancellations import Cancellation
from orders.domain.orders import Attention, Order


class Patience(Struct, frozen=True, kw_only=True):
    """At these ages, and after the last of them at regular intervals."""

    ages: tuple[timedelta, ...]
    then_every: timedelta

    @property
    def first(self) -> timedelta:
        return self.ages[0]

    def next_after(self, at: datetime, *, began: datetime) -> datetime:
        coming = (began + age for age in self.ages if began + age > at)
        return next(coming, at + self.then_every)


def is_overdue(watched: Order | Cancellation, patience: Patience, at: datetime) -> bool:
    if watched.decided_at is not None:
        return False
    return (watched.rescue_at or began(watched) + patience.first) <= at


def began(watched: Order | Cancellation) -> datetime:
    return watched.placed_at if isinstance(watched, Order) else watched.requested_at


def rescue_order(order: Order, patience: Patience, at: datetime) -> Order:
    return replace(
        with_overdue(order, Attention.UNDECIDED, at),
        rescue_at=patience.next_after(at, began=order.placed_at),
    )


def rescue_cancellation(
    cancellation: Cancellation, patience: Patience, at: datetime
) -> Cancellation:
    return replace(
        cancellation,
        rescue_at=patience.next_after(at, began=cancellation.requested_at),
    )


def with_overdue(order: Order, overdue: Attention, at: datetime) -> Order:
    """That it is undecided matters more than that a cancellation is open."""
    if order.overdue in {overdue, Attention.UNDECIDED}:
        return order
    return order.changed(at, overdue=overdue)
