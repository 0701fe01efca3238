from datetime import UTC, datetime
from uuid import uuid4

import pytest

from chassis.aside import Aside
from contracts import accounting, inventory
from contracts.letters import DeadLetter


def an_aside(subject: str, type: str = "orders.order_placed.v1") -> Aside:
    return Aside(
        event_id=uuid4(),
        type=type,
        subject=subject,
        queue="orderly-inventory-from-orders",
        waits=True,
        at=datetime(2026, 2, 14, 9, 30, tzinfo=UTC),
    )


news_of_each = pytest.mark.parametrize(
    "news", [inventory.DeadLetterChanged, accounting.DeadLetterChanged]
)


@news_of_each
def test_orders_is_told_which_of_its_orders_are_stuck(news: type[DeadLetter]):
    about_an_order, about_a_product = an_aside(str(uuid4())), an_aside("SOAP-5L")

    (told,) = news.of([about_an_order, about_a_product])

    assert isinstance(told.data, news)
    assert told.subject == str(told.data.order_id) == about_an_order.subject
    assert (told.data.event_id, told.data.waits) == (about_an_order.event_id, True)


@news_of_each
def test_there_is_no_news_of_news(news: type[DeadLetter]):
    assert news.of([an_aside(str(uuid4()), news.type)]) == []
