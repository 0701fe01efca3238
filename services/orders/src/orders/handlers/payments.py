"""What Accounting says: how far orders are paid, and which of their facts it missed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NoReturn, TypeAlias
from uuid import UUID

import structlog
from msgspec import convert

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.events import Announcement, Envelope, Router
from contracts import orders as contracts
from contracts.accounting import (
    CreditNoteIssued,
    DeadLetterChanged,
    FactsMissing,
    InvoiceIssued,
    InvoicePaid,
    RefundRequested,
    RefundSettled,
)
from orders.handlers import UnknownOrders, hold_accounted
from orders.handlers.letters import mark_orders
from orders.store import orders as store
from orders.store import timeline

log = structlog.get_logger(__name__)

PaymentMoved: TypeAlias = (
    InvoiceIssued | InvoicePaid | CreditNoteIssued | RefundRequested | RefundSettled
)

TIME_TO_INVOICE = metrics.histogram(
    "orderly.orders.time_to_invoice",
    "s",
    "From placing a paid order to its invoice; on terms that is a matter of shipping",
    watched=True,
)

EVENTS = {event.type: event for event in contracts.EVENTS}

router = Router()
router.on(DeadLetterChanged)(mark_orders)


class UnknownFacts(Exception):
    """Facts are missed that the event log does not have, though it has their orders.

    It was set back, as by a restore, or its months are over: somebody has to look.
    """


@router.on(InvoiceIssued, InvoicePaid, CreditNoteIssued, RefundRequested, RefundSettled)
async def update_payments(tx: Tx, events: list[Envelope[PaymentMoved]]) -> None:
    newest = {
        event.order_id: event.payment
        for event in sorted(
            (event.data for event in events), key=lambda e: e.payment.version
        )
    }
    before = await hold_accounted(tx, newest.keys())
    at = datetime.now(UTC)
    accounted = [
        order.account(newest[order.id].version, newest[order.id].status, at)
        for order in before.values()
    ]
    await store.save_accounted(tx, [o for o in accounted if o is not before[o.id]])
    invoiced = {e.data.order_id for e in events if isinstance(e.data, InvoiceIssued)}
    waited = [
        at - before[order_id].placed_at
        for order_id in invoiced
        if before[order_id].payment_method is contracts.PaymentMethod.PREPAID
    ]
    after_commit(tx, partial(_record, waited))


@router.on(FactsMissing)
async def announce_again(tx: Tx, events: list[Envelope[FactsMissing]]) -> None:
    """Under new ids and the old sequences, so that those who have them see no news."""
    missing = {
        event.order_id: event.from_sequence
        for event in sorted(
            (event.data for event in events),
            key=lambda e: e.from_sequence,
            reverse=True,
        )
    }
    told = await timeline.find_from(tx, missing)
    if untold := missing.keys() - {fact.order_id for fact in told}:
        await _complain(tx, {id_: missing[id_] for id_ in untold})
    again = [
        Announcement(
            convert(fact.data, EVENTS[fact.type]),
            str(fact.order_id),
            fact.sequence,
            fact.traceparent,
        )
        for fact in told
    ]
    await outbox.publish(tx, again)
    log.info("Facts announced again", orders=len(missing), facts=len(again))


async def _complain(tx: Tx, untold: Mapping[UUID, int]) -> NoReturn:
    known = await store.get_many(tx, untold.keys())
    if unknown := untold.keys() - known.keys():
        raise UnknownOrders(", ".join(map(str, unknown)))
    raise UnknownFacts(", ".join(f"{id_} from {n} on" for id_, n in untold.items()))


def _record(waited: Sequence[timedelta]) -> None:
    for time in waited:
        TIME_TO_INVOICE.record(time.total_seconds())
