"""How long, and how much, a connection may take: uvicorn itself waits for ever.

A request must come in time, its answer must be taken in time, and what is not yet a
request is bounded. Applications never see any of it: they are called when a head is
complete.
"""

import time
from asyncio import Task, TimerHandle, Transport
from collections.abc import Collection
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, cast

from starlette.types import Scope
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

from chassis import door, metrics
from chassis.admission import Gate, Ticket, turned_away
from chassis.door import Origins
from chassis.errors import Malformed, Refused, Unavailable

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

HEAD_WITHIN_S = 10.0
BODY_WITHIN_S = 20.0  # and a second more for each so many bytes that came
SLOWEST_BYTES_PER_S = 16 * 1024
LEFTOVER_WITHIN_S = 5.0  # of a body whose request is answered already
TAKEN_WITHIN_S = 20.0  # by a client that does not read its answer
MAX_HEAD_BYTES = 64 * 1024  # as much as the balancer lets through
MAX_FRAMING_PER_BYTE = 8  # of chunked bodies: one of single bytes has 5
MOST_CONNECTIONS = 4000
MOST_REFUSED = 2000  # that are read on, so that they get to read why
MOST_IN_LINE = 16  # requests of a connection, behind the one that is worked on


class RequestTooSlow(Refused):
    """The request did not come in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "request_too_slow"


class HeadTooLarge(Refused):
    """There is more around the body than any request of ours needs."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "head_too_large"


class TooManyInLine(Exception):
    """One read can bring thousands: the parser is stopped, and the connection left."""


_TOO_SLOW = RequestTooSlow("The request did not come in time.")
_TOO_LARGE = HeadTooLarge(f"Line and fields are larger than {MAX_HEAD_BYTES} bytes.")
_NO_HTTP = Malformed("This is no HTTP request.")
_FULL = Unavailable("Too many connections are open. Try again shortly.")


class Connection(HttpToolsProtocol):
    """Uvicorn's, with an end to its patience and a gate before the application."""

    gate: ClassVar[Gate] = Gate()
    origins: ClassVar[Origins] = Origins()
    share: ClassVar[float] = 1.0  # of the most there may be, where files are few
    refused: ClassVar[dict["Connection", None]] = {}  # the first one first
    idle_since: float | None = None
    _expects = "head"  # then "body", and "nothing" while the request is worked on
    _since = 0.0
    _came = 0  # bytes since the request began
    _body = 0  # those of them that are the body's
    _refused = False
    _untold = b""  # the answer to who was turned away, until it is their turn
    _look: TimerHandle | None = None
    _give_up: TimerHandle | None = None
    _begun: RequestResponseCycle | None = None  # the last that was not left in line

    @classmethod
    def of(cls, origins: Collection[str], share: float) -> type["Connection"]:
        """Those of a service: whose pages ask, and how many connections it may have."""
        return type(cls.__name__, (cls,), {"origins": Origins(origins), "share": share})

    @override  # as uvicorn does, which is only ever given a transport of this kind
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._tickets: dict[RequestResponseCycle, Ticket] = {}
        self._expect("head")
        if len(self.connections) - len(self.refused) > MOST_CONNECTIONS * self.share:
            self._make_room()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._look, self._give_up):
            if timer:
                timer.cancel()
        self.refused.pop(self, None)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn forgets it when all went wrong
        self._tell_nobody_listens()

    @override
    def data_received(self, data: bytes) -> None:
        self._tell()  # whoever goes on asking waits no longer
        if self._refused or self._turned_away(data):
            return
        if self.idle_since is not None:
            self.idle_since = None
            self._expect("head")
        self._came += len(data)
        super().data_received(data)
        if self._came - self._body > self._may_frame() and self._expects != "nothing":
            self._refuse(_TOO_LARGE)

    def _turned_away(self, data: bytes) -> bool:
        """Answered here, where it costs least; the connection stays for the next.

        Whoever does not take its answers gets no more of them: they would pile up here.
        """
        at_rest = not self.flow.write_paused and (
            self.idle_since is not None or (self._expects == "head" and not self._came)
        )
        answer = self.gate.turn_away(data, self.origins) if at_rest else None
        if answer is None:
            return False
        self._untold = answer
        self.gate.told.take(self._tell)
        return True

    def _tell(self) -> None:
        answer, self._untold = self._untold, b""
        if not answer or self.transport.is_closing():
            return
        self.transport.write(answer)
        self._since = time.monotonic()
        if self.idle_since is not None:
            self._stay_idle()

    def _stay_idle(self) -> None:
        self._unset_keepalive_if_required()
        self.idle_since = time.monotonic()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    @override
    def _start_asgi_task(
        self, cycle: RequestResponseCycle, app: "ASGI3Application"
    ) -> None:
        ticket = self.gate.admit(cast("Scope", cycle.scope))
        self._begun = cycle
        if ticket is None:
            turns_away = partial(turned_away, self.gate.told_if_parsed, self.origins)
            super()._start_asgi_task(cycle, cast("ASGI3Application", turns_away))
            return
        if not cycle.more_body:  # it waited behind another on its connection
            ticket.begin()
        self._tickets[cycle] = ticket
        with ticket.handed_on():
            task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        task.add_done_callback(partial(self._done, cycle, ticket))

    def _done(
        self, cycle: RequestResponseCycle, ticket: Ticket, task: "Task[None]"
    ) -> None:
        ticket.end()
        self.tasks.discard(task)
        self._tickets.pop(cycle, None)

    def _may_frame(self) -> int:
        return MAX_HEAD_BYTES + MAX_FRAMING_PER_BYTE * self._body

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._expects == "head":  # or it trails a body, and would be read as ahead
            super().on_header(name, value)

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.idle_since = None
        self._unset_keepalive_if_required()
        if self._expects == "nothing":  # sent before the one ahead was answered
            self._expect("head")

    @override
    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._expects, self._since = "body", time.monotonic()
        if len(self.pipeline) > MOST_IN_LINE:
            raise TooManyInLine

    @override
    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._body += len(body)

    @override
    def on_message_complete(self) -> None:
        super().on_message_complete()
        if ticket := self._tickets.get(self.cycle):
            ticket.begin()
        self._expects = "nothing"
        self._came = self._body = 0
        if self.cycle.response_complete:  # uvicorn would wait for ever for another
            self.idle_since = time.monotonic()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self.leave()
        elif self._expects == "body":
            self._since = time.monotonic()
            self._look_in(LEFTOVER_WITHIN_S)
        elif self.timeout_keep_alive_task:
            self.idle_since = time.monotonic()

    @override
    def eof_received(self) -> None:
        self._tell()
        super().eof_received()

    @override
    def shutdown(self) -> None:
        self._tell()
        super().shutdown()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._give_up_in(TAKEN_WITHIN_S)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._give_up and not (self._refused or self.transport.is_closing()):
            self._give_up.cancel()
            self._give_up = None

    @override
    def timeout_keep_alive_handler(self) -> None:
        self.leave()

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(_NO_HTTP)

    def _expect(self, part: str) -> None:
        self._expects, self._since = part, time.monotonic()
        self._look_in(HEAD_WITHIN_S)

    def _look_in(self, seconds: float) -> None:
        """Or before: whoever looks too early looks again, which is cheaper than a new
        timer for each request.
        """
        if self._look:
            if self._look.when() <= self.loop.time() + seconds:
                return
            self._look.cancel()
        self._look = self.loop.call_later(seconds, self._see_whether_it_came)

    def _see_whether_it_came(self) -> None:
        self._look = None
        if self._expects == "nothing" or self._refused:
            return
        if self.flow.read_paused:  # it is we who are slow
            self._since = time.monotonic()
        left_s = self._since + self._patience_s() - time.monotonic()
        if left_s > 0:
            self._look_in(left_s)
        elif self._came:
            self._refuse(_TOO_SLOW)
        else:
            self.leave()

    def _patience_s(self) -> float:
        if self._expects == "head":
            return HEAD_WITHIN_S
        if self.cycle.response_complete:
            return LEFTOVER_WITHIN_S
        return BODY_WITHIN_S + self._body / SLOWEST_BYTES_PER_S

    def _make_room(self) -> None:
        """Close whoever has been idle longest; if nobody is, this one has to go."""
        others = cast("set[Connection]", self.connections)
        idle = [other for other in others if other.idle_since is not None]
        if idle:
            min(idle, key=lambda other: other.idle_since or 0).leave()
        else:
            self._refuse(_FULL)

    def _refuse(self, why: Refused) -> None:
        """Say why, unless an answer to what was asked is on its way; then leave."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        metrics.CONNECTIONS_REFUSED.add(1, {"code": why.code})
        if not self._is_answering():
            welcome = self.origins.welcome_among(self.headers or ())
            self.transport.write(door.refusal(why, welcome, closes=True))
        self._tell_nobody_listens()
        # Closed at once, what is still coming would have the answer thrown away.
        self.flow.resume_reading()
        self.transport.write_eof()
        self._give_up_in(LEFTOVER_WITHIN_S)
        self.refused[self] = None
        # Or no file is left for the next.
        if len(self.refused) > MOST_REFUSED * self.share:
            next(iter(self.refused)).transport.abort()

    def _tell_nobody_listens(self) -> None:
        """Nor to whom another stands in line behind: uvicorn tells the last alone."""
        for cycle in {*self._tickets, *filter(None, [self._begun, self.cycle])}:
            if not cycle.response_complete:
                cycle.disconnected = True
            cycle.message_event.set()

    def _is_answering(self) -> bool:
        """Also whoever left a body behind got an answer, and expects no second one."""
        cycle: RequestResponseCycle | None = self.cycle
        if self.pipeline:  # what is next to be said is for the one ahead
            return True
        if self._expects == "head":
            return cycle is not None and not cycle.response_complete
        return cycle is not None and cycle.response_started

    def leave(self) -> None:
        self.idle_since = None  # who is leaving makes room once
        self._tell()
        self.transport.close()
        self._give_up_in(TAKEN_WITHIN_S)  # closing waits until all written is taken

    def _give_up_in(self, seconds: float) -> None:
        if not self._give_up:
            untaken = self.transport.get_write_buffer_size()
            self._give_up = self.loop.call_later(seconds, self._give_up_unless, untaken)

    def _give_up_unless(self, untaken: int) -> None:
        """Less is left to be taken than there was."""
        self._give_up = None
        taken = untaken - self.transport.get_write_buffer_size()
        if taken < TAKEN_WITHIN_S * SLOWEST_BYTES_PER_S:
            self.transport.abort()
        else:
            self._give_up_in(TAKEN_WITHIN_S)
