"""Orders counted, and found by what people know of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from orders.domain.orders import Attention
from orders.schema import orders
from orders.store import counts
from tests.orders.after_placing import place
from tests.orders.storefront import have_settled, problem
from tests.orders.test_api_lists import listed


async def counted(client: httpx.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await client.get("/v1/orders/counts", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def change(database, order: dict[str, Any], **values: Any) -> None:
    async with database.begin() as tx:
        await tx.execute(update(orders).filter_by(id=order["id"]).values(**values))


async def test_orders_are_counted_by_the_minute_and_by_their_state(client, database):
    moment = datetime.now(UTC)
    for minutes in (0, 0, 5):
        settled = await place(client)
        await change(database, settled, placed_at=moment - timedelta(minutes=minutes))
    await have_settled(database, settled["id"], reserved=2)

    found = await counted(client, minutes=10)

    placed = {one["minute"]: one["placed"] for one in found["minutes"]}
    assert sorted(placed.values()) == [0] * 8 + [1, 2]
    assert list(placed) == sorted(placed)
    assert found["minutes"][-1]["minute"] <= found["as_of"]
    assert found["states"] == {"placed": 2, "confirmed": 1}


async def decided_after(client, database, seconds: float) -> None:
    order = await place(client)
    placed_at = datetime.fromisoformat(order["placed_at"])
    decided_at = placed_at + timedelta(seconds=seconds)
    await change(database, order, status="confirmed", decided_at=decided_at)


async def test_it_is_told_how_long_decisions_take(client, database):
    for seconds in (0.25, 0.5, 0.75, 1, 90):
        await decided_after(client, database, seconds)
    await place(client)

    found = await counted(client)

    assert found["time_to_decide"] == {"orders": 5, "median": 0.75, "p95": 90}


async def test_where_nothing_is_decided_no_time_is_told(client):
    await place(client)

    assert (await counted(client))["time_to_decide"] is None


async def test_times_are_those_of_the_newest_however_many_wait(
    client, database, monkeypatch
):
    monkeypatch.setattr(counts, "MOST_TIMED", 2)
    await decided_after(client, database, 60)
    await decided_after(client, database, 3)
    await place(client)

    found = await counted(client)

    assert found["time_to_decide"] == {"orders": 1, "median": 3, "p95": 3}


async def test_older_orders_count_where_they_wait_or_need_a_look(client, database):
    old = await place(client)
    await change(
        database,
        old,
        placed_at=datetime.now(UTC) - timedelta(days=1),
        attention=Attention.UNDECIDED,
    )

    found = await counted(client)

    assert found["states"] == {}
    assert (found["undecided"], found["attention"]) == (1, 1)


async def test_what_is_counted_is_bounded_and_whole_minutes_are_told(
    client, database, monkeypatch
):
    monkeypatch.setattr(counts, "MOST_RECENT", 3)
    monkeypatch.setattr(counts, "MOST_WAITING", 2)
    moment = datetime.now(UTC).replace(second=0)
    for minutes in (0, 1, 1, 2):
        at = moment - timedelta(minutes=minutes)
        await change(database, await place(client), placed_at=at)

    found = await counted(client)

    first, *later = (one["placed"] for one in found["minutes"])
    assert (first, sum(later)) == (1, 0)
    assert found["undecided"] == 2


async def test_a_minute_that_has_more_than_are_counted_is_told_all_the_same(
    client, database, monkeypatch
):
    monkeypatch.setattr(counts, "MOST_RECENT", 2)
    moment = datetime.now(UTC)
    for _ in range(3):
        await change(database, await place(client), placed_at=moment)

    found = await counted(client)

    assert len(found["minutes"]) == 1


async def test_a_customer_counts_no_others(client, allowed):
    await place(client)
    await place(client, customer_id="c-7")
    own = allowed(customer="c-42")

    found = (await client.get("/v1/orders/counts", headers=own)).json()

    assert sum(one["placed"] for one in found["minutes"]) == 1
    assert found["undecided"] == 1


@pytest.mark.parametrize("minutes", [0, 61, "all"])
async def test_minutes_are_bounded(client, minutes):
    answer = await client.get("/v1/orders/counts", params={"minutes": minutes})

    assert problem(answer) == (422, "invalid")


async def test_an_order_is_found_by_its_number(client):
    order, other = await place(client), await place(client)
    number = order["number"]

    assert await listed(client, number=number) == [order["id"]]
    assert await listed(client, number=number.replace("W", "M")) == []
    assert await listed(client, number=other["number"]) == [other["id"]]


@pytest.mark.parametrize("number", ["1000042", "X-1", "W-", "W-1" + "0" * 18])
async def test_what_is_no_number_is_refused(client, number):
    answer = await client.get("/v1/orders", params={"number": number})

    assert problem(answer) == (422, "invalid")


async def test_orders_that_need_a_look_are_found_however_old(client, database):
    stuck, late, well = [await place(client) for _ in range(3)]
    await change(database, stuck, events_stuck=1)
    await change(database, late, attention=Attention.CANCELLATION_OPEN)

    assert await listed(client, attention=True) == [late["id"], stuck["id"]]
    assert await listed(client, attention=False) == [well["id"]]
