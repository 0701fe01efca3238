"""Documents get their numbers."""

from accounting.store import documents
from chassis import outbox
from chassis.database import Tx
from chassis.events import Announcement
from contracts.accounting import InvoiceIssued, PaymentPosition

AT_ONCE = 1000


async def number_documents(tx: Tx) -> int:
    """Give the next documents their numbers and announce them; how many there were."""
    numbered = await documents.number(tx, AT_ONCE)
    await outbox.publish(tx, [_issued(document) for document in numbered])
    return len(numbered)


def _issued(document: documents.Numbered) -> Announcement:
    position = document.position
    return Announcement(
        InvoiceIssued(
            order_id=document.order_id,
            number=document.number,
            customer_id=document.customer_id,
            currency=document.currency,
            total=document.total,
            issued_on=document.issued_on,
            due_on=document.due_on,
            payment=PaymentPosition(version=position.version, status=position.status),
        ),
        subject=str(document.order_id),
    )
