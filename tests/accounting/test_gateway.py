"""What the gateway reports, and how it proves that it is the gateway."""

import asyncio
import json
import time
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from accounting.api.signatures import TOLERANCE_S, is_signed, signature
from accounting.handlers.orders import post_orders
from accounting.main import SERVICE
from accounting.schema import orders
from accounting.store import journal
from accounting.store import orders as store
from chassis.outbox import outbox
from chassis.testing import serving
from contracts.accounting import RefundSettled
from tests.accounting.factories import AT, a_line, an_order, cancelled, confirmed, story
from tests.locks import until_somebody_waits

PATH = "/v1/accounting/gateway-events"
SECRET, NEXT_SECRET = "only-for-tests", "its-successor"


@pytest.fixture
async def gateway(database, aws, issuer):
    secrets = [SECRET, NEXT_SECRET]
    async with serving(
        SERVICE, database, aws, [issuer.trusted], gateway_secrets=secrets
    ) as client:
        yield client


def signed(raw: bytes, *, secret: str = SECRET, at: int | None = None) -> str:
    moment = int(time.time()) if at is None else at
    return f"t={moment},v1={signature(raw, secret=secret, at=moment)}"


async def report(gateway, event, *, expect=200):
    raw = json.dumps(event).encode()
    headers = {"Gateway-Signature": signed(raw)}
    answer = await gateway.post(PATH, content=raw, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer.json()


def settled(refund_id, **changes):
    return {
        "id": f"evt_{uuid4().hex}",
        "type": "refund.settled",
        "occurred_at": "2026-03-02T10:00:00Z",
        "refund_id": refund_id,
        "amount": 1487,
        "currency": "EUR",
    } | changes


def failed(refund_id, **changes):
    return {
        "id": f"evt_{uuid4().hex}",
        "type": "refund.failed",
        "occurred_at": "2026-03-01T10:00:00Z",
        "refund_id": refund_id,
        "reason": "account closed",
    } | changes


def paid_out(**changes):
    return {
        "id": f"evt_{uuid4().hex}",
        "type": "payout.paid",
        "occurred_at": "2026-03-02T10:00:00Z",
        "amount": 3000,
        "fee": 87,
        "currency": "EUR",
        "reference": "po_1",
    } | changes


@pytest.fixture
async def refund(database, gateway, issuer):
    """Of one of the order's two units: 1487 of 3558."""
    placed = an_order(a_line())
    await database.transact(post_orders, story(placed, confirmed(placed, short={1: 1})))
    gateway.headers.update(issuer.headers("accounting.read"))
    (refund,) = (await gateway.get("/v1/accounting/refunds")).json()["items"]
    assert refund["amount"] == 1487
    return refund


async def status(gateway):
    (refund,) = (await gateway.get("/v1/accounting/refunds")).json()["items"]
    return refund["status"]


async def balances(database):
    async with database.begin() as tx:
        found = await journal.balances(tx, AT.date().replace(year=2027))
    return {b.account.value: b.debit - b.credit for b in found if b.debit != b.credit}


async def position(database):
    async with database.begin() as tx:
        (row,) = await tx.execute(
            select(orders.c.payment_status, orders.c.payment_version)
        )
    return tuple(row)


async def test_a_settled_refund_leaves_the_clearing_account(gateway, database, refund):
    event = settled(refund["id"])

    assert await report(gateway, event) == {
        "id": event["id"],
        "type": "refund.settled",
        "repeated": False,
    }

    found = await balances(database)
    assert (found["1000"], found.get("2200")) == (3558 - 1487, None)
    assert await status(gateway) == "settled"
    assert await position(database) == ("partly_refunded", 3)


async def test_a_settled_refund_is_announced_with_the_order_s_position(
    gateway, database, refund
):
    await report(gateway, settled(refund["id"]))

    async with database.begin() as tx:
        of_type = outbox.c.type == RefundSettled.type
        told = (await tx.execute(select(outbox.c.data).where(of_type))).scalar_one()
    assert told == {
        "order_id": refund["order_id"],
        "refund_id": refund["id"],
        "amount": 1487,
        "currency": "EUR",
        "settled_at": "2026-03-02T10:00:00Z",
        "payment": {"version": 3, "status": "partly_refunded"},
    }


async def test_an_order_whose_refunds_are_all_settled_is_refunded(
    gateway, database, refund
):
    (order_id,) = {refund["order_id"]}
    async with database.begin() as tx:
        row = (await tx.execute(select(orders))).one()
    placed = an_order(order_id=row.id)
    (rest,) = story(placed, cancelled(placed, {1: 1}))[1:]
    third = replace(rest, sequence=3)
    await database.transact(post_orders, [third])
    assert await position(database) == ("refund_pending", 2)

    found = (await gateway.get("/v1/accounting/refunds")).json()["items"]
    for one in found:
        assert one["order_id"] == order_id
        await report(gateway, settled(one["id"], amount=one["amount"]))

    assert await position(database) == ("refunded", 3)
    assert await balances(database) == {}


async def test_an_event_counts_once_for_ever(gateway, database, refund):
    event = settled(refund["id"])

    first = await report(gateway, event)
    again = await report(gateway, event)

    assert (first["repeated"], again["repeated"]) == (False, True)
    assert (await balances(database))["1000"] == 3558 - 1487


async def test_an_event_id_says_one_thing(gateway, refund):
    await report(gateway, settled(refund["id"], id="evt_1"))

    problem = await report(gateway, paid_out(id="evt_1"), expect=409)

    assert problem["code"] == "event_id_reused"


async def test_a_refund_that_is_settled_twice_is_posted_once(gateway, database, refund):
    await report(gateway, settled(refund["id"]))
    await report(gateway, settled(refund["id"]))

    assert (await balances(database))["1000"] == 3558 - 1487


async def test_two_who_report_a_refund_at_once_settle_it_once(
    gateway, database, refund
):
    async with database.begin() as holder:
        await store.hold(holder, [UUID(refund["order_id"])])
        reports = [
            asyncio.create_task(report(gateway, settled(refund["id"])))
            for _ in range(2)
        ]
        await until_somebody_waits(database)
    await asyncio.gather(*reports)

    assert (await balances(database))["1000"] == 3558 - 1487


async def test_a_failed_refund_is_still_owed(gateway, database, refund):
    await report(gateway, failed(refund["id"]))

    assert await status(gateway) == "failed"
    assert (await balances(database))["2200"] == -1487
    assert await position(database) == ("refund_pending", 2)


async def test_a_refund_that_failed_may_get_through_after_all(
    gateway, database, refund
):
    await report(gateway, failed(refund["id"]))
    await report(gateway, settled(refund["id"]))

    assert await status(gateway) == "settled"
    assert "2200" not in await balances(database)


async def test_a_failure_from_before_the_settlement_is_old_news(gateway, refund):
    await report(gateway, settled(refund["id"]))

    await report(gateway, failed(refund["id"]))

    assert await status(gateway) == "settled"


async def test_a_settled_refund_does_not_fail_without_anybody_noticing(
    gateway, database, refund
):
    await report(gateway, settled(refund["id"]))

    late = failed(refund["id"], occurred_at="2026-03-03T10:00:00Z")
    problem = await report(gateway, late, expect=409)

    assert problem["code"] == "refund_is_settled"
    assert "2200" not in await balances(database)


async def test_an_unknown_refund_is_not_remembered(gateway):
    event = settled(str(uuid4()))

    for _ in range(2):
        problem = await report(gateway, event, expect=404)
        assert problem["code"] == "refund_not_found"


async def test_another_amount_than_was_asked_for_is_refused_with_both(gateway, refund):
    other = settled(refund["id"], amount=1486, currency="JPY")

    problem = await report(gateway, other, expect=422)

    assert problem["code"] == "refund_differs"
    assert [e["pointer"] for e in problem["errors"]] == ["/amount", "/currency"]
    assert "1487 EUR" in problem["detail"]
    assert "1486 JPY" in problem["detail"]


async def test_a_payout_goes_to_the_bank_less_the_gateway_s_fee(gateway, database):
    await report(gateway, paid_out())

    assert await balances(database) == {"1000": -3000, "1010": 2913, "5300": 87}


@pytest.mark.parametrize(
    "event",
    [
        paid_out(fee=3001),
        paid_out(type="payout.dreamt"),
        paid_out(amount=0),
        paid_out(currency="euro"),
        paid_out(occurred_at="2026-03-02T10:00:00"),
        paid_out(surprise=1),
    ],
)
async def test_what_cannot_be_understood_is_refused(gateway, event):
    problem = await report(gateway, event, expect=422)

    assert problem["errors"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"fee": 3001}, "/fee"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-10:00"}, "/occurred_at"),
        ({"occurred_at": "1026-03-02T10:00:00Z"}, "/occurred_at"),
        ({"occurred_at": "1577836800"}, "/occurred_at"),
    ],
)
async def test_what_is_wrong_with_an_event_is_named(gateway, wrong, pointer):
    problem = await report(gateway, paid_out(**wrong), expect=422)

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_both_secrets_are_good_while_one_replaces_the_other(gateway):
    raw = json.dumps(paid_out()).encode()
    header = signed(raw, secret=NEXT_SECRET)

    answer = await gateway.post(
        PATH, content=raw, headers={"Gateway-Signature": header}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("token", [False, True])
async def test_a_token_is_no_signature(gateway, issuer, token):
    headers = issuer.headers("accounting.write", "ops") if token else {}

    answer = await gateway.post(PATH, json=paid_out(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert answer.headers["www-authenticate"] == "Gateway-Signature"


async def test_without_a_secret_nobody_is_the_gateway(client):
    raw = json.dumps(paid_out()).encode()

    answer = await client.post(
        PATH, content=raw, headers={"Gateway-Signature": signed(raw, secret="")}
    )

    assert answer.status_code == 401


async def test_the_document_says_how_it_is_proven(gateway):
    document = (await gateway.get("/v1/accounting/openapi.json")).json()

    operation = document["paths"][PATH]["post"]
    assert operation["security"] == [{"GatewaySignature": []}]
    assert operation["requestBody"]["required"]


RAW, NOW = b'{"id": "evt_1"}', 1_772_445_600


def is_good(header: str, *, raw: bytes = RAW, now: float = NOW) -> bool:
    return is_signed(header, raw, secrets=[SECRET], now=now)


def test_a_signature_is_of_the_time_and_the_body():
    # openssl: printf '1772445600.{"id": "evt_1"}' | openssl dgst -sha256 -hmac …
    known = "07c55d76835939104f01a3d38bac127f321717301ed6775fa3e22e4eac561b8a"
    good = f"t={NOW},v1={known}"

    assert signature(RAW, secret=SECRET, at=NOW) == known
    assert is_good(good)
    assert not is_good(good, raw=RAW + b" ")
    assert not is_good(f"t={NOW + 1},v1={known}")
    assert not is_good(f"t={NOW},t={NOW},v1={known}")
    assert is_good(f"t={NOW},v1={'0' * 64},v1={known}")


@pytest.mark.parametrize("header", ["", "t=,v1=", f"t={NOW}", "v1=00", "t=٣,v1=00"])
def test_what_is_no_signature_proves_nothing(header):
    assert not is_good(header)


@pytest.mark.parametrize(
    ("late_s", "good"),
    [(TOLERANCE_S, True), (TOLERANCE_S + 1, False), (-TOLERANCE_S - 1, False)],
)
def test_a_signature_is_good_for_a_while(late_s, good):
    assert is_good(signed(RAW, at=NOW), now=NOW + late_s) is good


async def test_what_was_reported_stays_as_it_was(tx):
    with pytest.raises(IntegrityError, match="corrected by new rows"):
        await tx.execute(text("DELETE FROM gateway_events"))
