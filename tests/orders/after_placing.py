"""What can be asked for once an order is placed, and how orders come that far."""

from typing import Any
from uuid import UUID, uuid4

import httpx

from chassis.database import Database
from orders.handlers.reservations import settle_orders
from tests.orders.factories import a_body, arrived, reservation_changed, units


async def post(
    client: httpx.AsyncClient, path: str, body: Any, *, key: str = "", **headers: str
) -> httpx.Response:
    keyed = {"Idempotency-Key": key or uuid4().hex, **headers}
    return await client.post(path, json=body, headers=keyed)


async def place(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    placed = await post(client, "/v1/orders", a_body(**changes))
    assert placed.status_code == 201, placed.text
    order: dict[str, Any] = placed.json()
    return order


async def have_settled(
    database: Database, order: dict[str, Any], *lines: Any, **lists: Any
) -> None:
    snapshot = reservation_changed(UUID(order["id"]), *lines, **lists)
    await database.transact(settle_orders, arrived(snapshot))


async def placed_and_shipped(
    client: httpx.AsyncClient, database: Database
) -> dict[str, Any]:
    order = await place(client)
    await have_settled(database, order, units(2, shipped=2))
    return order


def path_of(order: dict[str, Any], what: str) -> str:
    return f"/v1/orders/{order['id']}/{what}"
