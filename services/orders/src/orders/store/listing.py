"""Lists of orders, newest first: whatever the filter is, an index is in order."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, select

from chassis.database import Tx
from chassis.pages import Window
from contracts.orders import Channel
from orders.domain.orders import CHANNEL_OF, Order, Status
from orders.schema import NEEDS_ATTENTION, order_lines, orders
from orders.store import orders as store

_earlier = order_lines.alias("earlier")
_has_it_before = (
    select(_earlier.c.line)
    .where(
        _earlier.c.order_id == order_lines.c.order_id,
        _earlier.c.sku == order_lines.c.sku,
        _earlier.c.line < order_lines.c.line,
    )
    .exists()
)


class Wanted(Struct, frozen=True, kw_only=True):
    """Which orders: what is none does not matter."""

    status: Status | None = None
    channel: Channel | None = None
    customers: Sequence[str] = ()  # all of them: who asks, and whom is asked for
    reference: str | None = None
    number: str | None = None
    attention: bool | None = None
    sku: str | None = None
    placed_from: datetime | None = None
    placed_to: datetime | None = None


def page(window: Window, wanted: Wanted) -> Select[Any]:
    """The query, so that its plan can be shown too."""
    query = store.with_lines(select(orders)).where(*_conditions(wanted))
    if wanted.sku is None:
        return window.of(query, orders.c.placed_at, orders.c.id, newest_first=True)
    # Walked in the order of the list, so that a popular SKU costs no more than others.
    # An order that has it on several lines is there for the first of them.
    query = query.join(order_lines, order_lines.c.order_id == orders.c.id).where(
        order_lines.c.sku == wanted.sku, *_placed(order_lines, wanted), ~_has_it_before
    )
    return window.of(
        query, order_lines.c.placed_at, order_lines.c.order_id, newest_first=True
    )


async def find(tx: Tx, window: Window, wanted: Wanted) -> list[Order]:
    return await store.find(tx, page(window, wanted))


def _conditions(wanted: Wanted) -> list[Any]:
    exact = {
        orders.c.status: wanted.status,
        orders.c.channel: wanted.channel,
        orders.c.reference: wanted.reference,
    }
    return [
        *(column == value for column, value in exact.items() if value is not None),
        *(orders.c.customer_id == customer for customer in wanted.customers),
        *_numbered(wanted),
        *_needing_attention(wanted),
        *_placed(orders, wanted),
    ]


def _numbered(wanted: Wanted) -> list[Any]:
    if wanted.number is None:
        return []
    prefix, _, serial = wanted.number.partition("-")
    return [
        orders.c.serial == int(serial),
        orders.c.channel == CHANNEL_OF[prefix],
    ]


def _needing_attention(wanted: Wanted) -> list[Any]:
    if wanted.attention is None:
        return []
    return [NEEDS_ATTENTION if wanted.attention else ~NEEDS_ATTENTION]


def _placed(table: Any, wanted: Wanted) -> list[Any]:
    bounds = []
    if wanted.placed_from is not None:
        bounds.append(table.c.placed_at >= wanted.placed_from)
    if wanted.placed_to is not None:
        bounds.append(table.c.placed_at < wanted.placed_to)
    return bounds
