import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, text
from structlog.testing import capture_logs

from chassis.consumer import Consumer
from chassis.database import Database
from chassis.events import Unreadable
from chassis.outbox import outbox
from chassis.queues import Aws, Message
from chassis.testing import TokenIssuer, eventually, serving
from contracts.topology import ORDERS_INTAKE
from orders.commands import intake as commands
from orders.commands.placing import place_orders
from orders.domain.orders import Order
from orders.handlers import intake
from orders.main import SERVICE
from orders.schema import orders, refusals
from orders.store.asked import AskedOrder, read, written
from tests.chassis.faults import refuse, with_faults
from tests.orders.conftest import EVERYTHING
from tests.orders.factories import a_body, an_order, on_the_wire, prepaid
from tests.orders.storefront import post, problem

SPILL_AFTER_S = 0.3
# A call that was given up may still take a message, and hide it for this long.
HIDDEN_AT_MOST_S = 2 * ORDERS_INTAKE.visibility_timeout_s


@pytest.fixture
async def queue(provisioned: Aws) -> Aws:
    """The intake queue, empty."""
    for name in (ORDERS_INTAKE.name, ORDERS_INTAKE.dead_letters):
        url = await provisioned.queue_url(name)
        await provisioned.sqs.purge_queue(QueueUrl=url)
    return provisioned


@asynccontextmanager
async def a_shop(
    database: Database,
    aws: Aws,
    issuer: TokenIssuer,
    spill_after_s: float = SPILL_AFTER_S,
) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(
        SERVICE, database, aws, [issuer.trusted], spill_after_s=spill_after_s
    ) as client:
        client.headers.update(issuer.headers(*EVERYTHING))
        yield client


@pytest.fixture
async def shop(
    database: Database, queue: Aws, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    async with a_shop(database, queue, issuer) as client:
        yield client


@asynccontextmanager
async def silent(database: Database) -> AsyncIterator[None]:
    """Whoever would write an order waits."""
    async with database.begin() as tx:
        await tx.execute(text("LOCK TABLE orders IN EXCLUSIVE MODE"))
        yield


@asynccontextmanager
async def consuming(database: Database, aws: Aws) -> AsyncIterator[None]:
    consumer = Consumer(database, aws, ORDERS_INTAKE, intake.router)
    running = asyncio.create_task(consumer.run())
    try:
        yield
    finally:
        consumer.stop()
        await running


async def is_there(client: httpx.AsyncClient, location: str, status: int = 200) -> None:
    async def check() -> bool:
        return (await client.get(location)).status_code == status

    await eventually(check, within_s=HIDDEN_AT_MOST_S)


async def received(aws: Aws, queue: str) -> list[Message]:
    found: list[Message] = []

    async def are_some() -> bool:
        found.extend(await aws.receive(queue, wait_s=1))
        return bool(found)

    await eventually(are_some, within_s=HIDDEN_AT_MOST_S)
    return found


async def count(database: Database, table: Any) -> int:
    async with database.begin() as tx:
        query = select(func.count()).select_from(table)
        return int((await tx.execute(query)).scalar_one())


async def test_while_the_database_is_silent_orders_are_accepted(
    shop, database, counted
):
    key = uuid4().hex
    async with silent(database):
        answer = await post(shop, a_body(), key=key, prefer="wait=20")
        location = answer.headers["location"]
        unknown = await shop.get(location)

    assert answer.status_code == 202
    assert location == f"/v1/orders/{answer.json()['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert "preference-applied" not in answer.headers
    assert problem(unknown) == (404, "order_not_found")
    assert counted()["orderly.orders.spilled"] == {"": 1}


async def test_an_accepted_order_is_placed_once_by_whichever_path(
    shop, database, queue
):
    async with silent(database):
        answers = await asyncio.gather(*(post(shop, a_body()) for _ in range(20)))

    async with consuming(database, queue):
        for answer in answers:
            await is_there(shop, answer.headers["location"])
        await eventually(lambda: drained(queue), within_s=HIDDEN_AT_MOST_S)

    assert {answer.status_code for answer in answers} == {202}
    assert await count(database, orders) == await count(database, outbox) == 20
    assert await count(database, refusals) == 0


async def drained(aws: Aws) -> bool:
    attributes = await aws.sqs.get_queue_attributes(
        QueueUrl=await aws.queue_url(ORDERS_INTAKE.name), AttributeNames=["All"]
    )
    depths = (v for k, v in attributes["Attributes"].items() if "OfMessages" in k)
    return not any(map(int, depths))


async def test_a_spilled_order_is_what_it_would_have_been(shop, database, queue):
    body, key = a_body(), uuid4().hex
    async with silent(database):
        spilled = await post(shop, body, key=key)
    (message,) = await received(queue, ORDERS_INTAKE.name)
    async with database.begin() as tx:
        await tx.execute(
            text("TRUNCATE orders, order_lines CASCADE")
        )  # that commit was lost
    (event,) = intake.router.read(message.body)

    await database.transact(intake.place_spilled_orders, [event])
    answer = await post(shop, body, key=key)

    assert answer.status_code == 200
    assert answer.headers["location"] == spilled.headers["location"]


async def test_while_the_database_is_silent_nobody_waits_for_it_twice(
    database, queue, issuer
):
    long_s = 3  # to a queue that is busy, too
    async with a_shop(database, queue, issuer, long_s) as shop, silent(database):
        await post(shop, a_body())
        async with asyncio.timeout(long_s):
            answer = await post(shop, a_body())

    assert answer.status_code == 202


async def test_after_the_silence_orders_are_placed_at_once_again(shop, database):
    async with silent(database):
        await post(shop, a_body())

    async def is_placed() -> bool:
        return (await post(shop, a_body())).status_code == 201

    await eventually(is_placed)


async def test_a_database_that_is_not_there_is_not_waited_for(queue, issuer):
    away = Database("postgresql://nobody@localhost:1/nothing", application_name="tests")
    async with a_shop(away, queue, issuer) as client:
        answer = await post(client, a_body())

    assert answer.status_code == 202


async def test_without_a_queue_either_the_client_is_told_to_come_again(aws, issuer):
    away = Database("postgresql://nobody@localhost:1/nothing", application_name="tests")
    faulty = with_faults(aws, sqs={"send_message_batch": refuse})
    async with a_shop(away, faulty, issuer) as client:
        answer = await post(client, a_body())

    assert problem(answer) == (503, "database_unavailable")
    assert "retry-after" in answer.headers


async def test_what_is_no_order_is_refused_without_the_database(queue, issuer):
    away = Database("postgresql://nobody@localhost:1/nothing", application_name="tests")
    async with a_shop(away, queue, issuer) as client:
        answer = await post(client, a_body(total=1))

    assert problem(answer) == (422, "invalid_order")


def told(order: Order) -> commands.OrderSpilled:
    return commands.OrderSpilled.of(order, order_id=order.id)


def spilled(*asked: Order) -> Any:
    return intake.router.read(on_the_wire(*map(told, asked)))


async def test_a_payment_used_meanwhile_is_told_to_its_client_alone(
    shop, database, allowed, counted
):
    used = an_order()
    await database.transact(place_orders, [used])
    refused = an_order(payment=used.payment)

    with capture_logs() as logs:
        await database.transact(intake.place_spilled_orders, spilled(refused))

    told = {"order_id": str(refused.id), "code": "payment_already_used"}
    assert any(told.items() <= line.items() for line in logs)
    path = f"/v1/orders/{refused.id}"
    assert problem(await shop.get(path)) == (409, "payment_already_used")
    other = await shop.get(path, headers=allowed(client_id="another"))
    assert problem(other) == (404, "order_not_found")
    assert counted()["orderly.orders.refused"] == {"payment_already_used": 1}


async def test_a_refusal_does_not_hide_the_order_of_its_key(shop, database):
    real = an_order()
    await database.transact(place_orders, [real])

    await database.transact(
        intake.place_spilled_orders, spilled(an_order(id=real.id, total=real.total))
    )

    answer = await shop.get(f"/v1/orders/{real.id}")
    assert (answer.status_code, answer.json()["total"]) == (200, real.total)
    assert await count(database, refusals) == 1


async def test_a_refused_order_may_be_sent_again_mended(shop, database):
    used = an_order()
    await database.transact(place_orders, [used])
    refused = an_order(payment=used.payment)
    await database.transact(intake.place_spilled_orders, spilled(refused))
    mended = an_order(id=refused.id, payment=prepaid(refused.total))

    await database.transact(place_orders, [mended])

    assert (await shop.get(f"/v1/orders/{refused.id}")).status_code == 200


async def test_an_order_sent_twice_under_two_keys_is_found_under_both(shop, database):
    placed = an_order()
    await database.transact(place_orders, [placed])
    again = an_order(payment=placed.payment, fingerprint=placed.fingerprint)

    await database.transact(intake.place_spilled_orders, spilled(again))

    answer = await shop.get(f"/v1/orders/{again.id}")
    assert (answer.status_code, answer.json()["id"]) == (200, str(placed.id))


async def test_hearing_a_spilled_order_again_changes_nothing(database):
    refused = an_order()
    await database.transact(place_orders, [an_order(payment=refused.payment)])

    for _ in range(2):
        await database.transact(intake.place_spilled_orders, spilled(refused))

    assert await count(database, refusals) == 1


async def test_poison_in_the_intake_queue_is_put_aside(shop, database, queue):
    good = an_order()
    await queue.send(ORDERS_INTAKE.name, "not json", {})
    await queue.send(ORDERS_INTAKE.name, on_the_wire(told(good)), {})

    async with consuming(database, queue):
        await is_there(shop, f"/v1/orders/{good.id}")
        dead = await received(queue, ORDERS_INTAKE.dead_letters)

    assert [message.body for message in dead] == ["not json"]


def largest_body() -> dict[str, Any]:
    line = {
        "sku": "\N{TEST TUBE}" * 64,
        "quantity": 100_000,
        "unit_price": 10**4,
        "discount": 10**8,
        "tax": 10**8,
        "tax_rate": "19.00",
    }
    total = 500 * 10**9 + 583
    body = a_body(total=total, lines=[line] * 500)
    body["payment"] |= {"captured": total, "reference": "\x01" * 255}
    body["ship_to"] |= dict.fromkeys(("name", "line1", "line2"), "\uffff" * 200)
    return body


async def test_the_largest_order_fits_into_the_queue(shop, database, queue):
    async with silent(database):
        answer = await post(shop, largest_body())
    (message,) = await received(queue, ORDERS_INTAKE.name)

    assert answer.status_code == 202, answer.text
    assert len(message.body.encode()) < 240 * 1024


def test_an_order_comes_back_from_its_json_as_it_was():
    order = an_order(hold_id=uuid4())

    assert read(written(AskedOrder.of(order))).restored() == order


async def test_256_clients_with_50_keys_get_one_order_for_each(client, database):
    bodies = {uuid4().hex: (a_body(), a_body()) for _ in range(50)}
    keys = [key for key in bodies for _ in range(6)][:256]

    async def retry(turn: int, key: str) -> tuple[str, httpx.Response]:
        return key, await post(client, bodies[key][turn % 5 == 4], key=key)

    answers = await asyncio.gather(*(retry(*item) for item in enumerate(keys)))

    by_status = Counter(answer.status_code for _, answer in answers)
    assert by_status.keys() == {200, 201, 422}
    assert by_status[201] == await count(database, orders) == len(set(keys))
    assert {problem(a) for _, a in answers if a.status_code == 422} == {
        (422, "idempotency_key_reused")
    }
    for key, answer in answers:
        if answer.status_code == 200:
            first = next(a for k, a in answers if (k, a.status_code) == (key, 201))
            assert answer.json() == first.json()


def test_what_is_wrong_with_a_spilled_order_is_told_without_its_content():
    wire = on_the_wire(told(an_order()))

    (found,) = intake.router.read(wire.replace('"web"', '"Ada Byron"'))

    assert isinstance(found, Unreadable)
    assert "channel" in found.reason
    assert "Ada" not in found.reason
