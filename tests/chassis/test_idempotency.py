import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from chassis import idempotency
from chassis.auth import Caller
from chassis.database import Tx
from chassis.idempotency import (
    Answer,
    Idempotent,
    answers,
    fingerprint,
    forget_old,
)
from sample.schema import notes

NOTES = "/v1/sample/notes"


class Said(BaseModel):
    word: str


@pytest.fixture
def post(client, issuer) -> Callable[..., Any]:
    """Takes a note; by default always the same one, under the same key."""

    def post(body: Any = None, *, key: str | None = "key", **claims: Any) -> Any:
        headers = issuer.headers("sample.write", **claims)
        if key is not None:
            headers["Idempotency-Key"] = key
        return client.post(NOTES, json=body or {"text": "hello"}, headers=headers)

    return post


async def count(database, table: sa.Table) -> int:
    async with database.begin() as tx:
        query = sa.select(sa.func.count()).select_from(table)
        return int((await tx.execute(query)).scalar_one())


async def test_a_repeated_key_gives_the_first_answer_again(post, database):
    first = await post()

    again = await post()

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert await count(database, notes) == 1


async def test_the_answer_is_that_of_the_same_request_however_it_is_written(post):
    first = await post({"text": "hello", "stars": 0})

    again = await post({"stars": 0, "text": "hello"})
    as_default = await post({"text": "hello"})

    assert again.content == first.content == as_default.content


async def test_two_at_once_have_one_effect_and_one_answer(post, database):
    first, *others = await asyncio.gather(*(post() for _ in range(8)))

    assert {other.content for other in others} == {first.content}
    assert {other.status_code for other in others} == {201}
    assert await count(database, notes) == 1


async def test_the_same_key_with_another_body_is_refused(post, database):
    await post()

    answer = await post({"text": "another"})

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"
    assert await count(database, notes) == 1


async def test_two_clients_may_have_the_same_key(post, database):
    await post()
    await post(client_id="another")
    await post(customer="c-1")
    await post(customer="c-2")

    assert await count(database, notes) == 4


async def test_what_is_asked_of_another_address_is_another_command(database):
    caller = Caller(client_id="c", customer_id=None, scopes=frozenset(), expires_at=0)

    async def done(_: Tx) -> Answer:
        return Answer(200, Said(word="done"))

    for operation in ("POST /orders/1/returns", "POST /orders/2/returns"):
        once = Idempotent(database, caller, operation, "key")
        answer = await once.answer(None, done)
        assert "Idempotent-Replayed" not in answer.headers


async def test_a_command_that_fails_stores_nothing_so_that_a_retry_works(
    post, database, monkeypatch
):
    failed = await post({"text": "impossible"})
    assert failed.status_code == 500
    assert await count(database, answers) == 0

    monkeypatch.setattr("sample.main.IMPOSSIBLE", "nothing")

    assert (await post({"text": "impossible"})).status_code == 201


async def test_a_key_is_required(post, database):
    answer = await post(key=None)

    assert (answer.status_code, answer.json()["code"]) == (
        400,
        "idempotency_key_missing",
    )
    assert await count(database, notes) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\t", "ü".encode()])
async def test_a_key_is_visible_ascii(post, key):
    answer = await post(key=key)

    assert (answer.status_code, answer.json()["code"]) == (
        400,
        "idempotency_key_malformed",
    )


async def test_there_is_one_key(client, issuer):
    headers = [
        ("Authorization", issuer.headers("sample.write")["Authorization"]),
        ("Idempotency-Key", "one"),
        ("Idempotency-Key", "two"),
    ]

    answer = await client.post(NOTES, json={"text": "hello"}, headers=headers)

    assert answer.json()["code"] == "idempotency_key_malformed"


@pytest.mark.parametrize(
    "key", ["!", "~" * 255, "8e03978e-40d5-43e8-bc93-6894a57f9324"]
)
async def test_keys_that_are_good(post, key):
    assert (await post(key=key)).status_code == 201


async def grow_old(tx: Tx) -> None:
    age = sa.func.now() - idempotency.KEPT - timedelta(minutes=1)
    await tx.execute(sa.update(answers).values(answered_at=age))


async def test_answers_are_forgotten_after_their_time(post, database):
    await post(key="old")
    await database.transact(grow_old)
    await post(key="new")

    await database.transact(forget_old)

    assert await count(database, answers) == 1


def test_a_field_that_is_new_changes_no_fingerprint_of_before():
    class Today(BaseModel):
        name: str

    class Tomorrow(Today):
        colour: str | None = None

    assert fingerprint(Today(name="a")) == fingerprint(Tomorrow(name="a"))
    assert fingerprint(Tomorrow(name="a")) != fingerprint(
        Tomorrow(name="a", colour="red")
    )


def test_no_body_has_a_fingerprint_too():
    class Empty(BaseModel):
        pass

    assert fingerprint(None) != fingerprint(Empty())
