from datetime import UTC, datetime

import sqlalchemy as sa

from chassis.outbox import outbox
from tests.orders.after_placing import have_settled, path_of, place
from tests.orders.factories import units


async def test_the_timeline_tells_every_fact_in_pages(client, database):
    order = await place(client)
    await have_settled(database, order, units(2, shipped=2))
    path = path_of(order, "timeline")

    first = (await client.get(path, params={"limit": 2})).json()
    cursor = first["next_cursor"]
    rest = (await client.get(path, params={"limit": 2, "cursor": cursor})).json()

    facts = first["items"] + rest["items"]
    assert [(fact["sequence"], fact["type"]) for fact in facts] == [
        (1, "orders.order_placed.v1"),
        (2, "orders.order_confirmed.v1"),
        (3, "orders.order_shipped.v1"),
    ]
    assert facts[0]["data"]["total"] == 3558
    assert datetime.fromisoformat(facts[0]["occurred_at"]) <= datetime.now(UTC)
    assert rest["next_cursor"] is None


async def test_the_timeline_names_the_trace_of_each_fact(client, database):
    order = await place(client)
    await set_traceparent(database, f"00-{'a1' * 16}-{'b2' * 8}-01")

    facts = (await client.get(path_of(order, "timeline"))).json()["items"]

    assert [fact["trace_id"] for fact in facts] == ["a1" * 16]


async def set_traceparent(database, traceparent):
    async with database.begin() as tx:
        await tx.execute(sa.update(outbox).values(traceparent=traceparent))


async def test_what_goods_cost_is_not_told_to_customers(client, database, allowed):
    order = await place(client)
    await have_settled(database, order, units(2, shipped=2))
    path = path_of(order, "timeline")

    ours = (await client.get(path)).json()["items"][-1]["data"]["lines"]
    customer = allowed(customer=order["customer_id"])
    told = (await client.get(path, headers=customer)).json()["items"][-1]["data"]

    assert "cost" in ours[0]
    assert told["lines"] == [{"line": 1, "quantity": 2}]
