"""The dead letters of a service: looked at where they lie, and put back to be handled.

SQS shows a message only to who takes it, for a while. So a look takes letters and hands
them back at once; who looks meanwhile waits for them.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import structlog
from pydantic_core import from_json

from chassis import metrics
from chassis.consumer import in_tens
from chassis.errors import Unavailable
from chassis.letters import times_aside
from chassis.queues import NO_ANSWER, Aws, Counts, Message
from chassis.topology import Queue

log = structlog.get_logger(__name__)

LOOKS_FOR_S = 5.0
REDRIVES_FOR_S = 20.0
REDRIVES_AT_MOST = 1000  # of each queue, at one request
DELETES_TRIED = 2
HIDDEN_FOR_S = 30  # longer than either, so that what is in hand stays there
WAIT_S = 1
EMPTY_AT_MOST = 2  # in a row; a count that says otherwise then is late


class QueueUnavailable(Unavailable):
    code = "queue_unavailable"


@dataclass(frozen=True, kw_only=True)
class About:
    """What the first event in a letter says of itself, as far as it can be read."""

    id: str | None
    type: str | None
    subject: str | None


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A message that was put aside; its id stays the same until it is redriven."""

    id: str
    queue: str
    event: About | None
    events: int
    error: str | None
    trace: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    times: int
    received: int


@dataclass(frozen=True)
class Look:
    letters: Sequence[Letter]
    more: bool


@dataclass(frozen=True)
class Redriven:
    """Which letters were put back; `more`: the bounds ended it, ask again.

    `kept`: those of them that are among the dead letters as well, since SQS did not
    delete them.
    """

    ids: frozenset[str]
    kept: frozenset[str]
    more: bool


async def look(aws: Aws, queues: Sequence[Queue], *, most: int) -> Look:
    """At most so many letters of these queues, which stay where they are."""
    looks = await _of_each(queues, lambda queue: _look(aws, queue, most))
    letters = sorted((letter for one in looks for letter in one.letters), key=_age)
    more = len(letters) > most or any(one.more for one in looks)
    return Look(letters[:most], more)


async def redrive(
    aws: Aws, queues: Sequence[Queue], ids: Collection[str] | None
) -> Redriven:
    """Put letters back on the queues they come from: these, or all there are now.

    Sent first and deleted after: a crash between doubles them, and inboxes absorb it.
    """
    wanted = None if ids is None else frozenset(ids)
    done = await _of_each(queues, lambda queue: _redrive(aws, queue, wanted))
    redriven = frozenset[str]().union(*(one.ids for one in done))
    return Redriven(
        ids=redriven,
        kept=frozenset[str]().union(*(one.kept for one in done)),
        more=any(one.more for one in done) and redriven != wanted,
    )


async def _of_each(queues: Sequence[Queue], work: Any) -> list[Any]:
    try:
        return await asyncio.gather(*map(work, queues))
    except NO_ANSWER as error:
        raise QueueUnavailable(
            "SQS does not answer. What was put back until now is; ask again."
        ) from error


async def _look(aws: Aws, queue: Queue, most: int) -> Look:
    letters: list[Letter] = []
    async with _taking(aws, queue, within_s=LOOKS_FOR_S) as taken:
        async for ten in taken:
            letters += (_letter(queue, message) for message in ten)
            if len(letters) >= most:
                break
        there = 0 if taken.exhausted else await aws.depth(queue.dead_letters)
    return Look(letters[:most], more=there > len(letters[:most]))


async def _redrive(aws: Aws, queue: Queue, wanted: Collection[str] | None) -> Redriven:
    began = datetime.now(UTC)
    redriven: set[str] = set()
    kept: set[str] = set()
    async with _taking(aws, queue, within_s=REDRIVES_FOR_S) as taken:
        async for ten in taken:
            chosen = [m for m in ten if _is_meant(m, wanted, began)]
            kept |= await _put_back(aws, queue, chosen)
            redriven.update(message.id for message in chosen)
            taken.forget(one for one in chosen if one.id not in kept)
            if len(redriven) >= REDRIVES_AT_MOST or redriven == wanted:
                break
    if redriven:
        log.info("Dead letters redriven", queue=queue.name, count=len(redriven))
    return Redriven(frozenset(redriven), frozenset(kept), more=not taken.exhausted)


def _is_meant(
    message: Message, wanted: Collection[str] | None, began: datetime
) -> bool:
    if wanted is not None:
        return message.id in wanted
    # What is put aside again meanwhile is not tried again and again.
    return message.sent_at is None or message.sent_at <= began


async def _put_back(aws: Aws, queue: Queue, messages: Sequence[Message]) -> set[str]:
    """Those that SQS did not delete, although they are sent: they are doubled."""
    if not messages:
        return set()
    await asyncio.gather(*(_send_back(aws, queue, message) for message in messages))
    metrics.REDRIVEN.add(len(messages))
    left = messages
    for _ in range(DELETES_TRIED):
        refused = await aws.delete(queue.dead_letters, left)
        left = [left[one.index] for one in refused]
        if not left:
            return set()
    log.warning("Dead letters redriven, and not deleted", count=len(left))
    return {message.id for message in left}


async def _send_back(aws: Aws, queue: Queue, message: Message) -> None:
    kept = ("first_seen", "times")
    carried = {n: v for n, v in message.attributes.items() if n in kept}
    await aws.send(queue.name, message.body, carried)


@dataclass
class _Taken:
    """Letters taken one after the other, each once, until nobody else has any."""

    aws: Aws
    queue: str
    within_s: float
    in_hand: dict[str, Message] = field(default_factory=dict)
    exhausted: bool = False

    async def __aiter__(self) -> AsyncIterator[list[Message]]:
        deadline = monotonic() + self.within_s
        seen: set[str] = set()
        empty = 0
        while monotonic() < deadline:
            ten = await self.aws.receive(self.queue, wait_s=WAIT_S, hide_s=HIDDEN_FOR_S)
            # What they say is for who takes them now: they may be many, and large.
            self.in_hand.update({one.id: replace(one, body="") for one in ten})
            fresh = [message for message in ten if message.id not in seen]
            seen.update(message.id for message in fresh)
            if fresh:
                empty = 0
                yield fresh
                continue
            there = await self.aws.count(self.queue)
            empty = 0 if ten or self._others_hold(there) else empty + 1
            if there.total <= len(self.in_hand) or empty >= EMPTY_AT_MOST:
                self.exhausted = True
                return

    def forget(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.in_hand.pop(message.id, None)

    async def hand_back(self) -> None:
        # Otherwise they come back by themselves, when their time is over.
        with suppress(*NO_ANSWER):
            for ten in in_tens(list(self.in_hand.values())):
                await self.aws.hide(self.queue, ten, for_s=0)

    def _others_hold(self, there: Counts) -> bool:
        """Who looks as well has some in hand, and will hand them back."""
        return there.in_flight > len(self.in_hand)


@asynccontextmanager
async def _taking(aws: Aws, queue: Queue, *, within_s: float) -> AsyncIterator[_Taken]:
    taken = _Taken(aws, queue.dead_letters, within_s)
    try:
        yield taken
    finally:
        await taken.hand_back()


def _letter(queue: Queue, message: Message) -> Letter:
    attributes = message.attributes
    events = list(_events(message.body))
    return Letter(
        id=message.id,
        queue=queue.name,
        event=events[0] if events else None,
        events=len(events),
        error=attributes.get("error"),
        trace=attributes.get("stack"),
        first_seen=_moment(attributes.get("first_seen")) or message.sent_at,
        last_seen=_moment(attributes.get("last_seen")) or message.sent_at,
        times=times_aside(attributes) or 1,
        received=message.received_count,
    )


def _events(body: str) -> Iterator[About]:
    try:
        items = from_json(body)
    except ValueError:
        return
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield About(**{name: _text(item.get(name)) for name in _ATTRIBUTES})


_ATTRIBUTES = ("id", "type", "subject")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _moment(text: str | None) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    return None


def _age(letter: Letter) -> datetime:
    return letter.first_seen or datetime.max.replace(tzinfo=UTC)
