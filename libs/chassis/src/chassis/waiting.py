"""Holding an answer until something has happened to its subject (`Prefer: wait=5`)."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog
from fastapi import Request

from chassis.admission import stepping_aside
from chassis.database import Database, Tx
from chassis.headers import sent

log = structlog.get_logger(__name__)

MOST_S = 20
POLL_S = 1
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\"?)([0-9]{1,9})\1(?:$|[,;\s])")


def preferred_wait_s(request: Request) -> int:
    """How long the caller would wait; what cannot be read is no preference."""
    found = _WAIT.search(",".join(sent(request, b"prefer")))
    return min(int(found[2]), MOST_S) if found else 0


class Waiters:
    """Wakes whoever waits for a subject.

    At once for what this process commits; within a second for what another one does,
    by one query for all who wait.
    """

    def __init__(
        self,
        database: Database,
        find_done: Callable[[Tx, set[str]], Awaitable[set[str]]],
    ) -> None:
        self._database = database
        self._find_done = find_done
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._polling: asyncio.Task[None] | None = None
        self._closed = False
        database.on_announced(self._wake)

    async def wait(self, subject: str, timeout_s: float) -> bool:
        """Wait until something may have happened to the subject, or time is up.

        False: the process is leaving, and waiting on makes no sense.
        """
        if self._closed:
            return False
        happened = asyncio.Event()
        self._waiting[subject].add(happened)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            with suppress(TimeoutError), stepping_aside():
                async with asyncio.timeout(timeout_s):
                    await happened.wait()
        finally:
            self._waiting[subject].discard(happened)
            if not self._waiting[subject]:
                del self._waiting[subject]
        return not self._closed

    def close(self) -> None:
        """Let everybody go with what there is: the process is leaving."""
        self._closed = True
        self._wake(list(self._waiting))

    def _wake(self, subjects: Sequence[str]) -> None:
        for subject in subjects:
            for happened in self._waiting.get(subject, ()):
                happened.set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            if not self._waiting:
                return
            try:
                done = await self._database.transact(
                    self._find_done, set(self._waiting)
                )
            except Exception as error:  # who waits is answered when the time is up
                log.warning("Waiting goes on unseen", error=repr(error))
            else:
                self._wake(list(done))
