import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import httpx
import pytest
from pydantic import Field, TypeAdapter

from chassis import web
from chassis.bodies import RequestBody, parse, reads, text
from chassis.errors import Malformed, Unprocessable
from chassis.routing import HttpRouter

MAX_BYTES = 2000


class Circle(RequestBody):
    shape: Literal["circle"]
    radius: int


class Square(RequestBody):
    shape: Literal["square"]
    side: int


class Drawing(RequestBody):
    name: Annotated[str, text(10)] = "untitled"
    shapes: tuple[Annotated[Circle | Square, Field(discriminator="shape")], ...] = ()
    count: int = 0
    signed: bool = False
    id: UUID | None = None
    at: datetime | None = None


class Album(RequestBody):
    circles: Annotated[tuple[Circle, ...], Field(min_length=1)]


router = HttpRouter()


@router.post("/drawings")
async def draw(
    body: Annotated[Drawing, reads(Drawing, max_bytes=MAX_BYTES)],
) -> Drawing:
    return body


@pytest.fixture
async def drawings() -> AsyncIterator[httpx.AsyncClient]:
    app = web.create_app("drawings", description="", routers=[router])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def post(client: httpx.AsyncClient, content, media_type="application/json"):
    return await client.post(
        "/drawings", content=content, headers={"Content-Type": media_type}
    )


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON; charset=utf-8", " application/json ;a=b"],
)
async def test_json_is_read(drawings, media_type):
    answer = await post(drawings, b'{"name": "\xc3\xbc"}', media_type)

    assert answer.json()["name"] == "ü"


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/jsonp"])
async def test_other_formats_are_415(drawings, media_type):
    answer = await post(drawings, b"{}", media_type)

    assert (answer.status_code, answer.json()["code"]) == (
        415,
        "unsupported_media_type",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b"{'name': 1}",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"[" * 1000,
        b'{"count": NaN}',
        b'{"count": -Infinity}',
        b'{"name": Infinity}',
        b'{"name": "a", "name": "b"}',
        b'{"name": "a", "n\\u0061me": "a"}',
        b'{"shapes": [{"shape": "circle", "radius": 1, "radius": 2}]}',
    ],
)
async def test_what_cannot_be_read_is_400(drawings, body):
    answer = await post(drawings, body)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 11}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": None}, "/name"),
        ({"count": "5"}, "/count"),
        ({"count": 5.0}, "/count"),
        ({"count": True}, "/count"),
        (b'{"count": 1e400}', "/count"),
        ({"signed": 1}, "/signed"),
        ({"id": "no"}, "/id"),
        ({"at": 5}, "/at"),
        ({"unknown/~": 1}, "/unknown~1~0"),
        ({"shapes": [{"shape": "circle", "radius": 1}, {}]}, "/shapes/1"),
        ([], ""),
        ("text", ""),
        (None, ""),
    ],
)
async def test_what_is_not_valid_is_422_and_says_where(drawings, body, pointer):
    sent = body if isinstance(body, bytes) else json.dumps(body)
    answer = await post(drawings, sent)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_every_fault_is_named_and_nothing_is_echoed(drawings):
    body = {"name": ["Ada Byron"], "count": "Ada Byron", "Ada": 1}

    answer = await post(drawings, json.dumps(body))

    assert len(answer.json()["errors"]) == 3
    assert "Ada Byron" not in answer.text


@pytest.mark.parametrize(
    ("shape", "pointer"),
    [
        ('{"shape": "circle", "radius": "1"}', "/shapes/0/radius"),
        ('{"shape": "circle"}', "/shapes/0/radius"),
        ('{"shape": "square", "side": 1, "color": "red"}', "/shapes/0/color"),
        ('{"shape": "line"}', "/shapes/0"),
        ('"circle"', "/shapes/0"),
    ],
)
def test_a_fault_points_at_what_was_sent_and_not_at_a_branch_of_a_union(shape, pointer):
    with pytest.raises(Unprocessable) as refused:
        parse(TypeAdapter(Drawing), f'{{"shapes": [{shape}]}}')

    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_a_kind_that_there_is_not_is_not_echoed():
    with pytest.raises(Unprocessable) as refused:
        parse(TypeAdapter(Drawing), '{"shapes": [{"shape": "Ada Byron"}]}')

    (fault,) = refused.value.faults
    assert fault.detail == "There is no such shape, but there are 'circle', 'square'"


def test_items_that_are_not_valid_are_not_missing_too():
    album = TypeAdapter(Album)

    with pytest.raises(Unprocessable) as refused:
        parse(album, '{"circles": [{"shape": "circle", "radius": "1"}]}')
    with pytest.raises(Unprocessable) as empty:
        parse(album, '{"circles": []}')

    assert [f.pointer for f in refused.value.faults] == ["/circles/0/radius"]
    assert [f.pointer for f in empty.value.faults] == ["/circles"]


def test_why_it_is_not_json_is_told_once():
    with pytest.raises(Malformed, match=r"^malformed: The body is not JSON: EOF"):
        parse(TypeAdapter(Circle), "")


def test_a_row_of_many_says_which_it_is():
    with pytest.raises(Unprocessable) as refused:
        parse(TypeAdapter(Circle), '{"shape": "circle"}', prefix="/rows/7")

    assert refused.value.faults[0].pointer == "/rows/7/radius"


def test_a_name_given_twice_is_told():
    with pytest.raises(Malformed, match='"radius"'):
        parse(TypeAdapter(Circle), '{"shape":"circle","radius":1,"radius":1}')


async def chunks(size: int) -> AsyncIterator[bytes]:
    yield b'{"name": "'
    for _ in range(size // 10):
        yield b"x" * 10
    yield b'"}'


async def test_a_body_that_declares_to_be_too_large_is_not_read(drawings):
    async def unread() -> AsyncIterator[bytes]:
        yield b""
        raise AssertionError

    headers = {"Content-Type": "application/json", "Content-Length": "2001"}
    answer = await drawings.post("/drawings", content=unread(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_body_that_turns_out_too_large_is_refused(drawings):
    assert (await post(drawings, chunks(1980))).status_code == 422
    assert (await post(drawings, chunks(2000))).status_code == 413


async def test_a_body_that_breaks_off_is_refused_and_no_error_of_ours(drawings):
    app = drawings._transport.app  # noqa: SLF001 - httpx cannot break off
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/drawings", "headers": headers}
    await app({**scope, "query_string": b"", "root_path": ""}, receive, send)

    assert sent[0]["status"] == 400
