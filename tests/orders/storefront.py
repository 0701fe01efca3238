"""Placing orders as a storefront does, and reading what it is answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import func, select, text

from chassis.database import Database
from chassis.testing import eventually
from orders.handlers.reservations import settle_orders
from orders.schema import orders
from tests.orders.factories import arrived, reservation_changed, units


async def post(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    *,
    key: str | None = None,
    **headers: str,
) -> httpx.Response:
    key = key or uuid4().hex
    return await client.post(
        "/v1/orders", json=body, headers={"Idempotency-Key": key, **headers}
    )


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def pointers(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def stored(database: Database) -> int:
    async with database.begin() as tx:
        return (await tx.execute(select(func.count()).select_from(orders))).scalar_one()


async def have_settled(database: Database, order_id: str, reserved: int) -> None:
    snapshot = reservation_changed(UUID(order_id), units(2, reserved=reserved))
    await database.transact(settle_orders, arrived(snapshot))


@asynccontextmanager
async def away(database: Database, admin_url: str) -> AsyncIterator[None]:
    """It takes no connection meanwhile, and has lost those that were there."""
    async with database.begin() as tx:
        name = (await tx.execute(select(func.current_database()))).scalar_one()

    async def none_left() -> bool:
        await database.let_go()
        return not database.in_use()

    admin = Database(admin_url, application_name="tests")
    async with admin.begin() as tx:
        await tx.execute(text(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0'))
    await eventually(none_left)
    yield
    async with admin.begin() as tx:
        await tx.execute(text(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1'))
    await admin.close()
