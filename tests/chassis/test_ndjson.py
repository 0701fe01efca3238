from collections.abc import AsyncIterator, Iterable

import pytest
from fastapi import Request
from pydantic import BaseModel

from chassis.errors import Malformed, TooLarge, UnsupportedMediaType
from chassis.ndjson import NdjsonRows

ROWS = NdjsonRows(BaseModel, max_bytes=20, max_row_bytes=8)


def a_request(
    chunks: Iterable[bytes],
    *,
    content_type: str = "application/x-ndjson; charset=utf-8",
    length: int | None = None,
    breaks_off: bool = False,
) -> Request:
    messages = [
        *(
            {"type": "http.request", "body": chunk, "more_body": True}
            for chunk in chunks
        ),
        {"type": "http.disconnect"} if breaks_off else {"type": "http.request"},
    ]
    remaining = iter(messages)

    async def receive():
        return next(remaining)

    headers = [(b"content-type", content_type.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return Request({"type": "http", "headers": headers}, receive)


async def rows_of(request: Request) -> list[bytes]:
    rows: AsyncIterator[bytes] = await ROWS(request)
    return [row async for row in rows]


@pytest.mark.parametrize(
    "chunks",
    [[b"a\nbb\n\nccc"], [b"a", b"\nb", b"b\n", b"\n \nccc"], [b"a\nbb\nccc\n"]],
)
async def test_rows_are_the_same_however_they_are_cut(chunks):
    assert await rows_of(a_request(chunks)) == [b"a", b"bb", b"ccc"]


@pytest.mark.parametrize(
    "request_",
    [
        a_request([b"123456789"]),
        a_request([b"1234\n"] * 5),
        a_request([], length=21),
    ],
)
async def test_what_is_too_large_is_refused(request_):
    with pytest.raises(TooLarge):
        await rows_of(request_)


async def test_what_breaks_off_is_no_body():
    with pytest.raises(Malformed):
        await rows_of(a_request([b"a\n"], breaks_off=True))


async def test_other_formats_are_refused():
    with pytest.raises(UnsupportedMediaType):
        await rows_of(a_request([], content_type="application/json"))
