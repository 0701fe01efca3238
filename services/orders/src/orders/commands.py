"""What a caller may ask of Orders: to place orders, all that are waiting together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import structlog

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.errors import Conflict, Refused
from chassis.events import Announcement
from chassis.idempotency import KeyReused
from contracts.orders import OrderPlaced
from orders import store
from orders.domain import Order, PaymentKey

log = structlog.get_logger(__name__)

PLACED = metrics.counter("orderly.orders.placed", "{order}", "Orders placed")


class PaymentAlreadyUsed(Conflict):
    code = "payment_already_used"


@dataclass(frozen=True)
class Placed:
    """The order as it is now, which is no news if an earlier attempt placed it."""

    order: Order
    is_news: bool


Answer: TypeAlias = Placed | Refused


async def place_orders(tx: Tx, asked: Sequence[Order]) -> list[Answer]:
    """Place what is new; each gets its own answer, whatever its neighbours get."""
    # Of two attempts at the same order the first is stored, and the second finds it.
    firsts = {order.id: order for order in reversed(asked)}
    new = {order.id: order for order in await store.add(tx, firsts.values())}
    await outbox.publish(tx, [_order_placed(order) for order in new.values()])

    known = new | await store.get_many(tx, firsts.keys() - new.keys())
    rivals = await store.find_by_payment(
        tx, {order.payment.key for order in asked if order.id not in known}
    )
    answers: list[Answer] = []
    for order in asked:
        if order.id not in known:
            answers.append(_other_key(order, rivals))
        elif order.id in new and order is firsts[order.id]:
            answers.append(Placed(new[order.id], is_news=True))
        else:
            answers.append(_same_key(order, known[order.id]))
    after_commit(tx, partial(_record, answers))
    return answers


def _same_key(order: Order, earlier: Order) -> Answer:
    if order.fingerprint == earlier.fingerprint:
        return Placed(earlier, is_news=False)
    return KeyReused(
        "This Idempotency-Key came with another order before. Use a new one."
    )


def _other_key(order: Order, rivals: Mapping[PaymentKey, Order]) -> Answer:
    """Only its payment keeps an order with a new key from being placed."""
    rival = rivals[order.payment.key]
    if (order.client, order.fingerprint) == (rival.client, rival.fingerprint):
        return Placed(rival, is_news=False)
    return PaymentAlreadyUsed(
        "This payment paid another order. Capture a payment for this one."
    )


def _order_placed(order: Order) -> Announcement:
    event = OrderPlaced.model_validate(order, from_attributes=True)
    return Announcement(event, str(order.id), order.sequence)


def _record(answers: Sequence[Answer]) -> None:
    placed = Counter(
        answer.order.channel
        for answer in answers
        if isinstance(answer, Placed) and answer.is_news
    )
    for channel, orders in placed.items():
        PLACED.add(orders, {"channel": channel})
    refused = sum(isinstance(answer, Refused) for answer in answers)
    log.info("Orders placed", asked=len(answers), new=placed.total(), refused=refused)
