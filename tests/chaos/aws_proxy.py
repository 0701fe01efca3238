"""Between services and SQS/SNS: a network and an AWS that have a bad day.

It reads what it carries, SQS as JSON and SNS as a form, so that it can refuse one entry
of ten, hold a message back for a while, or deliver it twice.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer

JSON: TypeAlias = dict[str, Any]
JSON_TYPE = "application/x-amz-json-1.0"
ENTRY = "PublishBatchRequestEntries.member."
HELD_BACK_S = (1, 4)

ERROR_XML = (
    '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error>'
    "<Type>Receiver</Type><Code>{code}</Code><Message>a bad day</Message></Error>"
    "<RequestId>0</RequestId></ErrorResponse>"
)
NOTHING_TAKEN_XML = (
    b'<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">'
    b"<PublishBatchResult><Successful/><Failed/></PublishBatchResult>"
    b"<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>"
    b"</PublishBatchResponse>"
)
FAILED_XML = (
    "<member><Id>{id}</Id><Code>InternalFailure</Code><Message>a bad day</Message>"
    "<SenderFault>false</SenderFault></member>"
)


@dataclass(frozen=True)
class Call:
    """What a service asks of AWS, and how to say it to the emulator."""

    action: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def of_sqs(self) -> bool:
        return "x-amz-target" in self.headers

    @classmethod
    async def read(cls, request: web.Request) -> "Call":
        body = await request.read()
        headers = {
            name.lower(): value
            for name, value in request.headers.items()
            if name.lower() not in {"content-length", "transfer-encoding", "expect"}
        }
        target = headers.get("x-amz-target")
        action = (
            target.rpartition(".")[2]
            if target
            else dict(parse_qsl(body.decode())).get("Action", "")
        )
        return cls(action, request.path_qs, headers, body)

    def saying(self, body: bytes) -> "Call":
        return Call(self.action, self.path, self.headers, body)


@dataclass(frozen=True)
class Told:
    """What the emulator, or a bad day, answers."""

    status: int
    body: bytes
    content_type: str


@dataclass
class Mood:
    """Which share of the calls, or of the messages, meets with what."""

    refused: float = 0
    unavailable: float = 0
    throttled: float = 0
    answer_lost: float = 0
    entries_failed: float = 0
    repeated: float = 0
    held_back: float = 0
    shuffled: bool = False
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.awake.set()


class AwsProxy:
    def __init__(self, upstream: str, random: Random) -> None:
        self.mood = Mood()
        self.met: Counter[str] = Counter()
        self._upstream = upstream
        self._random = random
        app = web.Application(client_max_size=2**20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._server = TestServer(app)
        self._session: ClientSession | None = None

    @property
    def url(self) -> str:
        return str(self._server.make_url("/")).rstrip("/")

    async def start(self) -> None:
        self._session = ClientSession(
            self._upstream, connector=TCPConnector(limit=0), auto_decompress=False
        )
        await self._server.start_server()

    async def stop(self) -> None:
        assert self._session
        await self._session.close()
        await self._server.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = await Call.read(request)
        if not self.mood.awake.is_set():
            self.met["call left hanging"] += 1
            await self.mood.awake.wait()
            return _hung_up(request)
        if self._meets("refused", "call refused"):
            return _hung_up(request)
        if told := self._turned_away(call):
            return _answer(told)
        told = await self._answered(call)
        if self._meets("answer_lost", "answer lost"):
            return _hung_up(request)
        return _answer(told)

    def _meets(self, what: str, name: str) -> bool:
        met = self._random.random() < getattr(self.mood, what)
        self.met[name] += met
        return met

    def _turned_away(self, call: Call) -> Told | None:
        if self._meets("unavailable", "answered 503"):
            return _error(call, 503, "ServiceUnavailable")
        if self._meets("throttled", "throttled"):
            return _error(call, 400, "ThrottlingException")
        return None

    async def _answered(self, call: Call) -> Told:
        change = self._CHANGES.get(call.action)
        return await (change(self, call) if change else self._forward(call))

    async def _forward(self, call: Call) -> Told:
        assert self._session
        async with self._session.request(
            "POST", call.path, data=call.body, headers=call.headers
        ) as answer:
            return Told(
                answer.status,
                await answer.read(),
                answer.headers.get("Content-Type", JSON_TYPE),
            )

    async def _publish(self, call: Call) -> Told:
        """Some of the ten are not taken; the order of SNS's answers says nothing."""
        form = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
        numbers = sorted({name.split(".")[2] for name in form if ENTRY in name})
        failed = [n for n in numbers if self._meets("entries_failed", "entry failed")]
        if not failed:
            return await self._forward(call)
        ids = [form[f"{ENTRY}{n}.Id"] for n in failed]
        if len(failed) == len(numbers):
            return Told(200, _with_failed(NOTHING_TAKEN_XML, ids), "text/xml")
        left = _without(form, failed)
        told = await self._forward(call.saying(urlencode(left).encode()))
        return Told(told.status, _with_failed(told.body, ids), told.content_type)

    async def _batch(self, call: Call) -> Told:
        asked = json.loads(call.body)
        failed: list[JSON] = []
        left: list[JSON] = []
        for entry in asked["Entries"]:
            met = self._meets("entries_failed", "entry failed")
            (failed if met else left).append(entry)
        if not failed:
            return await self._forward(call)
        told = Told(200, b"{}", JSON_TYPE)
        if left:
            body = json.dumps(asked | {"Entries": left}).encode()
            told = await self._forward(call.saying(body))
        answer = json.loads(told.body)
        answer["Failed"] = [*answer.get("Failed", []), *map(_failure, failed)]
        return Told(told.status, json.dumps(answer).encode(), told.content_type)

    async def _receive(self, call: Call) -> Told:
        told = await self._forward(call)
        if told.status != 200:
            return told
        answer = json.loads(told.body)
        queue = json.loads(call.body)["QueueUrl"]
        messages = [
            message
            for message in answer.get("Messages", ())
            if not await self._held_back(call, queue, message)
        ]
        for message in messages:
            await self._repeated(call, queue, message)
        if self.mood.shuffled:
            self._random.shuffle(messages)
        answer["Messages"] = messages
        return Told(200, json.dumps(answer).encode(), told.content_type)

    async def _held_back(self, call: Call, queue: str, message: JSON) -> bool:
        """Some come later than those that were sent after them."""
        if not self._meets("held_back", "delivery held back"):
            return False
        await self._ask(
            call,
            "ChangeMessageVisibility",
            QueueUrl=queue,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=self._random.randint(*HELD_BACK_S),
        )
        return True

    async def _repeated(self, call: Call, queue: str, message: JSON) -> None:
        """At once to somebody else, or when it was deleted long ago."""
        if self._meets("repeated", "delivered again"):
            await self._ask(
                call,
                "SendMessage",
                QueueUrl=queue,
                MessageBody=message["Body"],
                DelaySeconds=self._random.choice((0, 0, 1, 3)),
            )

    async def _ask(self, like: Call, action: str, **asked: Any) -> None:
        service = like.headers["x-amz-target"].partition(".")[0]
        headers = {**like.headers, "x-amz-target": f"{service}.{action}"}
        body = json.dumps(asked).encode()
        told = await self._forward(Call(action, "/", headers, body))
        assert told.status == 200, told

    _CHANGES: Mapping[str, Callable[["AwsProxy", Call], Awaitable[Told]]] = {
        "PublishBatch": _publish,
        "SendMessageBatch": _batch,
        "DeleteMessageBatch": _batch,
        "ChangeMessageVisibilityBatch": _batch,
        "ReceiveMessage": _receive,
    }


def _answer(told: Told) -> web.Response:
    return web.Response(
        status=told.status,
        body=told.body,
        headers={"Content-Type": told.content_type},
    )


def _hung_up(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)  # to nobody


def _error(call: Call, status: int, code: str) -> Told:
    if call.of_sqs:
        error = {"__type": f"com.amazonaws.sqs#{code}", "message": "a bad day"}
        return Told(status, json.dumps(error).encode(), JSON_TYPE)
    return Told(status, ERROR_XML.format(code=code).encode(), "text/xml")


def _without(form: Mapping[str, str], failed: list[str]) -> dict[str, str]:
    """The form without these entries, and the rest numbered anew."""
    kept = sorted(
        {name.split(".")[2] for name in form if name.startswith(ENTRY)} - set(failed),
        key=int,
    )
    anew = {old: str(new) for new, old in enumerate(kept, start=1)}
    left = {}
    for name, value in form.items():
        if not name.startswith(ENTRY):
            left[name] = value
            continue
        number, _, rest = name.removeprefix(ENTRY).partition(".")
        if number in anew:
            left[f"{ENTRY}{anew[number]}.{rest}"] = value
    return left


def _with_failed(xml: bytes, ids: list[str]) -> bytes:
    members = "".join(FAILED_XML.format(id=id_) for id_ in ids).encode()
    for empty in (b"<Failed/>", b"<Failed />", b"<Failed></Failed>"):
        xml = xml.replace(empty, b"")
    failed = b"<Failed>" + members + b"</Failed></PublishBatchResult>"
    return xml.replace(b"</PublishBatchResult>", failed)


def _failure(entry: JSON) -> JSON:
    return {
        "Id": entry["Id"],
        "Code": "InternalError",
        "Message": "a bad day",
        "SenderFault": False,
    }
