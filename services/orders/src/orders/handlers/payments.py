"""How far orders are paid or refunded, as Accounting says."""

from datetime import UTC, datetime

from chassis.database import Tx
from chassis.events import Envelope, Router
from contracts.accounting import InvoiceIssued, RefundRequested
from orders.handlers import hold
from orders.store import orders as store

router = Router()


@router.on(InvoiceIssued, RefundRequested)
async def update_payments(
    tx: Tx, events: list[Envelope[InvoiceIssued | RefundRequested]]
) -> None:
    newest = {
        event.order_id: event.payment
        for event in sorted(
            (event.data for event in events), key=lambda e: e.payment.version
        )
    }
    before = await hold(tx, newest.keys())
    at = datetime.now(UTC)
    accounted = [
        order.account(newest[order.id].version, newest[order.id].status, at)
        for order in before.values()
    ]
    await store.save(tx, [o for o in accounted if o is not before[o.id]])
