"""Every route, with every token, about one's own and another customer's objects.

The routes are those that are served; what a new one is about must be said in `whose`.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from chassis.testing import TokenIssuer
from orderly.tokens import SCOPES
from orders.api.bodies import EXAMPLE
from tests.hostile.operations import Operation, operations_of
from tests.hostile.whose import CUSTOMER, HAVE, WHOSE, Found, Whose

OTHER = "c-43"
# What sounds like a scope of ours, and is none.
NO_SCOPES = ["", "*", "orders", "orders.reader", "ORDERS.READ", "admin", "openid"]


def test_each_operation_says_whose_objects_it_is_about(asked):
    operations = {operation.name for operation in operations_of(asked.name)}

    assert operations == set(WHOSE[asked.name])


def test_what_is_served_is_described_and_nothing_else_is(asked):
    app = asked.unserved()
    served = {
        (method, route.path_format or "")
        for route in iter_route_contexts(app.routes)
        for method in set(route.methods or ()) - {"HEAD"}
    }

    described = {(one.method, one.path) for one in operations_of(asked.name)}
    about = {f"/v1/{asked.name}/{part}" for part in ("openapi.json", "docs")}
    assert described <= served
    assert {
        path for _, path in served - described if not path.startswith(tuple(about))
    } == set()


@pytest.fixture
def strangers(issuer: TokenIssuer) -> list[dict[str, str]]:
    """Who proves nothing."""
    now = int(time.time())
    forged = TokenIssuer()
    forged.server = issuer.server
    return [
        {},
        {"Authorization": "Basic YTpi"},
        {"Authorization": issuer.token(*SCOPES)},
        issuer.headers(*SCOPES, exp=now - 60),
        issuer.headers(*SCOPES, exp=None),
        issuer.headers(*SCOPES, nbf=now + 600),
        issuer.headers(*SCOPES, aud="another"),
        issuer.headers(*SCOPES, iss="https://another.test"),
        forged.headers(*SCOPES),
    ]


async def test_strangers_are_told_nothing(asked, client, strangers):
    for operation in operations_of(asked.name):
        if WHOSE[asked.name][operation.name] is Whose.SIGNED:
            continue
        for headers in strangers:
            answer = await operation.ask(client, {}, headers)

            assert answer.status_code == 401, operation
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_scope_opens_what_states_it_and_nothing_else(asked, client, issuer):
    stated = {scope for one in operations_of(asked.name) for scope in one.scopes}
    callers = [(scope, None) for scope in (*SCOPES, *NO_SCOPES)]
    for scope, customer in (*callers, *((scope, CUSTOMER) for scope in stated)):
        headers = issuer.headers(scope, customer=customer)
        for operation in operations_of(asked.name):
            whose = WHOSE[asked.name][operation.name]
            if whose is Whose.SIGNED:
                continue
            answer = await operation.ask(client, {}, headers)
            expected = None
            if scope not in operation.scopes:
                expected = "missing_scope"
            elif customer and whose is Whose.BUSINESS:
                expected = "not_for_customers"

            assert refusal(answer) == expected, (scope, customer, operation)


def refusal(answer: httpx.Response) -> str | None:
    """Why it was refused for who asked, if it was."""
    assert answer.status_code < 500, answer.text
    assert answer.status_code != 401
    if answer.status_code != 403:
        return None
    return str(answer.json()["code"]) if answer.content else "missing_scope"


@pytest.fixture
async def found(asked, client, database, issuer) -> Found:
    """One object of each kind, of one customer, and the parameters that name it."""
    client.headers.update(issuer.headers(*SCOPES, customer=CUSTOMER))
    if asked.name == "accounting":  # where only staff enter anything
        client.headers.update(issuer.headers(*SCOPES))
    return await HAVE[asked.name](client, database)


async def test_anothers_object_is_as_one_that_is_not_there(
    asked, client, found, issuer
):
    own, others, staff = (
        issuer.headers(*SCOPES, customer=customer)
        for customer in (CUSTOMER, OTHER, None)
    )
    for operation in about(Whose.ONES, asked):
        unknown = await ask(operation, client, {}, own)
        refused = await ask(operation, client, found, others)

        assert (unknown.status_code, refused.status_code) == (404, 404), operation
        assert told(refused) == told(unknown)
        for headers in (own, staff):
            answer = await ask(operation, client, found, headers)
            # In a state that allows it, or not: it is there.
            assert answer.is_success or answer.status_code == 409, operation


async def test_each_part_of_an_object_is_of_that_object(asked, client, found, issuer):
    """Not of another one of the same customer's."""
    headers = issuer.headers(*SCOPES, customer=CUSTOMER)
    for operation in about(Whose.ONES, asked):
        for name in found:
            if f"{{{name}}}" in operation.path:
                part = {k: v for k, v in found.items() if k != name}
                answer = await ask(operation, client, part, headers)
                assert answer.status_code == 404, operation


async def test_each_customer_sees_its_own_in_a_list(asked, client, found, issuer):
    own, others, staff = (
        issuer.headers(*SCOPES, customer=customer)
        for customer in (CUSTOMER, OTHER, None)
    )
    for operation in about(Whose.LISTED, asked):
        filters = {"customer_id", "order_id"} & names_in("query", operation)
        asking = {"customer_id": CUSTOMER, "order_id": found["order_id"]}
        for name in (None, *filters):
            params = {name: asking[name]} if name else {}
            mine, theirs, all_ = [
                await client.get(operation.path, headers=headers, params=params)
                for headers in (own, others, staff)
            ]

            assert theirs.json() == {"items": [], "next_cursor": None}, operation
            assert mine.json() == all_.json(), operation
            if name != "order_id":
                assert mine.json()["items"], operation


async def test_nobody_places_orders_for_another_customer(asked, client, issuer):
    headers = issuer.headers(*SCOPES, customer=OTHER) | {"Idempotency-Key": "k"}
    for operation in about(Whose.NAMED, asked):
        (media_type,) = operation.description["requestBody"]["content"]
        content = json.dumps(EXAMPLE | KEYED.get(media_type, {}))
        answer = await client.post(
            operation.path,
            content=content,
            headers=headers | {"Content-Type": media_type},
        )

        if answer.status_code == 202:  # a batch, whose rows are refused one by one
            assert answer.json()["failed"] == answer.json()["rows"] == 1
        else:
            assert answer.json()["code"] == "other_customer"


KEYED = {"application/x-ndjson": {"idempotency_key": "k"}}


def about(whose: Whose, asked: Any) -> Iterator[Operation]:
    for operation in operations_of(asked.name):
        if WHOSE[asked.name][operation.name] is whose:
            yield operation


def names_in(place: str, operation: Operation) -> set[str]:
    parameters = operation.description.get("parameters", ())
    return {one["name"] for one in parameters if one["in"] == place}


async def ask(
    operation: Operation,
    client: httpx.AsyncClient,
    found: Found,
    headers: Mapping[str, str],
) -> httpx.Response:
    body = {"lines": [{"line": 1, "quantity": 1}], "reason": "why"}
    return await client.request(
        operation.method,
        operation.path_of(found),
        headers={**headers, "Idempotency-Key": uuid4().hex},
        json=body if "requestBody" in operation.description else None,
    )


def told(answer: httpx.Response) -> str:
    """What was answered, but for what was asked for."""
    text = answer.text
    for part in answer.request.url.path.split("/"):
        text = text.replace(part, "…") if len(part) > 10 else text
    return text
