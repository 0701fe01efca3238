"""Whether one more request is let in, asked before anything is done for it.

What is inside is bounded by time, not by a number that fits one machine: as many as
were answered in a moment lately. A rush may be larger, since it passes. What stays
crowded is no rush: whoever comes then is told so at once, which costs next to nothing,
so that those inside are answered as fast as ever, however many are outside. Whoever
was told may ask again at once: when they are many, they are told in turn.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import cycle

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from chassis import door, headers, metrics
from chassis.batching import TooManyWaiting
from chassis.door import Origins
from chassis.errors import render
from chassis.pace import Pace

WAITS_S = 0.2  # inside, about, while it is crowded
RUSH_S = 2.5  # so long it may be crowded: more than it takes to spill
RUSH_WAITS_S = 1.0  # inside, about, in a rush
CALM_S = 1.0  # nobody was turned away for so long: it is no longer crowded
FEWEST = 32
FEWEST_IN_A_RUSH = 128
MOST = 4096
MEASURED_S = 0.5
MOST_BODY_BYTES = 64 * 1024 * 1024  # of all that is being read, as far as declared
UNDECLARED_BYTES = 1024 * 1024
COME_AGAIN_S = (1, 2, 3)  # not all at once
TOLD_PER_S = 2000  # to go: some hundredths of a processor
TOLD_PER_S_IF_PARSED = 600  # since they came in pieces
MOST_UNTOLD = 2000  # in each of the two lines
MOST_BODY_BYTES_UNTOLD = 16 * 1024  # it is gathered while its sender waits

# What is asked about the process itself: by the balancer, and by who puts it right.
_ALWAYS = re.compile(r"/healthz$|/readyz$|/v1/[a-z]+/ops/")
_WHOLE = re.compile(rb"(GET|POST|PUT|DELETE) (/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})\r\n")

_ticket: ContextVar["Ticket | None"] = ContextVar("ticket", default=None)


def too_many(retry_after_s: int) -> TooManyWaiting:
    return TooManyWaiting(
        "More is asked than can be done. Try again shortly, with the same key.",
        retry_after_s=retry_after_s,
    )


async def turned_away(
    pace: Pace, origins: Origins, scope: Scope, receive: Receive, send: Send
) -> None:
    """ASGI: for who was not let in, and did not come in one piece."""
    if _declared(scope) <= MOST_BODY_BYTES_UNTOLD:
        await pace.turn()
    answer = render(Request(scope), next(_REASONS))
    welcome = origins.welcome_among(scope["headers"])
    answer.headers.update({**headers.PRIVATE, **door.said_to(welcome)})
    await answer(scope, receive, send)


class Ticket:
    """One request that was let in: what of it counts, and while it does."""

    def __init__(self, gate: "Gate", body_bytes: int) -> None:
        self._gate = gate
        self._body_bytes = body_bytes
        self._counts = False
        self._is_over = False
        gate.reading += body_bytes

    def begin(self) -> None:
        """All of it has come: who sends slowly takes nobody's place."""
        # What a request leaves behind may come back from waiting after its end.
        if not (self._counts or self._is_over):
            self._counts = True
            self._gate.enter()

    def end(self) -> None:
        self._is_over = True
        self.step_aside()
        self._gate.reading -= self._body_bytes
        self._body_bytes = 0

    def step_aside(self) -> None:
        if self._counts:
            self._counts = False
            self._gate.leave()

    @contextmanager
    def handed_on(self) -> Iterator[None]:
        """Tasks that begin meanwhile know whose request they work on."""
        token = _ticket.set(self)
        try:
            yield
        finally:
            _ticket.reset(token)


@contextmanager
def stepping_aside() -> Iterator[None]:
    """While a request only waits for something to happen, it is in nobody's way."""
    ticket = _ticket.get()
    if ticket:
        ticket.step_aside()
    try:
        yield
    finally:
        if ticket:
            ticket.begin()


class Gate:
    """Counts who is inside; one for a process, whose requests share its processor."""

    def __init__(self) -> None:
        self.inside = 0
        self.reading = 0
        self.told = Pace(TOLD_PER_S, most_waiting=MOST_UNTOLD)
        self.told_if_parsed = Pace(TOLD_PER_S_IF_PARSED, most_waiting=MOST_UNTOLD)
        self._answered = 0
        self._few, self._many = FEWEST, FEWEST_IN_A_RUSH
        self._measured_at = time.monotonic()
        self._crowded_since: float | None = None
        self._strict_until = 0.0

    def enter(self) -> None:
        self.inside += 1
        if self._crowded_since is None and self.inside > self._few:
            self._crowded_since = time.monotonic()

    def leave(self) -> None:
        self.inside -= 1
        self._answered += 1
        now = time.monotonic()
        if now - self._measured_at > MEASURED_S:
            self._expect(self._answered / (now - self._measured_at))
            self._measured_at, self._answered = now, 0
        if self.inside <= self._few:
            self._crowded_since = None

    def admit(self, scope: Scope) -> Ticket | None:
        """By its head alone: the body is not read, nor asked who it is from."""
        body_bytes = _declared(scope)
        # A page that may not even ask would never see why.
        if _ALWAYS.match(scope["path"]) or scope["method"] == "OPTIONS":
            return Ticket(self, body_bytes)
        too_much = body_bytes and self.reading + body_bytes > MOST_BODY_BYTES
        if too_much or self.is_full(can_wait=scope["method"] == "GET"):
            metrics.SHED.add(1)
            return None
        return Ticket(self, body_bytes)

    def is_full(self, *, can_wait: bool = False) -> bool:
        """What can wait finds it full first: looking before placing."""
        now = time.monotonic()
        if self._crowded_since is not None and now > self._crowded_since + RUSH_S:
            self._strict_until = now + CALM_S
        strict = now < self._strict_until
        most = self._few if strict else self._many
        full = self.inside >= (most // 2 if can_wait else most)
        if full and strict:
            self._strict_until = now + CALM_S
        return full

    def turn_away(self, data: bytes, origins: Origins) -> bytes | None:
        """The answer to a request that came whole, if it has to be turned away.

        Without parsing it: of ten that come, nine may have to go.
        """
        if self.inside < FEWEST // 2:
            return None
        # To look at it costs more than to know that there is room.
        if not self.is_full(can_wait=data.startswith(b"GET")):
            return None
        if not _can_be_turned_away(data):
            return None
        metrics.SHED.add(1)
        return door.refusal(next(_REASONS), origins.welcome_in(data), closes=False)

    def _expect(self, per_s: float) -> None:
        """How many may be inside, where so many a second are answered."""
        self._few = min(max(FEWEST, int(per_s * WAITS_S)), MOST)
        self._many = min(max(FEWEST_IN_A_RUSH, int(per_s * RUSH_WAITS_S)), MOST)


def _declared(scope: Scope) -> int:
    """How much of a body will be held, at most, as far as the head says."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            # More is streamed, or refused; the parser takes nothing but numbers.
            return min(int(value), UNDECLARED_BYTES)
        if name == b"transfer-encoding":
            return UNDECLARED_BYTES
    return 0


def _can_be_turned_away(data: bytes) -> bool:
    """It is all of one plain request, beyond doubt; the parser judges all others."""
    line = _WHOLE.match(data)
    if line is None or _ALWAYS.match(line[2].decode("latin-1")):
        return False
    head, end, body = data.partition(b"\r\n\r\n")
    head = (head + end).lower()
    lengths = _LENGTH.findall(head)
    if head.count(b"content-length") != len(lengths) or len(lengths) > 1:
        return False
    if any(odd in head for odd in _ODD) or head.count(b"\n") != head.count(b"\r\n"):
        return False
    return bool(end) and len(body) == int(lengths[0] if lengths else 0)


_ODD = (b"transfer-encoding", b"\nexpect", b"\nupgrade", b"\nconnection: close", b"\n ")


_REASONS = cycle([too_many(seconds) for seconds in COME_AGAIN_S])
