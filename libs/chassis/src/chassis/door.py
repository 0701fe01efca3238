"""What is said at the door, where no application is asked: a problem, as bytes.

A page may read it like every other answer, if it comes from where pages may come from.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from chassis import headers
from chassis.errors import MEDIA_TYPE, Refused, problem

EXPOSED = ("Location", "ETag", "Retry-After", "Idempotent-Replayed")

_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]+)[ \t]*\r\n", re.IGNORECASE)


class Origins:
    """Where pages that call us may come from; as the application's CORS has it."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    def welcome(self, origin: bytes | None) -> str:
        """What such a page is to be told, or nothing."""
        if origin and "*" in self._allowed:
            return "*"
        told = (origin or b"").decode("latin-1")
        return told if told in self._allowed else ""

    def welcome_in(self, head: bytes) -> str:
        found = _ORIGIN.search(head) if self._allowed else None
        return self.welcome(found[1]) if found else ""

    def welcome_among(self, fields: Iterable[tuple[bytes, bytes]]) -> str:
        return self.welcome(dict(fields).get(b"origin"))


def said_to(welcome: str) -> Mapping[str, str]:
    """The header fields that let a page read an answer."""
    if not welcome:
        return {}
    allow = {
        "Access-Control-Allow-Origin": welcome,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED),
    }
    return allow if welcome == "*" else {**allow, "Vary": "Origin"}


@lru_cache  # of a few problems, for the few origins there are
def refusal(why: Refused, welcome: str, *, closes: bool) -> bytes:
    body = json.dumps(problem(why, instance="")).encode()
    fields = {
        **headers.PRIVATE,
        **said_to(welcome),
        **why.headers,
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        **({"Connection": "close"} if closes else {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return STATUS_LINE[why.status] + lines.encode() + b"\r\n" + body
