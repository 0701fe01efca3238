"""Whose objects each operation is about, and one customer's object of each kind."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

import httpx

from accounting.commands.documents import number_documents
from accounting.handlers.orders import post_orders
from accounting.settings import EXAMPLE_SELLER
from chassis.database import Database
from contracts.inventory import Condition
from orders.api.bodies import EXAMPLE
from orders.handlers.reservations import settle_orders
from tests.accounting import factories as books
from tests.inventory.factories import stocked
from tests.orders.factories import arrived, reservation_changed, units

CUSTOMER = str(EXAMPLE["customer_id"])


class Whose(StrEnum):
    ONES = "one customer's: to another it is not there"
    LISTED = "customers': each sees its own in the list"
    TOLD = "customers': each is told its own (tests/orders/test_{stream,finding}.py)"
    NAMED = "the customer's that the body names"
    NEW = "the caller's, who makes it"
    ANYBODYS = "no customer's"
    BUSINESS = "the whole business's: not for customers"
    SIGNED = "the gateway's, which has no token (tests/accounting/test_gateway.py)"


OPERATIONS = {
    "list_queues": Whose.BUSINESS,
    "get_outbox": Whose.BUSINESS,
    "list_dead_letters": Whose.BUSINESS,
    "redrive_dead_letters": Whose.BUSINESS,
    "replay_events": Whose.BUSINESS,
    "get_replay": Whose.BUSINESS,
    "get_digest": Whose.BUSINESS,
}
WHOSE: Mapping[str, Mapping[str, Whose]] = {
    "orders": OPERATIONS
    | {
        "stream_orders": Whose.TOLD,
        "count_orders": Whose.TOLD,
        "place_batch": Whose.NAMED,
        "get_batch": Whose.ONES,
        "list_batch_results": Whose.ONES,
        "list_orders": Whose.LISTED,
        "place_order": Whose.NAMED,
        "get_order": Whose.ONES,
        "get_timeline": Whose.ONES,
        "request_cancellation": Whose.ONES,
        "list_cancellations": Whose.ONES,
        "get_cancellation": Whose.ONES,
        "authorise_return": Whose.ONES,
        "list_returns": Whose.ONES,
        "get_return": Whose.ONES,
    },
    "inventory": OPERATIONS
    | {
        "put_product": Whose.BUSINESS,
        "get_product": Whose.ANYBODYS,
        "list_products": Whose.ANYBODYS,
        "put_location": Whose.BUSINESS,
        "list_locations": Whose.ANYBODYS,
        "receive_goods": Whose.BUSINESS,
        "adjust_stock": Whose.BUSINESS,
        "list_stock": Whose.ANYBODYS,
        "get_availability": Whose.ANYBODYS,
        "list_movements": Whose.BUSINESS,
        "hold_units": Whose.NEW,
        "get_hold": Whose.ONES,
        "release_hold": Whose.ONES,
        "get_reservation": Whose.BUSINESS,
        "list_reservations": Whose.BUSINESS,
        "ship_order": Whose.BUSINESS,
        "receive_returned_goods": Whose.BUSINESS,
    },
    "accounting": OPERATIONS
    | {
        "list_accounts": Whose.BUSINESS,
        "trial_balance": Whose.BUSINESS,
        "list_entries": Whose.BUSINESS,
        "export_journal": Whose.BUSINESS,
        "list_invoices": Whose.LISTED,
        "get_invoice": Whose.ONES,
        "list_credit_notes": Whose.LISTED,
        "get_credit_note": Whose.ONES,
        "list_refunds": Whose.LISTED,
        "record_customer_payment": Whose.BUSINESS,
        "list_payments": Whose.LISTED,
        "get_payment": Whose.ONES,
        "take_gateway_event": Whose.SIGNED,
        "list_periods": Whose.BUSINESS,
        "close_period": Whose.BUSINESS,
        "receivables_ageing": Whose.BUSINESS,
        "tax_report": Whose.BUSINESS,
        "revenue_report": Whose.BUSINESS,
    },
}

Found = dict[str, str]
Stock = Callable[[httpx.AsyncClient, Database], Awaitable[Found]]


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(path, headers={"Idempotency-Key": "k"}, **body)
    assert answer.is_success, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def have_orders(client: httpx.AsyncClient, database: Database) -> Found:
    """A shipped order, part of which is cancelled and comes back, and a batch."""
    order = await post(client, "/v1/orders", json=EXAMPLE)
    part = {"lines": [{"line": 1, "quantity": 1}], "reason": "too many"}
    path = f"/v1/orders/{order['id']}"
    snapshot = reservation_changed(UUID(order["id"]), units(2, reserved=1, shipped=1))
    await database.transact(settle_orders, arrived(snapshot))
    cancelled = await post(client, f"{path}/cancellations", json=part)
    part = {"lines": [{"line": 1, "quantity": 1}], "reason": "broken"}
    second = reservation_changed(
        UUID(order["id"]), units(2, reserved=0, shipped=2), version=2
    )
    await database.transact(settle_orders, arrived(second))
    returned = await post(client, f"{path}/returns", json=part)
    client.headers["Content-Type"] = "application/x-ndjson"
    batch = await post(client, "/v1/orders/batches", content=b"{}\n")
    del client.headers["Content-Type"]
    return {
        "order_id": order["id"],
        "cancellation_id": cancelled["id"],
        "return_id": returned["id"],
        "batch_id": batch["id"],
    }


async def have_stock(client: httpx.AsyncClient, database: Database) -> Found:
    """Soap, and a hold of some of it."""
    await database.transact(stocked, ("SOAP-5L", 5))
    lines = [{"sku": "SOAP-5L", "quantity": 1}]
    hold = await post(client, "/v1/inventory/holds", json={"lines": lines})
    return {"hold_id": hold["id"], "sku": "SOAP-5L", "code": "CORK"}


async def have_books(client: httpx.AsyncClient, database: Database) -> Found:
    """An invoice that was paid, a credit note and a refund."""
    placed = books.an_order(payment=books.TERMS)
    came_back = books.returned(placed, (1, 1, Condition.RESELLABLE))
    told = books.shipped(placed, {1: 2}), came_back
    short = books.an_order()
    for facts in (
        books.story(placed, books.confirmed(placed), *told),
        books.story(short, books.confirmed(short, short={1: 1})),
    ):
        await database.transact(post_orders, facts)
    await database.transact(number_documents, EXAMPLE_SELLER)
    number = "INV-2026-000001"
    paid = {"customer_id": CUSTOMER, "amount": 1, "currency": "EUR", "reference": "r"}
    payment = await post(
        client, "/v1/accounting/payments", json=paid | {"invoices": [number]}
    )
    return {
        "number": number.replace("INV", "{series}"),
        "payment_id": payment["id"],
        "order_id": str(placed.order_id),
    }


HAVE: Mapping[str, Stock] = {
    "orders": have_orders,
    "inventory": have_stock,
    "accounting": have_books,
}
