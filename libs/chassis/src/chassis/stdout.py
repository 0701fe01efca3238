"""Standard output that never holds anybody up, and never ends a process.

Whoever reads our lines may be slow, or gone. A thread of their own writes them; beyond
what may wait they are dropped, and how many they were is said afterwards.
"""

import atexit
import os
import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

MOST_WAITING = 10_000  # lines: some megabytes
AT_ONCE = 100  # lines in one write
LAST_WORDS_WITHIN_S = 1.0

Report: TypeAlias = Callable[[int], str]


class Lines:
    """As much of a text file as loggers need: it may be written to from anywhere."""

    def __init__(self, file: int, report: Report, most_waiting: int = MOST_WAITING):
        self._file = file
        self._report = report
        self._most_waiting = most_waiting
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = 0
        self.closed = False
        self._thread = threading.Thread(
            target=self._carry, name="standard output", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    @property
    def waiting(self) -> int:
        return self._waiting.qsize()

    def write(self, text: str) -> int:
        if self.waiting >= self._most_waiting:
            self._dropped += 1  # two threads may count one: it is about how many
        elif not self.closed:
            self._waiting.put(text)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: the thread writes as soon as it can."""

    def close(self) -> None:
        """Have what waits written, unless nobody takes it."""
        self._waiting.put(None)
        self._thread.join(LAST_WORDS_WITHIN_S)

    def _carry(self) -> None:
        while (lines := self._next()) is not None:
            dropped = self._dropped
            told = [*lines, self._report(dropped)] if dropped else lines
            try:
                self._write("".join(told).encode(errors="backslashreplace"))
            except BrokenPipeError:
                # Nobody will ever read them, and there is nowhere to say so.
                self.closed = True
                return
            except OSError:  # a full disk, say: it may pass
                self._dropped += len(lines)
            else:
                self._dropped -= dropped

    def _next(self) -> list[str] | None:
        """What waits now, or the first line to come; None at the end."""
        lines: list[str] = []
        line = self._waiting.get()
        while line is not None:
            lines.append(line)
            if len(lines) == AT_ONCE or self._waiting.empty():
                break
            line = self._waiting.get()
        else:
            self._waiting.put(None)  # found again, once these are written
            if not lines:
                return None
        return lines

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._file, rest) :]
