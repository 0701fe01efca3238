"""What nobody should send, at every place where something can be sent.

The places are those of each service's OpenAPI: bodies by their examples, parameters by
their names. Nothing of it is an error of ours.
"""

import copy
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from chassis.testing import TokenIssuer
from orderly.tokens import SCOPES
from tests.hostile.operations import Operation, operations_of

MARK = "\ue000"  # of nobody's alphabet: where something else is put
NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "beyond a double": "1e400",
    "a fraction": "1.5",
    "1.0": "1.0",
    "true": "true",
    "text": '"1"',
    "a list": "[1]",
    "beyond 64 bits": str(2**64),
    "5000 digits": "9" * 5000,
    "minus 5000 digits": "-" + "9" * 5000,
}
TEXTS = {
    "NUL": r'"a\u0000b"',
    "a lone surrogate": r'"\ud800"',
    "a number": "5",
    "true": "true",
    "a list": '["a"]',
    "an object": '{"a": 1}',
    "a megabyte": '"' + "x" * 900_000 + '"',
}
DOCUMENTS: Mapping[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a word": b'"word"',
    "a number": b"1",
    "spaces": b"   ",
    "half an object": b'{"a"',
    "100 000 lists": b"[" * 100_000,
    "100 000 lists that end": b"[" * 100_000 + b"]" * 100_000,
    "100 000 objects": b'{"a":' * 100_000,
    "not UTF-8": b'{"\xff": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a name twice": b'{"a": 1, "a": 2}',
    "what Python would build": b'{"__class__": "x", "__proto__": {"a": 1}}',
    "too much": b'{"a": "' + b"x" * 1_100_000 + b'"}',
}
PARAMETERS = {
    "NUL": "%00",
    "NUL within": "a%00b",
    "a way up": "..%2f..%2f..%2fetc%2fpasswd",
    "dots": "%2e%2e",
    "no UTF-8": "%ff",
    "a lone surrogate": "%ed%a0%80",
    "half an escape": "%",
    "a line break": "a%0d%0aX:%20b",
    "SQL": quote("' OR 1=1; DROP TABLE orders --"),
    "a wild card": "%25_",
    "a backslash": "%5c",
    "much": "x" * 10_000,
    "digits": "9" * 5000,
    "below zero": "-1",
    "NaN": "NaN",
    "a double's end": "1e400",
    "beyond years": "99999-01-01",
    "a long while ago": "0001-01-01T00:00:00%2B23:59",
    "the end of time": "9999-12-31T23:59:59-23:59",
    "emoji": quote("💩" * 100),
    "right to left": quote("\u202e\u2066"),
    "nothing": "",
}
KEYS = {
    "nothing": [b""],
    "a space": [b" "],
    "much": [b"k" * 10_000],
    "one too many": [b"k" * 256],
    "two": [b"k", b"k"],
    "a control character": [b"k\x01"],
    "no ASCII": ["ké".encode()],
    "no UTF-8": [b"k\xff"],
}
HEADERS = [
    ("Accept", "*/*;q=x, ,;"),
    ("Accept", b"text/html\xff"),
    ("If-None-Match", '"' * 5000),
    ("Prefer", "wait=1e400"),
    ("Prefer", "wait=" + "9" * 5000),
    ("Prefer", "wait=-1, wait=NaN; wait"),
    ("traceparent", "00-" + "z" * 32 + "-" + "f" * 16 + "-01"),
    ("traceparent", b"\xff"),
    ("tracestate", "a=" * 3000),
    ("Last-Event-ID", "9" * 5000),
    ("Range", "bytes=0-,0-,0-"),
    ("Host", "evil.test:99999"),
    ("X-Forwarded-For", "'; --"),
    ("Content-Length", "-5"),
    ("Content-Length", "1_0"),
    ("Content-Length", "٣".encode()),
    ("Transfer-Encoding", "gzip"),
    ("Content-Encoding", "gzip"),
    ("Expect", "the unexpected"),
    ("Cookie", "a" * 5000),
]

# They wait a second for dead letters, and read no header of their own.
LOOKS = {"list_dead_letters", "redrive_dead_letters"}


@pytest.fixture
async def staff(client: httpx.AsyncClient, issuer: TokenIssuer) -> httpx.AsyncClient:
    client.headers.update(issuer.headers(*SCOPES))
    client.headers["Content-Type"] = "application/json"
    return client


def reading(service: str) -> Iterator[tuple[Operation, Any]]:
    """The operations that read JSON, each with an example of it."""
    for operation in operations_of(service):
        content = operation.description.get("requestBody", {}).get("content", {})
        if "application/json" in content and operation.scopes:
            yield operation, operation.example()


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = node.items() if isinstance(node, dict) else enumerate(node)
    for name, part in parts:
        yield (*path, name)
        if isinstance(part, dict | list):
            yield from leaves(part, (*path, name))


def put(example: Any, path: tuple[Any, ...], literal: str) -> bytes:
    """The example with something else in one place, which JSON need not know."""
    changed = copy.deepcopy(example)
    inner = changed
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = MARK
    return json.dumps(changed).replace(json.dumps(MARK), literal).encode()


def spoiled(example: Any) -> Iterator[tuple[str, bytes]]:
    for path in leaves(example):
        node = example
        for part in path:
            node = node[part]
        kinds = {str: TEXTS, int: NUMBERS}.get(type(node), {})
        for kind, literal in kinds.items():
            yield f"{kind} at {path}", put(example, path, literal)
        if isinstance(node, dict):
            yield f"more at {path}", put(example, (*path, "no_such"), "1")
    whole = json.dumps(example)
    yield "an unknown field", put(example, ("no_such",), "1")
    yield "a field twice", (whole[:-1] + ", " + whole[1:]).encode()
    yield "two documents", (whole + whole).encode()


def check(answer: httpx.Response, what: object, *statuses: int) -> None:
    assert answer.status_code in (statuses or range(500)), (what, answer.text[:300])
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", what
        assert len(answer.content) < 65536
        if answer.request.method != "HEAD":
            assert answer.json()["status"] == answer.status_code


async def test_no_field_takes_what_it_is_not_for(asked, staff):
    for operation, example in reading(asked.name):
        for number, (what, body) in enumerate(spoiled(example)):
            answer = await staff.request(
                operation.method,
                operation.path_of({}),
                content=body,
                headers={"Idempotency-Key": f"k{number}"},
            )
            check(answer, (operation.path, what), 400, 422)


async def test_no_document_is_too_strange(asked, staff):
    for operation, _ in reading(asked.name):
        for what, body in DOCUMENTS.items():
            began = time.process_time()  # ours: others may keep the machine busy
            answer = await staff.request(
                operation.method,
                operation.path_of({}),
                content=body,
                headers={"Idempotency-Key": "k"},
            )

            check(answer, (operation.path, what), 400, 413, 422)
            assert time.process_time() - began < 2


async def test_no_body_is_read_as_what_it_does_not_say_it_is(asked, staff):
    for operation, example in reading(asked.name):
        for media_type in ("", "text/plain", "application/xml", "application/jsonx"):
            answer = await staff.request(
                operation.method,
                operation.path_of({}),
                content=json.dumps(example),
                headers={"Idempotency-Key": "k", "Content-Type": media_type},
            )
            check(answer, (operation.path, media_type), 415)


async def test_no_parameter_is_too_strange(asked, staff):
    seen = set()
    for operation in operations_of(asked.name):
        for place, name in operation.parameters:
            # What has one name is read by one function; but a cursor is its list's own.
            if (place, name) in seen and name != "cursor":
                continue
            seen.add((place, name))
            for what, value in PARAMETERS.items():
                path, query = operation.path_of({}), ""
                if place == "path":
                    path = operation.path_of({name: value})
                elif place == "query":
                    query = f"?{name}={value}"
                method = "HEAD" if operation.streams else operation.method
                check(await staff.request(method, path + query), (name, what, path))


async def test_no_key_is_taken_for_another(asked, staff):
    for operation, example in reading(asked.name):
        if ("header", "Idempotency-Key") not in operation.parameters:
            continue
        for what, keys in KEYS.items():
            answer = await staff.request(
                operation.method,
                operation.path_of({}),
                json=example,
                headers=[(b"Idempotency-Key", key) for key in keys],
            )
            check(answer, (operation.path, what), 400)


async def test_no_header_is_too_strange(asked, staff):
    # The chassis reads them, and alike for all operations of one shape.
    shapes = {
        operation.shape: operation
        for operation in operations_of(asked.name)
        if operation.name not in {*LOOKS, "get_digest"}  # which adds up everything
    }
    for operation in shapes.values():
        for header in HEADERS:
            method = "HEAD" if operation.streams else operation.method
            answer = await staff.request(
                method, operation.path_of({}), headers=[header]
            )
            check(answer, (operation.path, header))


async def test_who_is_unknown_has_no_body_read(asked, client):
    async def endless() -> AsyncIterator[bytes]:
        yield b"{"
        raise AssertionError

    for operation, _ in reading(asked.name):
        answer = await client.request(
            operation.method, operation.path_of({}), content=endless()
        )

        check(answer, operation.path, 401)
