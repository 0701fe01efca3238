from datetime import UTC, datetime
from uuid import uuid4

from chassis.aside import Aside
from contracts.inventory import DeadLetterChanged
from inventory.commands.telling import tell


def an_aside(subject: str) -> Aside:
    return Aside(
        event_id=uuid4(),
        type="orders.order_placed.v1",
        subject=subject,
        queue="orderly-inventory-from-orders",
        waits=True,
        at=datetime(2026, 2, 14, 9, 30, tzinfo=UTC),
    )


async def test_orders_is_told_which_of_its_orders_are_stuck(tx, published):
    about_an_order, about_a_product = an_aside(str(uuid4())), an_aside("SOAP-5L")

    await tell(tx, [about_an_order, about_a_product])

    (told,) = await published()
    assert isinstance(told.data, DeadLetterChanged)
    assert told.subject == str(told.data.order_id) == about_an_order.subject
    assert (told.data.event_id, told.data.waits) == (about_an_order.event_id, True)
