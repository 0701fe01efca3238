"""Goods that came in, were counted anew, or are worth more or less than before."""

from datetime import UTC
from typing import TypeAlias

from accounting.domain.bookkeeping import Books
from accounting.domain.rules import STOCK_ADJUSTED, STOCK_RECEIVED, STOCK_REVALUED
from accounting.domain.stock import Adjusted, Received, Revalued
from accounting.store import journal
from chassis.database import Tx
from chassis.events import Envelope, Router
from contracts.inventory import (
    ProductChanged,
    ReceivedGoods,
    StockAdjusted,
    StockReceived,
)

router = Router()

StockEvent: TypeAlias = Envelope[StockReceived | StockAdjusted | ProductChanged]


@router.on(StockReceived, StockAdjusted, ProductChanged)
async def post_stock(tx: Tx, events: list[StockEvent]) -> None:
    """Post what goods are worth. The order of these facts makes no difference."""
    posted = await journal.find_posted(tx, [event.id for event in events])
    books = Books()
    for event in events:
        if event.id not in posted:
            _enter(books, event)
    await journal.add(tx, books.entries)


def _enter(books: Books, event: StockEvent) -> None:
    match event.data:
        case StockReceived() as receipt:
            books.enter_moved(
                STOCK_RECEIVED,
                [_received(goods) for goods in receipt.lines],
                event_id=event.id,
                happened_on=receipt.received_at.astimezone(UTC).date(),
            )
        case StockAdjusted() as counted:
            books.enter_moved(
                STOCK_ADJUSTED,
                [_adjusted(counted)],
                event_id=event.id,
                happened_on=counted.adjusted_at.astimezone(UTC).date(),
            )
        case ProductChanged() as product:
            books.enter_moved(
                STOCK_REVALUED,
                _revalued(product),
                event_id=event.id,
                happened_on=product.changed_at.astimezone(UTC).date(),
            )


def _received(goods: ReceivedGoods) -> Received:
    return Received(
        quantity=goods.quantity,
        unit_cost=goods.unit_cost,
        standard_cost=goods.standard_cost,
        currency=goods.currency,
    )


def _adjusted(counted: StockAdjusted) -> Adjusted:
    return Adjusted(
        delta=counted.delta,
        standard_cost=counted.standard_cost,
        currency=counted.currency,
    )


def _revalued(product: ProductChanged) -> list[Revalued]:
    if product.previous_unit_cost is None:
        return []  # a new product: nothing of it can be on hand
    return [
        Revalued(
            on_hand=product.on_hand,
            unit_cost=product.unit_cost,
            previous_unit_cost=product.previous_unit_cost,
            currency=product.currency,
        )
    ]
