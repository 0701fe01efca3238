"""What Inventory announces, as it ends up in a real database."""

from collections import Counter

import pytest
from sqlalchemy import select

from accounting.handlers.stock import post_stock
from accounting.schema import entries, postings
from tests.accounting.factories import a_product, a_receipt, an_adjustment, arriving


@pytest.mark.parametrize(("delta", "loss"), [(-3, 1920), (2, -1280)])
async def test_what_is_missing_is_a_loss_and_what_is_found_is_none(tx, delta, loss):
    await post_stock(tx, [arriving(an_adjustment(delta))])

    found = await tx.execute(
        select(postings.c.account, postings.c.debit - postings.c.credit)
    )
    assert dict(tuple(row) for row in found) == {"5100": loss, "1200": -loss}


async def test_goods_received_are_posted_once(tx):
    receipt = arriving(a_receipt())

    await post_stock(tx, [receipt])
    await post_stock(tx, [receipt])

    found = await tx.execute(
        select(postings.c.account, postings.c.debit - postings.c.credit).order_by(
            "account"
        )
    )
    assert [tuple(row) for row in found] == [
        ("1200", 6400),
        ("2300", -6500),
        ("5200", 100),
    ]


async def test_a_new_product_is_worth_nothing_yet_and_a_changed_one_is_revalued(tx):
    new = a_product(previous_unit_cost=None, on_hand=0)

    await post_stock(tx, [arriving(new), arriving(a_product())])

    found = await tx.execute(select(entries.c.rule, entries.c.order_id))
    assert [tuple(row) for row in found] == [("stock_revalued", None)]


async def test_a_receipt_and_a_revaluation_are_posted_together(tx):
    await post_stock(
        tx, [arriving(a_receipt()), arriving(a_product()), arriving(a_receipt())]
    )

    found = await tx.execute(select(entries.c.rule))
    assert Counter(found.scalars()) == {"stock_received": 2, "stock_revalued": 1}
