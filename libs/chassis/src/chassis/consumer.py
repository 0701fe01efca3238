"""Hears one queue: all events at hand are one transaction, each has its effect once.

What a message says is handled, or put aside with its reason; a message is deleted only
after the commit. While the database is away nothing is received.
"""

import asyncio
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from botocore.exceptions import ClientError
from msgspec import Struct
from sqlalchemy import text

from chassis import aside, inbox, metrics, tracing
from chassis.backoff import Backoff
from chassis.batching import in_halves
from chassis.database import Database, Tx, without_statements
from chassis.events import Envelope, Event, Router, Unreadable, about, event_in
from chassis.failpoints import reach
from chassis.letters import DeadLetter, put_aside
from chassis.queues import BATCH_ENTRIES, Aws, Message, NotSent
from chassis.topology import Queue

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAX_EVENTS = 1000  # in one transaction
WELL_FILLED = BATCH_ENTRIES // 2  # there may be more: SQS does not look everywhere
CALLS_MORE = 4  # at most, before what is there is handled
RECEIVES_ON_FOR_S = 1.0  # after it was told to stop
HANDS_BACK_WITHIN_S = 1.0
LOOKS_FOR_DATABASE_AFTER_S = 2.0  # at most: it is to be heard soon after it is back

KILLS = "It came again and again, and never was handled: it may kill its process."


class Delivered(Struct, frozen=True):
    """An event, and the message it came in."""

    event: Envelope[Event]
    message: Message


class Dead(Struct, frozen=True):
    """What has to be put aside, and the message that it came in."""

    letter: DeadLetter
    message: Message


class Consumer:
    def __init__(
        self,
        database: Database,
        aws: Aws,
        queue: Queue,
        router: Router,
        *,
        tell: aside.Tell = aside.tell_nobody,
    ) -> None:
        self._database = database
        self._aws = aws
        self._queue = queue
        self._router = router
        self._tell = tell
        self._in_hand: dict[str, Message] = {}
        self._stopping = asyncio.Event()
        # Each receipt counts, and too many make SQS put good messages aside.
        self._backoff = Backoff(most_s=60)

    def stop(self) -> None:
        """Finish what is being handled, hand back the rest, and let `run` end."""
        self._stopping.set()

    async def run(self) -> None:
        extending = asyncio.create_task(self._keep_hidden())
        try:
            await self._until_database_answers()
            await self._consume()
        finally:
            extending.cancel()
            await self._hand_back(list(self._in_hand.values()))

    async def _consume(self) -> None:
        """Receive the next messages while the last are handled, until stopped."""
        messages: list[Message] = []
        while not self._stopping.is_set():
            receiving = asyncio.create_task(self._receive())
            try:
                if await self._handled(messages):
                    self._backoff.reset()
                else:
                    await self._or_stop(asyncio.create_task(self._backoff.wait()))
                    await self._until_database_answers()
                messages = await receiving
            finally:
                receiving.cancel()

    async def _handled(self, messages: Sequence[Message]) -> bool:
        try:
            await self._handle(messages)
        except Exception as error:
            log.warning(
                "Messages handed back",
                queue=self._queue.name,
                count=len(messages),
                error=repr(error.__cause__ or error),
            )
            await self._hand_back(self._still_in_hand(messages))
            return False
        return True

    async def _or_stop(self, task: "asyncio.Task[T]", grace_s: float = 0) -> T | None:
        """The result, unless we are told to stop and there is none soon after."""
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([task], timeout=grace_s)
        finally:
            stopping.cancel()
            task.cancel()
        return task.result() if task.done() else None

    async def _receive(self) -> list[Message]:
        """Wait for messages; when many come at once, get more before starting."""
        backoff = Backoff()
        while not self._stopping.is_set():
            try:
                # What the queue has just given out would be hidden until its time-out.
                call = asyncio.create_task(self._call())
                messages = await self._or_stop(call, RECEIVES_ON_FOR_S) or []
            except Exception as error:
                log.warning(
                    "Queue does not answer", queue=self._queue.name, error=repr(error)
                )
                await self._or_stop(asyncio.create_task(backoff.wait()))
            else:
                return await self._and_more(messages)
        return []

    async def _and_more(self, messages: list[Message]) -> list[Message]:
        latest = messages
        for _ in range(CALLS_MORE):
            if len(latest) < WELL_FILLED or self._stopping.is_set():
                break
            try:
                latest = await self._call(wait_s=0)
            except Exception as error:
                # What the calls before it brought is in hand.
                log.warning(
                    "Queue does not answer", queue=self._queue.name, error=repr(error)
                )
                break
            messages = messages + latest
        return messages

    async def _call(self, **wait: int) -> list[Message]:
        messages = await self._aws.receive(self._queue.name, **wait)
        self._in_hand.update({message.receipt: message for message in messages})
        return messages

    async def _handle(self, messages: Sequence[Message]) -> None:
        """Commit what can be handled and delete it, then put aside what cannot."""
        self._note_age(messages)
        readable, dead = self._sort(messages)
        for start in range(0, len(readable), MAX_EVENTS):
            at_hand = readable[start : start + MAX_EVENTS]
            outcomes = await in_halves(at_hand, self._commit, _give_up)
            dead += [one for one in outcomes if one]
        have_dead = {one.message.receipt for one in dead}
        await self._delete([m for m in messages if m.receipt not in have_dead])
        # Last, so that a database that goes away does not make them many.
        if dead:
            await self._put_all_aside(dead)

    def _sort(self, messages: Sequence[Message]) -> tuple[list[Delivered], list[Dead]]:
        """What may be handled, and what is not even tried."""
        readable: list[Delivered] = []
        dead: list[Dead] = []
        for message in messages:
            for content in self._router.read(message.body):
                if isinstance(content, Unreadable):
                    dead.append(_dead(message, content.alone, content.reason))
                elif message.received_count >= self._queue.max_receive_count:
                    # The next time SQS would put it aside, and tell nobody.
                    dead.append(_dead(message, content.alone, KILLS))
                else:
                    readable.append(Delivered(content, message))
        return readable, dead

    async def _put_all_aside(self, dead: Sequence[Dead]) -> None:
        """Those that can be; the others stay where they are, and in nobody's way."""
        named = aside.named(one.letter.event for one in dead)
        if named:
            await in_halves(named, self._note_all, self._leave_unnoted)
        kept: set[str] = set()
        for one in dead:
            try:
                await put_aside(self._aws, self._queue, one.letter)
            except ClientError:
                log.exception("Not put aside", queue=self._queue.name)
                kept.add(one.message.receipt)
        messages = {one.message.receipt: one.message for one in dead}
        await self._delete([m for at, m in messages.items() if at not in kept])
        for receipt in kept:
            # It comes again when its time-out is over, and in the end SQS moves it.
            self._in_hand.pop(receipt, None)

    async def _note_all(self, named: Sequence[Mapping[str, str]]) -> Sequence[None]:
        await self._database.transact(self._note, named)
        return [None] * len(named)

    async def _note(self, tx: Tx, named: Sequence[Mapping[str, str]]) -> None:
        await aside.note(tx, self._queue.name, named, self._tell)

    async def _leave_unnoted(self, event: Mapping[str, str], error: Exception) -> None:
        """What breaks its handling may break this: better unseen there than nowhere."""
        log.error(
            "Not noted that an event is put aside",
            queue=self._queue.name,
            event_id=event["id"],
            error=repr(error),
        )

    def _note_age(self, messages: Sequence[Message]) -> None:
        sent = [message.sent_at for message in messages if message.sent_at]
        if sent:
            waited = datetime.now(UTC) - min(sent)
            metrics.QUEUE_AGE.record(
                waited.total_seconds(), {"queue": self._queue.name}
            )

    async def _commit(self, delivered: Sequence[Delivered]) -> Sequence[None]:
        events = [item.event for item in delivered]
        causes = [(event.subject, event.traceparent) for event in events]
        named = next(iter(about(event_in(events[0].alone))), "subject")
        with tracing.handling(self._queue.name, causes, named=named):
            fresh = await self._database.transact(self._apply, delivered)
            reach("handled", (event.data.type for event in events))
            self._database.note_use()
            metrics.HANDLED.add(fresh)
            metrics.REPEATED.add(len(events) - fresh)
            metrics.HANDLED_TOGETHER.record(len(events))
            log.info(
                "Events handled",
                queue=self._queue.name,
                events=len(events),
                fresh=fresh,
            )
        return [None] * len(events)

    async def _apply(self, tx: Tx, delivered: Sequence[Delivered]) -> int:
        events = [item.event for item in delivered]
        fresh = await inbox.claim(tx, events)
        await self._router.dispatch(tx, fresh)
        done = {event.id: (event.data.type, event.subject) for event in events}
        await aside.take_back(tx, self._queue.name, done, self._tell)
        reach("applied", (event.data.type for event in events))
        return len(fresh)

    async def _delete(self, messages: Sequence[Message]) -> None:
        refused: list[NotSent] = []
        for ten in in_tens(messages):
            refused += await self._aws.delete(self._queue.name, ten)
        for message in messages:
            self._in_hand.pop(message.receipt, None)
        if refused:
            # They come again, and the inbox knows them.
            log.warning(
                "Messages not deleted", count=len(refused), reason=refused[0].reason
            )

    def _still_in_hand(self, messages: Sequence[Message]) -> Sequence[Message]:
        return [message for message in messages if message.receipt in self._in_hand]

    async def _hand_back(self, messages: Sequence[Message]) -> None:
        """Let others have them at once; if that fails, the time-out does it later."""
        for message in messages:
            self._in_hand.pop(message.receipt, None)
        try:
            async with asyncio.timeout(HANDS_BACK_WITHIN_S):
                for ten in in_tens(messages):
                    await self._aws.hide(self._queue.name, ten, for_s=0)
        except Exception as error:
            log.warning(
                "Messages come back late", count=len(messages), error=repr(error)
            )

    async def _keep_hidden(self) -> None:
        """While work takes long, nobody else is to be given the same messages."""
        timeout_s = self._queue.visibility_timeout_s
        while True:
            await asyncio.sleep(timeout_s / 3)
            try:
                for ten in in_tens(list(self._in_hand.values())):
                    await self._aws.hide(self._queue.name, ten, for_s=timeout_s)
            except Exception as error:
                log.warning("Visibility not extended", error=repr(error))

    async def _until_database_answers(self) -> None:
        backoff = Backoff(most_s=LOOKS_FOR_DATABASE_AFTER_S)
        while not self._stopping.is_set():
            try:
                await self._database.transact(_probe)
            except Exception as error:
                cause = repr(error.__cause__ or error)
                log.warning(
                    "Waiting for the database", queue=self._queue.name, error=cause
                )
                await self._or_stop(asyncio.create_task(backoff.wait()))
            else:
                return


async def _give_up(item: Delivered, error: Exception) -> Dead:
    stack = without_statements("".join(traceback.format_exception(error)))
    reason = without_statements(f"{type(error).__name__}: {error}")
    return _dead(item.message, item.event.alone, reason, stack)


def _dead(message: Message, body: str, reason: str, stack: str = "") -> Dead:
    letter = DeadLetter(
        body=body, reason=reason, stack=stack, before=message.attributes
    )
    return Dead(letter, message)


async def _probe(tx: Tx) -> None:
    """Do nothing, in a way that a writer that became read-only refuses."""
    await tx.execute(text("UPDATE relay_cursor SET numbered = numbered WHERE false"))


def in_tens(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for start in range(0, len(messages), BATCH_ENTRIES):
        yield messages[start : start + BATCH_ENTRIES]
