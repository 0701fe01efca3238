"""Taking orders in: into the database, or while it is silent, into the queue.

Both may happen to one order, for a commit that was not answered may still have been
made. Its id makes it one order then: whichever comes second finds what the first did.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

import structlog
from msgspec import Struct

from chassis import metrics, tracing
from chassis.batching import GroupCommit
from chassis.database import Database, DatabaseUnavailable
from chassis.events import Event, to_wire
from chassis.ids import uuid7
from chassis.queues import Aws, QueueAway
from chassis.relay import Carried, bundled, calls
from contracts.topology import ORDERS_INTAKE
from orders.commands import placing
from orders.domain.orders import Order
from orders.store.asked import AskedOrder, written

log = structlog.get_logger(__name__)

SPILLED = metrics.counter(
    "orderly.orders.spilled",
    "{order}",
    "Orders taken by the queue for the database",
    watched=True,
)

SPILLS_WITHIN_S = 5.0


class OrderSpilled(AskedOrder, Event, frozen=True, kw_only=True):
    """Orders tells itself of an order that its database could not take."""

    type: ClassVar[str] = "orders.order_spilled.v1"

    order_id: UUID  # as every event has it that is about an order: logs go by it


class Spilled(Struct, frozen=True):
    """The queue has the order; it is placed under this id when the database is back."""

    order_id: UUID


class Intake:
    def __init__(
        self, database: Database, aws: Aws, *, most_waiting: int, spill_after_s: float
    ) -> None:
        self._aws = aws
        self.placing: GroupCommit[Order, placing.Answer] = GroupCommit(
            lambda asked: database.transact(placing.place_orders, asked),
            called="orders",
            subject=_subject,
            named="order_id",
            max_waiting=most_waiting,
            answers_within_s=spill_after_s,
        )
        self.spilling: GroupCommit[Order, Spilled] = GroupCommit(
            self._spill,
            called="orders to spill",
            subject=_subject,
            named="order_id",
            max_waiting=most_waiting,
            answers_within_s=SPILLS_WITHIN_S,
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
        carried = (_carried(order, place) for place, order in enumerate(orders))
        for call in calls(bundled(carried)):
            await self._aws.send_many(
                ORDERS_INTAKE.name, [bundle.body for bundle in call]
            )
        SPILLED.add(len(orders))
        log.warning("Orders spilled", orders=len(orders))
        return [Spilled(order.id) for order in orders]


def _subject(order: Order) -> str:
    return str(order.id)


def _carried(order: Order, position: int) -> Carried:
    id_, now = uuid7(), datetime.now(UTC)
    json = to_wire(
        id=id_,
        source="orderly/orders",
        type=OrderSpilled.type,
        subject=str(order.id),
        time=now,
        sequence=None,
        traceparent=tracing.traceparent(str(order.id)),
        data=written(OrderSpilled.of(order, order_id=order.id)),
    )
    return Carried(id_, now, position, json)
