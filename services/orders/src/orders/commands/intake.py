"""Taking orders in: into the database, or while it is silent, into the queue.

Both may happen to one order, for a commit that was not answered may still have been
made. Its id makes it one order then: whichever comes second finds what the first did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from chassis import metrics, telemetry
from chassis.batching import GroupCommit
from chassis.database import Database, DatabaseUnavailable
from chassis.events import Event
from chassis.queues import Aws, QueueAway
from chassis.relay import bundles, calls
from contracts.topology import ORDERS_INTAKE
from orders.commands import placing
from orders.domain.orders import Order
from orders.store.asked import AskedOrder

log = structlog.get_logger(__name__)

SPILLED = metrics.counter(
    "orderly.orders.spilled", "{order}", "Orders taken by the queue for the database"
)

SPILLS_WITHIN_S = 5.0


class OrderSpilled(AskedOrder, Event):
    """Orders tells itself of an order that its database could not take."""

    type: ClassVar[str] = "orders.order_spilled.v1"


@dataclass(frozen=True)
class Spilled:
    """The queue has the order; it is placed under this id when the database is back."""

    order_id: UUID


@dataclass(frozen=True)
class _Recorded:
    """A spilled order as the relay's bundles take it."""

    id: UUID
    subject: str
    time: datetime
    traceparent: str | None
    data: str
    position: int
    type: str = OrderSpilled.type
    sequence: int | None = None


class Intake:
    def __init__(
        self, database: Database, aws: Aws, *, most_waiting: int, spill_after_s: float
    ) -> None:
        self._aws = aws
        self.placing: GroupCommit[Order, placing.Answer] = GroupCommit(
            lambda asked: database.transact(placing.place_orders, asked),
            max_waiting=most_waiting,
            answers_within_s=spill_after_s,
        )
        self.spilling: GroupCommit[Order, Spilled] = GroupCommit(
            self._spill, max_waiting=most_waiting, answers_within_s=SPILLS_WITHIN_S
        )

    async def take(self, order: Order) -> placing.Answer | Spilled:
        try:
            return await self.placing.submit(order)
        except DatabaseUnavailable as away:
            try:
                return await self.spilling.submit(order)
            except QueueAway:
                raise away from None

    async def _spill(self, orders: Sequence[Order]) -> Sequence[Spilled]:
        recorded = (_recorded(order, place) for place, order in enumerate(orders))
        for call in calls(bundles("orderly/orders", recorded)):
            await self._aws.send_many(
                ORDERS_INTAKE.name, [bundle.body for bundle in call]
            )
        SPILLED.add(len(orders))
        log.warning("Orders spilled", orders=len(orders))
        return [Spilled(order.id) for order in orders]


def _recorded(order: Order, position: int) -> _Recorded:
    return _Recorded(
        id=uuid7(),
        subject=str(order.id),
        time=datetime.now(UTC),
        traceparent=telemetry.traceparent(),
        data=OrderSpilled.of(order).to_json(),
        position=position,
    )
