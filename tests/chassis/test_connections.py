"""Clients that are slow, never stop, never begin, or speak no HTTP: on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Annotated

import pytest
import uvicorn
from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from chassis import connections, web
from chassis.bodies import RequestBody, reads
from chassis.connections import Connection
from chassis.door import Origins
from chassis.routing import HttpRouter
from chassis.testing import eventually

MIB = 1024 * 1024
router = HttpRouter()


class Word(RequestBody):
    word: str


@router.post("/words")
async def say(body: Annotated[Word, reads(Word)]) -> str:
    return body.word


@router.post("/refused", status_code=403)
async def refuse() -> str:
    return "no"


@router.post("/seen")
async def see(request: Request) -> list[str]:
    await request.body()
    return [name for name, _ in request.scope["headers"]]


@router.get("/held")
async def hold(request: Request) -> str:
    """Until nobody listens any more."""
    while not await request.is_disconnected():  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)
    return "let go"


@router.get("/much")
async def give() -> Response:
    return Response(b"x" * 16 * MIB)


@router.get("/endless")
async def stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536
            await asyncio.sleep(0)

    return StreamingResponse(chunks())


@pytest.fixture
async def server() -> AsyncIterator[uvicorn.Server]:
    app = web.create_app("slow", description="", routers=[router])
    config = uvicorn.Config(
        app,
        port=0,
        http=Connection,
        ws="none",
        log_config=None,
        lifespan="off",
        timeout_keep_alive=2,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    yield server
    server.should_exit = server.force_exit = True
    await serving


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As patient as always, on a clock that runs twenty times as fast."""
    for name in ("HEAD", "BODY", "LEFTOVER", "TAKEN"):
        patience = getattr(connections, f"{name}_WITHIN_S")
        monkeypatch.setattr(connections, f"{name}_WITHIN_S", patience / 20)


@asynccontextmanager
async def connected(
    server: uvicorn.Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=MIB)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer_to(
    server: uvicorn.Server, sent: Iterable[bytes], *, every_s: float = 0
) -> bytes:
    """What came back until the server closed; it stops listening when it does."""
    async with connected(server) as (reader, writer):
        answering = asyncio.create_task(reader.read())
        with suppress(ConnectionError):
            for part in sent:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(every_s)
                if answering.done():
                    break
        with suppress(ConnectionError):
            return await asyncio.wait_for(answering, 10)
        return b""


def singly(content: bytes) -> Iterable[bytes]:
    return (content[at : at + 1] for at in range(len(content)))


def status_of(answer: bytes) -> int:
    """Of a problem, which is told as every other."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"X-Content-Type-Options: nosniff" in head
    status = int(head.split()[1])
    assert json.loads(body)["status"] == status
    return status


WORD = b'{"word": "hello"}'
HEAD = b"POST /words HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CLOSE = b"Connection: close"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(WORD) + WORD
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_a_head_that_comes_by_the_byte_is_not_waited_for(server):
    assert status_of(await answer_to(server, singly(WHOLE), every_s=0.05)) == 408


async def test_nor_is_that_of_a_later_request(server):
    async with connected(server) as (reader, writer):
        writer.write(WHOLE)
        await reader.readuntil(b'"hello"')
        answering = asyncio.create_task(reader.read())
        for byte in singly(WHOLE):
            writer.write(byte)
            await asyncio.wait([answering], timeout=0.05)

        assert status_of(await answering) == 408


async def test_who_sends_nothing_is_let_go(server):
    assert await answer_to(server, []) == b""


async def test_a_body_that_comes_by_the_byte_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(connections, "SLOWEST_BYTES_PER_S", 1000)
    head = HEAD + b"Content-Length: 1000\r\n\r\n"

    answer = await answer_to(server, [head, *singly(b" " * 999)], every_s=0.05)

    assert status_of(answer) == 408


async def test_a_body_that_is_large_may_take_its_time(server, monkeypatch):
    monkeypatch.setattr(connections, "SLOWEST_BYTES_PER_S", 1000)
    size = 5000
    head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size
    parts = [WORD, *[b" " * 100] * ((size - len(WORD)) // 100)]
    rest = b" " * (size - sum(map(len, parts)))

    answer = await answer_to(server, [head, *parts, rest], every_s=0.04)

    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_body_is_no_reason_to_stay_when_its_request_is_answered(server):
    head = b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"

    answer = await answer_to(server, [head, *singly(b"x" * 999)], every_s=0.05)

    assert answer.startswith(b"HTTP/1.1 403")
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_body_that_follows_its_answer_ends_and_another_request_may_come(server):
    head = b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    async with connected(server) as (reader, writer):
        writer.write(head)
        await reader.readuntil(b'"no"')
        writer.write(b"late" + WHOLE)

        assert await reader.readuntil(b'"hello"')


async def test_who_sends_a_late_body_and_nothing_else_is_let_go(server):
    head = b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"

    assert await answer_to(server, [head, b"late"], every_s=0.1)


@pytest.mark.parametrize("path", [b"/much", b"/endless"])
async def test_who_does_not_read_the_answer_is_let_go(server, path):
    async with connected(server) as (_, writer):  # whose reader stops at 2 MiB
        writer.write(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        await asyncio.sleep(0.2)
        assert len(server.server_state.connections) == 1

        await eventually(gone(server))


def gone(server: uvicorn.Server):
    async def check() -> bool:
        return not server.server_state.connections and not server.server_state.tasks

    return check


async def test_who_reads_slowly_but_reads_gets_it_all(server, monkeypatch):
    monkeypatch.setattr(connections, "TAKEN_WITHIN_S", 0.3)
    monkeypatch.setattr(connections, "SLOWEST_BYTES_PER_S", 1000)
    async with connected(server) as (reader, writer):
        writer.write(b"GET /much HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size = 0
        while part := await reader.read(2 * MIB):
            size += len(part)
            await asyncio.sleep(0.1)

    assert size > 16 * MIB


async def test_a_head_has_a_size(server):
    endless = [b"GET / HTTP/1.1\r\nX: ", *[b"x" * 8192] * 2000]

    assert status_of(await answer_to(server, endless)) == 431


async def test_what_is_around_chunks_has_a_size_too(server):
    for around in (b"1;" + b"x" * 8192, b"0\r\nX: " + b"x" * 8192):
        answer = await answer_to(server, [CHUNKED, around, *[b"x" * 8192] * 2000])

        assert status_of(answer) == 431


async def test_a_body_of_single_bytes_is_read(server):
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in WORD + b" " * 100_000)

    answer = await answer_to(server, [CHUNKED + chunks + b"0\r\n\r\nGET"])

    assert answer.startswith(b"HTTP/1.1 200")


async def test_what_trails_a_body_is_no_header(server):
    sent = CHUNKED.replace(b"/words", b"/seen") + b"0\r\nAuthorization: x\r\n\r\n"
    async with connected(server) as (reader, writer):
        writer.write(sent)
        names = await reader.readuntil(b"]")

    assert b"authorization" not in names


NO_HTTP = {
    "words": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\n\r\n",
    "a path that is no ASCII": b"GET /\xff HTTP/1.1\r\n\r\n",
    "a NUL in the path": b"GET /\0 HTTP/1.1\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nX: \0\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nX\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nX: a\r\n b\r\nY Z: c\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "a lone line feed": b"GET / HTTP/1.1\nHost: x\n\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "two equal lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    "a length and chunks": CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a huge length": HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
    "a length in words": HEAD + b"Content-Length: ten\r\n\r\n",
    "chunked twice over": HEAD + b"Transfer-Encoding: chunked, x\r\n\r\n",
    "a chunk of no size": CHUNKED + b"x\r\n",
    "a chunk too long": CHUNKED + b"f" * 40 + b"\r\n",
    "CONNECT": b"CONNECT x:1 HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=list(NO_HTTP))
async def test_what_is_no_http_is_a_problem_and_no_request(server, sent):
    assert status_of(await answer_to(server, [sent])) in {400, 404}


async def test_an_upgrade_is_no_way_out_of_http(server):
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with connected(server) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: x\r\n" + upgrade)

        assert (await reader.readline()).startswith(b"HTTP/1.1 404")


async def test_who_leaves_in_the_middle_of_a_body_is_gone(server):
    async with connected(server) as (_, writer):
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
        writer.write_eof()

        await eventually(gone(server))


HELD = b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_what_one_behind_does_wrong_is_no_answer_to_the_one_ahead(server):
    async with connected(server) as (reader, writer):
        writer.write(HELD)
        await asyncio.sleep(0.1)  # or both would come as one
        writer.write(HEAD + b"Content-Length: 9\r\n\r\n")

        assert await reader.read(1) == b""


async def test_who_leaves_is_missed_by_all_that_stand_in_line(server):
    async with connected(server) as (_, writer):
        writer.write(HELD + HELD)
        await asyncio.sleep(0.1)

    await eventually(gone(server))

    async def nobody_works() -> bool:
        return not server.server_state.tasks

    await eventually(nobody_works)


async def test_few_may_stand_in_line(server):
    async with connected(server) as (reader, writer):
        writer.write(HELD * 1000)

        assert await reader.read(1) == b""
        assert len(server.server_state.tasks) <= 1


async def test_those_who_stand_in_line_are_answered(server):
    line = connections.MOST_IN_LINE * WHOLE + WHOLE.replace(b"Host: x", CLOSE)

    answer = await answer_to(server, [line])

    assert answer.count(b'"hello"') == connections.MOST_IN_LINE + 1


async def test_when_there_are_too_many_the_longest_idle_goes(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    async with connected(server) as idle, connected(server) as later:
        for reader, writer in (idle, later):
            writer.write(WHOLE)
            await reader.readuntil(b'"hello"')

        answer = await answer_to(server, [WHOLE.replace(b"Host: x", CLOSE)])

        assert answer.startswith(b"HTTP/1.1 200")
        assert await asyncio.wait_for(idle[0].read(), 5) == b""
        assert not later[0].at_eof()


async def test_who_leaves_already_makes_no_more_room(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 2)
    much = b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n"
    async with connected(server) as (_, writer), connected(server) as (later, other):
        writer.write(much)  # and nobody takes it
        await asyncio.sleep(0.2)
        other.write(WHOLE)
        await later.readuntil(b'"hello"')

        async with connected(server), connected(server):
            assert await asyncio.wait_for(later.read(), 1) == b""


async def test_when_all_are_busy_there_is_no_room(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 0)

    answer = await answer_to(server, [])

    assert status_of(answer) == 503
    assert b"Retry-After" in answer


async def test_where_files_are_few_there_are_fewer(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(Connection, "share", 0.25)
    async with connected(server):
        answer = await answer_to(server, [])

    assert status_of(answer) == 503


async def test_a_page_reads_that_there_is_no_room_for_its_request(server, monkeypatch):
    monkeypatch.setattr(Connection, "origins", Origins(["https://shop.test"]))

    answer = await answer_to(
        server, [b"GET / HTTP/1.1\r\nOrigin: https://shop.test\r\nx: " + MIB * b"x"]
    )

    assert status_of(answer) == 431
    assert b"Access-Control-Allow-Origin: https://shop.test\r\n" in answer


async def test_those_for_whom_there_is_no_room_are_few(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 0)
    monkeypatch.setattr(connections, "MOST_REFUSED", 2)
    monkeypatch.setattr(connections, "LEFTOVER_WITHIN_S", 60)
    async with AsyncExitStack() as stack:
        for _ in range(5):
            reader, _ = await stack.enter_async_context(connected(server))
            assert status_of(await reader.read()) == 503

        async def are_two() -> bool:
            return len(server.server_state.connections) == 2

        await eventually(are_two)


async def test_those_who_were_refused_take_no_room(server, monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
    monkeypatch.setattr(connections, "LEFTOVER_WITHIN_S", 60)
    async with connected(server) as (_, silent), connected(server) as (refused, _):
        assert status_of(await refused.read()) == 503
        silent.transport.abort()

        async def is_room() -> bool:
            answer = await answer_to(server, [WHOLE.replace(b"Host: x", CLOSE)])
            return answer.startswith(b"HTTP/1.1 200")

        await eventually(is_room)
