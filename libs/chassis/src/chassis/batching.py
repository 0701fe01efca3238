"""Doing together what arrives together, without anybody suffering for a neighbour."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Generic, TypeVar

import structlog
from msgspec import Struct

from chassis import metrics, tracing
from chassis.database import DatabaseTooSlow, DatabaseUnavailable, is_away
from chassis.errors import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")

# After a batch, for each but the first that was in it: one alone waits for nobody, a
# few for next to nothing, and a crowd shares its commits.
GATHERS_S_PER_ITEM = 0.001
GATHERS_S = 0.01

_LEAVING = "This process is leaving. Try again: another one answers."
_SILENT = "The database does not answer."


async def in_halves(
    items: Sequence[T],
    attempt: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
    give_up: Callable[[T, Exception], Awaitable[R]],
) -> list[R]:
    """Attempt all items; if that fails for their content, halve until it is alone.

    A database that is away is nobody's fault: that error goes to the caller as it is.
    """
    try:
        return list(await attempt(items))
    except Exception as error:
        # Too slow together may be fast enough apart; alone, the database is to blame.
        too_many = isinstance(error, DatabaseTooSlow) and len(items) > 1
        if is_away(error) and not too_many:
            raise
        if len(items) == 1:
            return [await give_up(items[0], error)]
    middle = len(items) // 2
    return [
        *await in_halves(items[:middle], attempt, give_up),
        *await in_halves(items[middle:], attempt, give_up),
    ]


class TooManyWaiting(Unavailable):
    """The waiting line is full, and says so at once, so that clients can back off."""

    code = "too_many_waiting"


class Leaving(Unavailable):
    """This process ends; the next one answers."""

    code = "leaving"


class _Waiting(Struct, Generic[T, R], frozen=True, eq=False):
    item: T
    answer: "asyncio.Future[R]"
    cause: tracing.Cause


def _pause_s(answered: int) -> float:
    return min((answered - 1) * GATHERS_S_PER_ITEM, GATHERS_S)


def _unnamed(_: object) -> str:
    """Nothing is announced about it."""
    return ""


class GroupCommit(Generic[T, R]):
    """Collects what waits while a batch is written, and writes it as the next one.

    So may those be answered together who only look: what is said of writing holds.

    Nobody waits for a batch to fill: at rest it is one item, under load it is many,
    and the cost of a commit is shared. The more have just come together, the longer
    the next ones are gathered, up to a hundredth of a second.

    With `answers_within_s`, nobody waits for a silent database either: everybody is
    told, and whoever comes is told at once until the batch in hand has ended. That it
    is not committed, nobody is told: it may still be.
    """

    def __init__(  # noqa: PLR0913 - each has its name where it is given
        self,
        write: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        called: str = "batch",
        subject: Callable[[T], str] = _unnamed,
        named: str = "subject",
        max_batch: int = 256,
        max_waiting: int = 4096,
        answers_within_s: float | None = None,
    ) -> None:
        self._write = write
        self._called = called
        self._told = {"batch": called}
        self._subject = subject
        self._named = named
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._answers_within_s = answers_within_s
        self._silent = False
        self._line: dict[_Waiting[T, R], None] = {}  # a queue that one may also leave
        self._arrived = asyncio.Event()
        self._closing = False

    @property
    def waiting(self) -> int:
        return len(self._line)

    async def submit(self, item: T) -> R:
        """The answer for this item, once the batch it travels in is committed."""
        if self._closing:
            raise Leaving(_LEAVING)
        if self._silent:
            raise DatabaseUnavailable(_SILENT)
        if len(self._line) >= self._max_waiting:
            metrics.SHED.add(1)
            raise TooManyWaiting("Too many requests are waiting. Try again shortly.")
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        cause = self._subject(item), tracing.traceparent()
        waiting = _Waiting(item, answer, cause)
        self._line[waiting] = None
        self._arrived.set()
        try:
            return await answer
        finally:
            self._line.pop(waiting, None)  # who gave up makes room

    async def run(self) -> None:
        """Write batches until closed, then what is still waiting."""
        try:
            while self._line or not self._closing:
                if self._line:
                    batch = self._next_batch()
                    await self._answer(batch)
                    await asyncio.sleep(_pause_s(len(batch)))
                else:
                    self._arrived.clear()
                    await self._arrived.wait()
        finally:
            self.close()
            for waiting in list(self._line):
                _refuse(waiting, Leaving(_LEAVING))

    def close(self) -> None:
        self._closing = True
        self._arrived.set()

    def _next_batch(self) -> Sequence[_Waiting[T, R]]:
        batch = list(islice(self._line, self._max_batch))
        for waiting in batch:
            del self._line[waiting]
        return batch

    async def _answer(self, batch: Sequence[_Waiting[T, R]]) -> None:
        metrics.BATCH_SIZE.record(len(batch), self._told)
        metrics.WAITING.record(len(self._line), self._told)
        causes = [waiting.cause for waiting in batch]
        try:
            with (
                tracing.handling(self._called, causes, named=self._named),
                self._in_time(batch),
            ):
                await in_halves(batch, self._write_batch, _fail)
        except Exception as error:
            self._refuse_all(batch, error)
        except asyncio.CancelledError:
            for waiting in batch:
                _refuse(waiting, Leaving(_LEAVING))
            raise

    @contextmanager
    def _in_time(self, batch: Sequence[_Waiting[T, R]]) -> Iterator[None]:
        if self._answers_within_s is None:
            yield
            return
        alarm = asyncio.get_running_loop().call_later(
            self._answers_within_s, self._give_up_waiting, batch
        )
        try:
            yield
        finally:
            alarm.cancel()
            self._silent = False

    def _give_up_waiting(self, batch: Sequence[_Waiting[T, R]]) -> None:
        self._silent = True
        self._refuse_all(batch, DatabaseUnavailable(_SILENT))

    def _refuse_all(self, batch: Sequence[_Waiting[T, R]], error: Exception) -> None:
        """Whoever stands in line would only learn the same, and later."""
        for waiting in (*batch, *self._line):
            _refuse(waiting, error)
        self._line.clear()

    async def _write_batch(self, batch: Sequence[_Waiting[T, R]]) -> Sequence[None]:
        if all(waiting.answer.done() for waiting in batch):
            return [None] * len(batch)  # after a silence, nobody is there to be told
        answers = await self._write([waiting.item for waiting in batch])
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
        return [None] * len(batch)


async def _fail(waiting: _Waiting[T, R], error: Exception) -> None:
    _refuse(waiting, error)


def _refuse(waiting: _Waiting[T, R], error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
