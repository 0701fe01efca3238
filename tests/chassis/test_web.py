import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from chassis import web
from chassis.bodies import RequestBody, reads
from chassis.routing import HttpRouter
from sample.main import router as sample_router


class Colour(BaseModel):
    name: str


router = HttpRouter()


@router.get("/colours/{name}")
async def get_colour(name: str, request: Request) -> Response:
    return web.respond(request, Colour(name=name))


@router.post("/colours")
async def mix(request: Request) -> Response:
    return web.respond(
        request, Colour(name="new"), status=201, headers={"Location": "/colours/new"}
    )


@router.get("/broken")
async def break_down() -> None:
    raise ZeroDivisionError


@router.get("/public")
async def get_public() -> Response:
    return Response("red", headers={"Cache-Control": "max-age=60"})


@router.get("/rainbow")
async def stream() -> StreamingResponse:
    async def colours() -> AsyncIterator[bytes]:
        while True:
            yield b"red"
            await asyncio.sleep(0)

    return StreamingResponse(colours(), media_type="text/event-stream")


def an_app(*routers: HttpRouter) -> FastAPI:
    return web.create_app(
        "colours",
        description="Colours.",
        routers=routers,
        cors_origins=["https://shop.test"],
    )


@pytest.fixture
async def colours() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(an_app(router), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_the_same_view_has_the_same_etag(colours):
    red = await colours.get("/colours/red")
    again = await colours.get("/colours/red")
    blue = await colours.get("/colours/blue")

    assert red.headers["etag"] == again.headers["etag"] != blue.headers["etag"]
    assert red.headers["content-type"] == "application/json"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_who_has_the_view_already_is_told_so(colours, form):
    tag = (await colours.get("/colours/red")).headers["etag"]

    answer = await colours.get(
        "/colours/red", headers={"If-None-Match": form.format(tag)}
    )

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == tag


async def test_who_has_an_older_view_gets_the_new_one(colours):
    answer = await colours.get("/colours/red", headers={"If-None-Match": '"older"'})

    assert answer.json() == {"name": "red"}


async def test_head_is_get_without_the_body(colours):
    got = await colours.get("/colours/red")

    head = await colours.head("/colours/red")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == got.headers


async def test_head_tells_who_has_the_view_already(colours):
    tag = (await colours.get("/colours/red")).headers["etag"]

    answer = await colours.head("/colours/red", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.headers["etag"]) == (304, tag)


async def test_head_of_what_is_not_there_has_no_body_either(colours):
    answer = await colours.head("/nothing")

    assert (answer.status_code, answer.content) == (404, b"")
    assert (await colours.head("/colours")).status_code == 405


async def test_head_of_a_stream_ends(colours):
    answer = await asyncio.wait_for(colours.head("/rainbow"), 5)

    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_what_was_created_is_never_not_modified(colours):
    answer = await colours.post("/colours", headers={"If-None-Match": "*"})

    assert (answer.status_code, answer.headers["location"]) == (201, "/colours/new")


async def test_browsers_of_known_origins_may_read_our_headers(colours):
    answer = await colours.post("/colours", headers={"Origin": "https://shop.test"})

    exposed = answer.headers["access-control-expose-headers"]
    assert {"Location", "ETag", "Idempotent-Replayed"} <= set(exposed.split(", "))


async def test_browsers_of_other_origins_may_not(colours):
    answer = await colours.get("/colours/red", headers={"Origin": "https://evil.test"})

    assert "access-control-allow-origin" not in answer.headers


async def test_a_browser_may_ask_first_without_a_token(colours):
    answer = await colours.options(
        "/colours",
        headers={
            "Origin": "https://shop.test",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, idempotency-key",
        },
    )

    assert answer.status_code == 200


async def test_what_an_answer_says_depends_on_who_asks_for_it(colours):
    for origin in ("https://shop.test", "https://evil.test"):
        answer = await colours.options(
            "/colours",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        )
        assert "Origin" in answer.headers["vary"]

    allowed = {"Origin": "https://shop.test"}
    answer = await colours.get("/colours/red", headers=allowed)
    assert answer.headers["vary"] == "Origin"
    assert answer.headers["access-control-allow-origin"] == "https://shop.test"
    assert "access-control-allow-credentials" not in answer.headers


async def test_browsers_may_not_call_unless_that_is_set():
    app = web.create_app("colours", description="", routers=[router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/colours/red", headers={"Origin": "http://x"})
        asked = await client.options("/colours", headers=ASKING)

    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert asked.status_code == 405


ASKING = {"Origin": "http://x", "Access-Control-Request-Method": "POST"}


async def test_documents_need_no_token(colours):
    for document in ("openapi.json", "docs"):
        assert (await colours.get(f"/v1/colours/{document}")).status_code == 200


async def test_the_documentation_loads_nothing_from_elsewhere(colours):
    page = await colours.get("/v1/colours/docs")

    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(loaded) == 3
    for path in loaded:
        asset = await colours.get(f"/v1/colours/{path}")
        assert asset.status_code == 200
        assert len(asset.content) > 10
        assert "'self'" in asset.headers["content-security-policy"]
    assert "<script>" not in page.text
    assert "http" not in page.text


ANSWERS = {
    "a view": ("GET", "/colours/red"),
    "nothing new": ("GET", "/colours/red"),
    "a problem": ("GET", "/colours"),
    "nothing there": ("GET", "/nothing"),
    "a failure": ("GET", "/broken"),
    "a preflight": ("OPTIONS", "/colours"),
    "the document": ("GET", "/v1/colours/openapi.json"),
    "the documentation": ("GET", "/v1/colours/docs"),
    "a head": ("HEAD", "/colours/red"),
}


@pytest.mark.parametrize(("method", "path"), ANSWERS.values(), ids=list(ANSWERS))
async def test_every_answer_is_careful_with_browsers(colours, method, path):
    answer = await colours.request(method, path, headers={"If-None-Match": "*"})

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert {"default-src 'none'", "frame-ancestors 'none'"} <= set(policy.split("; "))
    assert ("no-store" in answer.headers["cache-control"]) != path.endswith("docs")
    assert "server" not in answer.headers


async def test_an_answer_that_speaks_for_itself_is_left_alone(colours):
    answer = await colours.get("/public")

    assert answer.headers.get_list("cache-control") == ["max-age=60"]


def document_of_the_sample() -> dict:
    return an_app(sample_router).openapi()


def test_openapi_shows_the_body_that_a_route_reads():
    document = document_of_the_sample()

    body = document["paths"]["/v1/sample/notes"]["post"]["requestBody"]
    assert body == {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/NoteBody"}}
        },
    }
    assert document["components"]["schemas"]["NoteBody"]["required"] == ["text"]


def test_openapi_shows_problems_and_none_of_the_frameworks():
    document = document_of_the_sample()

    for path in document["paths"].values():
        for operation in path.values():
            (content,) = operation["responses"]["default"]["content"].items()
            assert content[0] == "application/problem+json"
            assert "422" not in operation["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_openapi_keeps_what_a_route_says_of_its_own_422():
    choosy = HttpRouter()
    own = {"description": "too dark", "content": {"application/problem+json": {}}}

    @choosy.get("/shades/{name}", responses={422: own})
    async def get_shade(name: str) -> str:
        return name

    document = an_app(choosy).openapi()

    assert document["paths"]["/shades/{name}"]["get"]["responses"]["422"] == own


def test_openapi_shows_the_scope_of_each_route():
    path = document_of_the_sample()["paths"]["/v1/sample/notes"]

    assert path["post"]["security"] == [{"HTTPBearer": ["sample.write"]}]


def test_openapi_refers_to_nothing_that_is_not_there():
    document = document_of_the_sample()

    for reference in references(document):
        name = reference.removeprefix("#/components/schemas/")
        assert name in document["components"]["schemas"]


def references(node) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def test_two_models_of_one_name_are_noticed():
    other = HttpRouter()

    def body_called_colour() -> type[RequestBody]:
        class Colour(RequestBody):
            shade: int

        return Colour

    body = body_called_colour()

    @other.post("/shades", response_model=Colour)
    async def shade(body: Annotated[RequestBody, reads(body)]) -> Response:
        return Response(repr(body))

    with pytest.raises(ValueError, match="Colour"):
        an_app(other).openapi()


async def test_what_is_allowed_is_told_in_full():
    router = HttpRouter(prefix="/things")

    @router.put("/{id_}")
    async def put_thing(id_: str) -> str:
        return id_

    @router.get("/{id_}")
    async def get_thing(id_: str) -> str:
        return id_

    app = web.create_app("things", description="Things.", routers=[router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.delete("/things/1")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, PUT")
