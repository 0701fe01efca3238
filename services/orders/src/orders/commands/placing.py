"""What a caller may ask of Orders: to place orders, all that are waiting together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias
from uuid import UUID

import structlog
from msgspec import Struct

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.errors import Conflict, Refused
from chassis.idempotency import KeyReused
from orders.commands import announcing
from orders.domain.orders import Order
from orders.domain.refusals import Refusal
from orders.store import orders as store

log = structlog.get_logger(__name__)

PLACED = metrics.counter(
    "orderly.orders.placed", "{order}", "Orders placed", watched=True
)


class PaymentAlreadyUsed(Conflict):
    code = "payment_already_used"


_KINDS: Mapping[str, type[Refused]] = {
    kind.code: kind for kind in (KeyReused, PaymentAlreadyUsed)
}


class Placed(Struct, frozen=True):
    """The order as it is now, which is no news if an earlier attempt placed it."""

    order: Order
    is_news: bool


Answer: TypeAlias = Placed | Refused


async def place_orders(tx: Tx, asked: Sequence[Order]) -> list[Answer]:
    """Place what is new; each gets its own answer, whatever its neighbours get."""
    answers = await _place(tx, asked)
    after_commit(tx, partial(_record, answers))
    return answers


async def _place(tx: Tx, asked: Sequence[Order]) -> list[Answer]:
    """Further attempts at an order of this very batch find what the first one met."""
    firsts = {order.id: order for order in reversed(asked)}
    answers, stored = await _place_distinct(tx, firsts)
    # A key whose first order was not stored may still be used by another one.
    others = [
        order
        for order in asked
        if order.id not in stored and order.fingerprint != firsts[order.id].fingerprint
    ]
    answers_to_others = iter(await _place(tx, others) if others else ())

    def answer(order: Order) -> Answer:
        if order is firsts[order.id]:
            return answers[order.id]
        if order.id in stored:
            return _repeated(order, stored[order.id])
        if order.fingerprint == firsts[order.id].fingerprint:
            return answers[order.id]
        return next(answers_to_others)

    return [answer(order) for order in asked]


async def _place_distinct(
    tx: Tx, asked: Mapping[UUID, Order]
) -> tuple[dict[UUID, Answer], Mapping[UUID, Order]]:
    """The answers, and the orders that these ids have now."""
    new = {order.id: order for order in await store.add(tx, asked.values())}
    await outbox.publish(tx, [announcing.placed(order) for order in new.values()])
    answers: dict[UUID, Answer] = {
        id_: Placed(order, is_news=True) for id_, order in new.items()
    }

    same_key = await store.get_many(tx, asked.keys() - new.keys())
    answers |= {id_: _repeated(asked[id_], order) for id_, order in same_key.items()}

    rest = [asked[id_] for id_ in asked.keys() - answers.keys()]
    same_payment = await store.find_by_payment(tx, {o.payment.key for o in rest})
    answers |= {o.id: _paid_twice(o, same_payment[o.payment.key]) for o in rest}
    return answers, new | same_key


def _repeated(order: Order, earlier: Order) -> Answer:
    if order.fingerprint == earlier.fingerprint:
        return Placed(earlier, is_news=False)
    return KeyReused(
        "This Idempotency-Key came with another order before. Use a new one."
    )


def _paid_twice(order: Order, earlier: Order) -> Answer:
    if (order.client, order.fingerprint) == (earlier.client, earlier.fingerprint):
        return Placed(earlier, is_news=False)
    return PaymentAlreadyUsed(
        "This payment paid another order. Capture a payment for this one."
    )


def refused_later(refusal: Refusal) -> Refused:
    """What the client would have been told at once, had the database answered."""
    return _KINDS[refusal.code](refusal.detail)


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
