"""Documents get their numbers."""

from accounting.commands.announcing import document_issued
from accounting.settings import Seller
from accounting.store import documents
from chassis import outbox
from chassis.database import Tx

AT_ONCE = 1000


async def number_documents(tx: Tx, seller: Seller) -> int:
    """Give the next documents their numbers and announce them; how many there were."""
    numbered = await documents.number(tx, AT_ONCE, seller.model_dump_json())
    await outbox.publish(tx, [document_issued(document) for document in numbered])
    return len(numbered)
