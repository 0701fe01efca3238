"""What is let in and what is turned away, and that the latter costs nothing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest
import uvicorn
from fastapi import Request

from chassis import admission, connections, web
from chassis.admission import FEWEST, FEWEST_IN_A_RUSH, Gate, stepping_aside
from chassis.connections import MOST_IN_LINE, Connection
from chassis.door import Origins
from chassis.pace import Pace
from chassis.routing import HttpRouter
from chassis.testing import eventually

ORDER = b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
LOOK = b"GET /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n"

SHOP = "https://shop.test"
NOWHERE = Origins()

router = HttpRouter()
held = asyncio.Event()


@router.post("/hold")
async def hold(request: Request) -> str:
    await request.body()
    await held.wait()
    return "held"


@router.get("/aside")
async def wait_aside() -> str:
    with stepping_aside():
        await held.wait()
    return "waited"


@router.get("/healthz")
async def health() -> str:
    return "alive"


@pytest.fixture
def gate(monkeypatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(Connection, "gate", gate)
    return gate


@pytest.fixture
async def server(gate) -> AsyncIterator[uvicorn.Server]:
    held.clear()
    app = web.create_app("door", description="", routers=[router])
    app.state.gate = gate  # it is there before anybody connects
    config = uvicorn.Config(
        app, port=0, log_config=None, lifespan="off", http=Connection, ws="none"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def serves() -> bool:
        return server.started

    await eventually(serves)
    yield server
    held.set()
    server.should_exit = True
    await serving


async def connect(
    server: uvicorn.Server,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = server.servers[0].sockets[0].getsockname()[1]
    return await asyncio.open_connection("127.0.0.1", port)


async def ask(server: uvicorn.Server, *parts: bytes) -> bytes:
    """The head of the answer to a request that comes in these parts."""
    reader, writer = await connect(server)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.01)
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head


def crowded(gate: Gate, *, long: bool = True) -> Gate:
    for _ in range(FEWEST_IN_A_RUSH - 1):
        gate.enter()
    if long:
        gate._crowded_since = 0.0  # noqa: SLF001 - since the machine was started
    return gate


def test_a_rush_is_let_in():
    gate = crowded(Gate(), long=False)

    assert not gate.is_full()
    assert gate.turn_away(ORDER, NOWHERE) is None


def test_a_rush_has_an_end():
    gate = crowded(Gate(), long=False)
    gate.enter()

    assert gate.is_full()


def test_what_stays_crowded_lets_in_fewer_until_it_is_calm(monkeypatch):
    gate = crowded(Gate())
    assert gate.is_full()
    for _ in range(FEWEST_IN_A_RUSH - FEWEST - 1):
        gate.leave()

    assert gate.is_full()
    gate.leave()
    assert not gate.is_full()
    gate.enter()
    monkeypatch.setattr(gate, "_strict_until", 0.0)  # calm for long enough
    assert not gate.is_full()


def test_looking_is_turned_away_before_placing():
    gate = crowded(Gate())
    gate.is_full()
    while gate.inside > FEWEST - 1:
        gate.leave()

    assert gate.is_full(can_wait=True)
    assert not gate.is_full()


def test_who_is_turned_away_is_told_when_to_come_again():
    gate = crowded(Gate())

    answers = [gate.turn_away(ORDER, NOWHERE) for _ in range(3)]

    for answer in answers:
        assert answer
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(body)["code"] == "too_many_waiting"
    assert len({answer for answer in answers if answer}) == 3  # not all at once


@pytest.mark.parametrize(
    "data",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/orders/ops/queues HTTP/1.1\r\nHost: x\r\n\r\n",
        ORDER[:-1],
        ORDER + b"x",
        ORDER + LOOK,
        ORDER.replace(b"Host: x", b"Transfer-Encoding: chunked"),
        ORDER.replace(b"Host: x", b"Content-Length: 2"),
        ORDER.replace(b"Host: x", b"Content-Length : 2"),
        ORDER.replace(b"Host: x", b"Expect: 100-continue"),
        ORDER.replace(b"Host: x", b"Connection: close"),
        ORDER.replace(b"Host: x", b"Folded: x\r\n more"),
        ORDER.replace(b"Host: x\r\n", b"Host: x\n"),
        ORDER.replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"no HTTP\r\n\r\n",
    ],
)
def test_what_is_not_plainly_one_request_is_left_to_the_parser(data):
    assert crowded(Gate()).turn_away(data, NOWHERE) is None


async def test_at_the_door_a_connection_stays_for_the_next_request(server, gate):
    crowded(gate)
    reader, writer = await connect(server)

    for _ in range(3):
        writer.write(ORDER)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
        assert head.startswith(b"HTTP/1.1 503 ")
        await reader.readexactly(length)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.fixture
def in_line(server, gate, monkeypatch) -> Iterator[None]:  # noqa: ARG001 - leaves last
    """All that are turned away wait for their turn."""
    pace = Pace(0.001, most_waiting=1)
    monkeypatch.setattr(gate, "told", pace)
    monkeypatch.setattr(gate, "told_if_parsed", pace)
    crowded(gate)
    yield
    while pace._waiting:  # noqa: SLF001 - nobody looks in any more
        pace._waiting.popleft()()  # noqa: SLF001


async def ask_in_vain(server: uvicorn.Server, writer: asyncio.StreamWriter) -> None:
    writer.write(ORDER)

    async def waits() -> bool:
        connected = cast("set[Connection]", server.server_state.connections)
        return any(one._untold for one in connected)  # noqa: SLF001

    await eventually(waits)


@pytest.mark.usefixtures("in_line")
async def test_whoever_goes_on_asking_is_told_at_once_and_each_time(server):
    reader, writer = await connect(server)
    await ask_in_vain(server, writer)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")

    refused = await reader.readuntil(b"}")
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    writer.close()


@pytest.mark.usefixtures("in_line")
@pytest.mark.parametrize("order", [ORDER, ORDER[:-2]], ids=["whole", "by its head"])
async def test_of_a_line_that_is_too_long_one_is_told_and_one_waits(server, order):
    first, second = await connect(server), await connect(server)
    for _, writer in (first, second):
        writer.write(order)

    told, rest = await asyncio.wait(
        [asyncio.create_task(reader.readuntil(b"}")) for reader, _ in (first, second)],
        return_when=asyncio.FIRST_COMPLETED,
    )
    _, waiting = await asyncio.wait(rest, timeout=0.2)

    assert [len(told), len(waiting)] == [1, 1]
    waiting.pop().cancel()
    for _, writer in (first, second):
        writer.close()


@pytest.mark.usefixtures("in_line")
async def test_who_waits_to_be_told_is_told_before_the_server_leaves(server):
    reader, writer = await connect(server)
    await ask_in_vain(server, writer)
    server.should_exit = True

    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()


@pytest.mark.usefixtures("in_line")
async def test_who_says_no_more_is_told_all_the_same(server):
    reader, writer = await connect(server)
    await ask_in_vain(server, writer)
    writer.write_eof()

    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()


@pytest.mark.usefixtures("in_line")
async def test_whose_body_is_large_is_told_before_it_comes(server):
    large = ORDER.replace(b": 2", b": 999999")

    assert (await ask(server, large)).startswith(b"HTTP/1.1 503 ")


@pytest.mark.usefixtures("in_line")
async def test_who_makes_room_while_waiting_to_be_told_is_told(server, monkeypatch):
    reader, writer = await connect(server)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b'"alive"')
    await ask_in_vain(server, writer)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
    _, other = await connect(server)

    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    for each in (writer, other):
        each.close()


async def test_at_the_door_who_takes_no_answers_has_them_pile_up_nowhere(server, gate):
    crowded(gate)
    listening = server.servers[0].sockets[0]
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(listening.getsockname())
        client.setblocking(False)  # noqa: FBT003

        async def ask_until(enough) -> None:
            for _ in range(2000):
                await asyncio.get_running_loop().sock_sendall(client, ORDER)
                await asyncio.sleep(0.001)  # so that each comes for itself
                if enough():
                    return
            pytest.fail("it never is enough")

        async def is_connected() -> bool:
            return bool(server.server_state.connections)

        await eventually(is_connected)
        (connection,) = server.server_state.connections
        await ask_until(lambda: connection.flow.write_paused)
        piled_up = connection.transport.get_write_buffer_size()
        await ask_until(lambda: connection.flow.read_paused)

    assert connection.transport.get_write_buffer_size() == piled_up


async def test_nobody_answers_a_connection_that_was_given_up_meanwhile(
    server, gate, caplog
):
    crowded(gate)
    reader, writer = await connect(server)
    writer.write(ORDER * (MOST_IN_LINE + 2))  # more than may stand in line
    await reader.read()

    async def is_over() -> bool:
        return not server.server_state.tasks

    await eventually(is_over)
    writer.close()

    assert "Exception in ASGI application" not in caplog.text


async def test_what_comes_in_pieces_is_turned_away_by_its_head_alone(server, gate):
    crowded(gate)

    head = await ask(server, ORDER[:20], ORDER[20:-2])  # the body never comes

    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: " in head.lower()
    assert b"cache-control: no-store" in head.lower()


async def test_a_request_counts_from_when_all_of_it_has_come(server, gate):
    _, writer = await connect(server)
    request = ORDER.replace(b"/v1/orders", b"/hold")
    writer.write(request[:-1])

    async def inside() -> int:
        return gate.inside

    async def is_read() -> bool:
        return gate.reading == 2

    await eventually(is_read)
    assert await inside() == 0
    writer.write(request[-1:])

    async def counts() -> bool:
        return gate.inside == 1

    await eventually(counts)
    held.set()

    async def all_left() -> bool:
        return (gate.inside, gate.reading) == (0, 0)

    await eventually(all_left)
    writer.close()


async def test_who_only_waits_is_in_nobodys_way(server, gate):
    asking = asyncio.create_task(ask(server, LOOK.replace(b"/v1/orders", b"/aside")))

    async def came_and_waits() -> bool:
        return len(server.server_state.tasks) == 1 and gate.inside == 0

    await eventually(came_and_waits)
    held.set()

    assert b" 200 " in await asking


async def test_bodies_are_bounded_together_before_they_are_read(
    server, gate, monkeypatch
):
    monkeypatch.setattr(admission, "MOST_BODY_BYTES", 100)
    first = ORDER.replace(b"/v1/orders", b"/hold").replace(b": 2", b": 99")
    _, writer = await connect(server)
    writer.write(first[:-2])

    async def is_read() -> bool:
        return gate.reading == 99

    await eventually(is_read)

    assert b" 503 " in await ask(server, first[:-2])
    assert b" 200 " in await ask(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    writer.close()


def from_shop(data: bytes, origin: str = SHOP) -> bytes:
    return data.replace(b"Host: x", b"Host: x\r\nOrigin: " + origin.encode())


@pytest.fixture
def pages(monkeypatch) -> None:
    monkeypatch.setattr(Connection, "origins", Origins([SHOP]))


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("parts", [1, 2])
async def test_a_page_reads_why_it_was_turned_away(server, gate, parts):
    crowded(gate)
    order = from_shop(ORDER)
    middle = len(order) - 2

    whole = [order] if parts == 1 else [order[:middle], order[middle:]]
    answer = (await ask(server, *whole)).lower()

    assert answer.startswith(b"http/1.1 503")
    assert b"access-control-allow-origin: https://shop.test" in answer
    assert b"access-control-expose-headers: location, etag, retry-after" in answer
    assert b"vary: origin" in answer
    assert b"x-content-type-options: nosniff" in answer


@pytest.mark.usefixtures("pages")
async def test_a_page_of_others_reads_nothing(server, gate):
    crowded(gate)

    answer = await ask(server, from_shop(ORDER, "https://shop.test.evil.test"))

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"access-control" not in answer.lower()


def test_any_page_is_welcome_where_any_may_come():
    assert Origins(["*"]).welcome(b"https://any.test") == "*"
    assert Origins(["*"]).welcome(None) == ""


async def test_a_page_may_ask_whether_it_may_ask(server, gate):
    crowded(gate)

    preflight = b"OPTIONS /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await ask(server, preflight)

    assert not answer.startswith(b"HTTP/1.1 503")


def test_what_a_request_leaves_behind_takes_no_place(gate):
    ticket = gate.admit({"path": "/hold", "method": "POST", "headers": []})
    ticket.begin()
    with ticket.handed_on(), stepping_aside():
        ticket.end()

    assert gate.inside == 0
