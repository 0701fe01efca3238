from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel
from starlette.types import Receive, Scope, Send

from chassis import web
from chassis.access import ids_in_path
from chassis.bodies import RequestBody, reads
from chassis.errors import Conflict
from chassis.idempotency import Key
from chassis.routing import HttpRouter

router = HttpRouter()


class Colour(RequestBody):
    name: str


class Mixed(BaseModel):
    name: str
    key: str


class NoSuchColour(Conflict):
    code = "no_such_colour"


@router.post("/colours", status_code=201)
async def mix(
    body: Annotated[Colour, reads(Colour)], key: Key, request: Request
) -> Response:
    if body.name == "none":
        raise NoSuchColour("There is none.")
    if body.name == "tea":
        raise HTTPException(418, "short and stout")
    if body.name == "white hole":
        raise RequestValidationError([{"loc": ("query", "hue"), "msg": "no"}])
    if body.name == "black hole":
        raise RuntimeError("nothing comes out")
    return web.respond(request, Mixed(name=body.name, key=key), status=201)


@router.get("/colours/{name}")
async def get_colour(name: str) -> str:
    return name


@router.get("/mixtures/{mixture_id:uuid}")
async def get_mixture(mixture_id: UUID, key: Key, request: Request) -> Response:
    return web.respond(request, Mixed(name=str(mixture_id), key=key))


def an_app(**options: Any) -> FastAPI:
    return web.create_app(
        "colours",
        description="Colours.",
        routers=[router],
        cors_origins=["https://shop.test"],
        **options,
    )


@pytest.fixture(params=[[], [mix, get_mixture]], ids=["framework", "express"])
async def colours(request) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(an_app(express=request.param))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def post(colours: httpx.AsyncClient, path: str = "/colours", **given):
    headers = {"Idempotency-Key": "k", "Origin": "https://shop.test"}
    return await colours.post(path, **{"headers": headers, **given})


async def test_both_ways_lead_to_the_same_endpoint(colours):
    answer = await post(colours, json={"name": "red"})

    assert (answer.status_code, answer.json()) == (201, {"name": "red", "key": "k"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.test"


async def scope_of(app: FastAPI, method: str, path: str, **given: Any) -> Scope:
    """What is left to be told of a request once it is answered."""
    scopes: list[Scope] = []

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await app(scope, receive, send)

    transport = httpx.ASGITransport(noted)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.request(method, path, headers={"Idempotency-Key": "k"}, **given)
    return scopes[0]


@pytest.mark.parametrize("express", [[], [mix]], ids=["framework", "express"])
async def test_both_ways_say_which_route_it_was(express):
    app = an_app(express=express)

    scope = await scope_of(app, "POST", "/colours", json={"name": "red"})

    assert scope["route"].path == "/colours"


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"json": {"name": "none"}}, 409, "no_such_colour"),
        ({"json": {"name": "black hole"}}, 500, "internal_error"),
        ({"json": {"name": "tea"}}, 418, "i'm_a_teapot"),
        ({"json": {"name": "white hole"}}, 422, "invalid"),
        ({"json": {"name": 1}}, 422, "invalid"),
        ({"json": {"name": "red"}, "headers": {}}, 400, "idempotency_key_missing"),
        ({"json": {"name": "red"}, "path": "/colours?hue=1"}, 422, "invalid"),
        ({"content": "red"}, 415, "unsupported_media_type"),
    ],
)
async def test_both_ways_say_the_same_no(colours, given, status, code):
    answer = await post(colours, **given)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_other_methods_and_paths_are_the_frameworks(colours):
    assert (await colours.get("/colours/red")).json() == "red"
    assert (await colours.put("/colours")).headers["Allow"] == "POST"


A_MIXTURE = "1b4e28ba-2fa1-51d2-883f-0016d3cca427"


async def test_both_ways_take_the_same_part_of_a_path(colours):
    key = {"Idempotency-Key": "k"}
    written = A_MIXTURE, A_MIXTURE.upper(), A_MIXTURE.replace("-", "")
    answers = [await colours.get(f"/mixtures/{one}", headers=key) for one in written]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["name"] for answer in answers} == {A_MIXTURE}


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [("PUT", "", 405), ("DELETE", "", 405), ("GET", "?hue=1", 422)],
)
async def test_what_is_not_for_that_part_is_refused_on_both_ways(
    colours, method, query, status
):
    key = {"Idempotency-Key": "k"}
    answer = await colours.request(method, f"/mixtures/{A_MIXTURE}{query}", headers=key)

    assert answer.status_code == status
    assert status != 405 or answer.headers["Allow"] == "GET"


@pytest.mark.parametrize("part", ["red", "{mixture_id}", ""])
async def test_what_is_no_such_part_is_not_found_on_both_ways(colours, part):
    answer = await colours.get(f"/mixtures/{part}", headers={"Idempotency-Key": "k"})

    assert answer.status_code == 404


@pytest.mark.parametrize("express", [[], [get_mixture]], ids=["framework", "express"])
async def test_both_ways_tell_logs_which_part_it_was(express):
    scope = await scope_of(an_app(express=express), "GET", f"/mixtures/{A_MIXTURE}")

    assert ids_in_path(scope) == {"mixture_id": A_MIXTURE}
    assert scope["route"].path == "/mixtures/{mixture_id:uuid}"


def test_openapi_shows_the_route_whichever_way_it_is_served():
    assert an_app(express=[mix, get_mixture]).openapi() == an_app().openapi()


async def get_otherwise(mixture_id: str) -> Response:
    return Response(mixture_id)


async def get_no_part() -> Response:
    return Response()


async def get_later_than(
    mixture_id: Annotated[UUID, AfterValidator(lambda id_: id_)],
) -> Response:
    return Response(str(mixture_id))


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/colours/{name}", get_colour),
        ("/mixtures/{mixture_id:uuid}", get_otherwise),
        ("/mixtures/{name}", get_no_part),
        ("/mixtures/{mixture_id:uuid}", get_later_than),
    ],
)
def test_what_the_framework_has_to_read_cannot_be_served_past_it(path, endpoint):
    other = HttpRouter()
    other.get(path)(endpoint)
    app = web.create_app("o", description="", routers=[other], express=[endpoint])

    with pytest.raises(ValueError, match="has parameters"):
        app.build_middleware_stack()


def blocking() -> str:
    return "red"


async def yielding() -> AsyncIterator[str]:
    yield "red"


async def plain() -> str:
    return "red"


async def twice(_: Annotated[str, Depends(plain)]) -> str:
    return "red"


async def of_a_blocking(_: Annotated[str, Depends(blocking)]) -> Response:
    return Response()


async def of_a_yielding(_: Annotated[str, Depends(yielding)]) -> Response:
    return Response()


async def of_one_twice(
    _: Annotated[str, Depends(plain)], __: Annotated[str, Depends(twice)]
) -> Response:
    return Response()


async def of_no_response() -> str:
    return "red"


@pytest.mark.parametrize(
    ("endpoint", "why"),
    [
        (of_a_blocking, "blocking .* is not awaited"),
        (of_a_yielding, "yielding .* is not awaited"),
        (of_one_twice, "plain .* is needed twice"),
        (of_no_response, "has to return a Response"),
    ],
)
def test_what_would_be_served_otherwise_than_by_the_framework_is_not(endpoint, why):
    other = HttpRouter()
    other.post("/other")(endpoint)
    app = web.create_app("o", description="", routers=[other], express=[endpoint])

    with pytest.raises(ValueError, match=why):
        app.build_middleware_stack()
