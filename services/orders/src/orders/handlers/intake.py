"""Orders that were accepted while the database was away."""

from collections.abc import Sequence
from functools import partial

import structlog

from chassis import metrics
from chassis.database import Tx, after_commit
from chassis.errors import Refused
from chassis.events import Envelope, Router
from orders.commands.intake import OrderSpilled
from orders.commands.placing import Answer, PaymentAlreadyUsed, place_orders
from orders.domain.orders import Order
from orders.domain.refusals import Refusal
from orders.store import refusals

log = structlog.get_logger(__name__)

REFUSED = metrics.counter(
    "orderly.orders.refused",
    "{order}",
    "Orders accepted that could not be placed",
    watched=True,
)

router = Router()


@router.on(OrderSpilled)
async def place_spilled_orders(tx: Tx, events: list[Envelope[OrderSpilled]]) -> None:
    asked = [event.data.restored() for event in events]
    answers = await place_orders(tx, asked)
    judged = map(_refusal, asked, answers)
    refused = [refusal for refusal in judged if refusal]
    await refusals.add(tx, refused)
    lost = [refusal for refusal in refused if not refusal.placed_as]
    after_commit(tx, partial(_record, lost))


def _refusal(order: Order, answer: Answer) -> Refusal | None:
    if isinstance(answer, Refused):
        return Refusal(
            order_id=order.id,
            fingerprint=order.fingerprint,
            client=order.client,
            code=answer.code,
            detail=answer.detail,
        )
    if answer.order.id == order.id:
        return None
    return Refusal(
        order_id=order.id,
        fingerprint=order.fingerprint,
        client=order.client,
        code=PaymentAlreadyUsed.code,
        detail="This payment placed the same order before.",
        placed_as=answer.order.id,
    )


def _record(lost: Sequence[Refusal]) -> None:
    for refusal in lost:
        REFUSED.add(1, {"code": refusal.code})
        # Somebody paid for it: each is for people to look at.
        about = {"order_id": str(refusal.order_id), "code": refusal.code}
        log.error("Order refused that was accepted", **about)
