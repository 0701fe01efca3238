from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import Query
from fastapi.responses import StreamingResponse

from chassis import web
from chassis.errors import (
    MOST_FAULTS,
    Conflict,
    Fault,
    Forbidden,
    Malformed,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
    Unprocessable,
    problem,
)
from chassis.routing import HttpRouter

router = HttpRouter(prefix="/v1/things")


class AlreadyShipped(Conflict):
    code = "already_shipped"


@router.get("/refused")
async def refuse() -> None:
    raise AlreadyShipped(
        "It has left.", faults=[Fault("/line", "gone")], left=UUID(int=1)
    )


@router.get("/busy")
async def be_busy() -> None:
    raise Unavailable("Not now.", retry_after_s=7) from ConnectionRefusedError("db")


@router.get("/broken")
async def break_down() -> None:
    raise ZeroDivisionError("Ada Byron")


@router.get("/half")
async def break_down_half_way() -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    return StreamingResponse(body())


@router.get("/by/{id}")
async def find(id: UUID, sku: Annotated[list[str], Query(max_length=1)]) -> str:
    return f"{id} {sku}"


@pytest.fixture
async def things() -> AsyncIterator[httpx.AsyncClient]:
    app = web.create_app(
        "things", description="", routers=[router], cors_origins=["https://shop.test"]
    )
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_refusal_is_a_problem(things):
    answer = await things.get("/v1/things/refused")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == 409
    assert answer.json() == {
        "type": "urn:orderly:problem:already_shipped",
        "title": "Already shipped",
        "status": 409,
        "detail": "It has left.",
        "instance": "/v1/things/refused",
        "code": "already_shipped",
        "errors": [{"pointer": "/line", "detail": "gone"}],
        "left": str(UUID(int=1)),
    }


def test_of_very_many_faults_the_first_are_named_and_the_rest_is_counted():
    faults = [Fault(f"/lines/{number}", "no") for number in range(MOST_FAULTS + 7)]

    body = problem(Unprocessable("Not valid.", faults=faults), instance="/")

    assert [fault["pointer"] for fault in body["errors"]] == [
        fault.pointer for fault in faults[:MOST_FAULTS]
    ]
    assert body["more_errors"] == 7


async def test_who_is_busy_says_when_to_come_back_and_logs_why(things):
    with structlog.testing.capture_logs() as logs:
        answer = await things.get("/v1/things/busy")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert logs[0]["log_level"] == "info"
    assert "ConnectionRefusedError" in logs[0]["cause"]


async def test_an_unknown_path_is_a_problem(things):
    answer = await things.get("/v1/nothing")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_method_is_a_problem_and_says_which_are_known(things):
    answer = await things.delete("/v1/things/refused")

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


async def test_parameters_that_are_not_valid_are_named(things):
    answer = await things.get("/v1/things/by/me?sku=a&sku=b")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    pointers = [fault["pointer"] for fault in answer.json()["errors"]]
    assert pointers == ["#id", "#sku"]


async def test_what_nobody_foresaw_is_a_problem_that_tells_no_secrets(things):
    with structlog.testing.capture_logs() as logs:
        answer = await things.get(
            "/v1/things/broken", headers={"Origin": "https://shop.test"}
        )

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "Ada Byron" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "https://shop.test"
    assert [entry["event"] for entry in logs] == ["Request failed"]


async def test_half_an_answer_is_broken_off(things):
    transport = httpx.ASGITransport(things._transport.app)  # noqa: SLF001
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/v1/things/half")


@pytest.mark.parametrize(
    "place", ["/v1/things/by/%00?sku=a", "/v1/things?q=a%00b", "/v1/things/by/%ff"]
)
async def test_what_no_text_in_the_database_can_hold_is_malformed(things, place):
    answer = await things.get(place)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (Malformed, 400),
        (Unauthenticated, 401),
        (Forbidden, 403),
        (NotFound, 404),
        (Conflict, 409),
        (Unprocessable, 422),
        (Unavailable, 503),
    ],
)
def test_each_kind_of_refusal_has_its_status(refusal: type[Refused], status: int):
    assert refusal("").status is HTTPStatus(status)
