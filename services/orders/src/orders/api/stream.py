"""Order facts as they happen, as server-sent events."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import StreamingResponse
from msgspec.structs import replace
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from chassis.auth import Caller
from chassis.errors import Malformed, Unavailable
from chassis.feeds import Feed, TooSlow
from chassis.pages import MAX_BIG_INTEGER
from chassis.routing import HttpRouter
from orders.api.callers import Reader, may_see
from orders.api.problems import problems
from orders.api.told import told_to
from orders.store.facts import Fact

router = HttpRouter(prefix="/v1/orders/stream", tags=["orders"])

HEARTBEAT_S = 15.0
TAKEN_WITHIN_S = 20.0  # by a listener, or it is cut off

_EXAMPLE = """id: 4711
event: orders.order_rejected.v1
data: {"specversion":"1.0","id":"0198c5a6-2eaa-7d10-9d4b-0c1d2e3f4a5b",\
"source":"orderly/orders","type":"orders.order_rejected.v1",\
"subject":"1b4e28ba-2fa1-51d2-883f-0016d3cca427",\
"time":"2026-11-21T09:30:01Z","sequence":2,"datacontenttype":"application/json",\
"data":{"order_id":"1b4e28ba-2fa1-51d2-883f-0016d3cca427",\
"decided_at":"2026-11-21T09:30:01Z"}}

"""


class EventIdMalformed(Malformed):
    code = "last_event_id_malformed"


class EventStream(StreamingResponse):
    """Server-sent events; a listener who takes nothing any more is let go."""

    media_type = "text/event-stream"

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(TAKEN_WITHIN_S):
                await send(message)

        with suppress(TimeoutError):
            await super().__call__(scope, receive, send_in_time)


@router.get(
    "",
    response_class=EventStream,
    summary="Follow order facts as they happen",
    responses={
        200: {
            "description": "`id` is the place in the event log, `event` the type,"
            " `data` the event as subscribers get it",
            "content": {
                "text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}
            },
        },
        **problems(
            "/v1/orders/stream", EventIdMalformed("Last-Event-ID is not one of ours.")
        ),
    },
)
async def stream_orders(
    caller: Reader,
    request: Request,
    last_event_id: Annotated[
        str | None, Header(description="go on after this one")
    ] = None,
) -> EventStream:
    feed: Feed[Fact] = request.app.state.feed
    events = _events(feed, caller, _position(last_event_id))
    first = await anext(events)  # refused here, or it is a stream
    return EventStream(_after(first, events), headers={"Cache-Control": "no-store"})


def _position(last_event_id: str | None) -> int | None:
    if not last_event_id:
        return None
    if last_event_id.isascii() and last_event_id.isdecimal():
        with suppress(ValueError):  # Python reads no number of thousands of digits
            if (position := int(last_event_id)) <= MAX_BIG_INTEGER:
                return position
    raise EventIdMalformed("Last-Event-ID is not one of ours.")


async def _events(
    feed: Feed[Fact], caller: Caller, after: int | None
) -> AsyncIterator[bytes]:
    async with feed.listen(after) as following:
        yield _heartbeat(after)  # so that the answer begins at once
        heard = time.monotonic()
        # Who comes again says where it was: that is no failure of ours.
        with suppress(TooSlow, Unavailable):
            while (left_s := caller.expires_at - time.time()) > 0:
                quiet_s = time.monotonic() - heard
                facts = await following.next(
                    within_s=max(0, min(HEARTBEAT_S - quiet_s, left_s))
                )
                if facts is None:
                    return
                after = facts[-1].position if facts else after
                seen = [f for f in facts if may_see(caller, f.customer_id)]
                if seen or time.monotonic() - heard >= HEARTBEAT_S:
                    told = b"".join(_encoded(f, caller) for f in seen)
                    yield told or _heartbeat(after)
                    heard = time.monotonic()


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for event in rest:
        yield event


def _heartbeat(place: int | None) -> bytes:
    """Tells nothing but the place: who comes again need not hear what was others'."""
    at = f"id: {place}\n" if place is not None else ""
    return f": still here\n{at}\n".encode()


def _encoded(fact: Fact, caller: Caller) -> bytes:
    if caller.customer_id is not None:
        fact = replace(fact, data=json.dumps(told_to(caller, json.loads(fact.data))))
    return (f"id: {fact.position}\nevent: {fact.type}\ndata: {fact.event}\n\n").encode()
