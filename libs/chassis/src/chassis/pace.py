"""What is done at once while it is little, and in turn when it is much."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LOOKS_EVERY_S = 0.01
KEEPS_S = 0.1  # of turns that nobody took


class Pace:
    """So many a second, and no more than so many that wait for their turn."""

    def __init__(self, per_s: float, *, most_waiting: int) -> None:
        self._per_s = per_s
        self._most_waiting = most_waiting
        self._waiting: deque[Callable[[], None]] = deque()
        self._may = 0.0
        self._counted_at = time.monotonic()

    def take(self, turn: Callable[[], None]) -> None:
        """Calls `turn` when it is its turn."""
        if not self._waiting and self._count() >= 1:
            self._may -= 1
            turn()
            return
        if not self._waiting:
            asyncio.get_running_loop().call_later(LOOKS_EVERY_S, self._look)
        self._waiting.append(turn)
        if len(self._waiting) > self._most_waiting:
            self._waiting.popleft()()

    async def turn(self) -> None:
        """Comes back when it is the caller's turn."""
        mine = asyncio.Event()
        self.take(mine.set)
        await mine.wait()

    def _look(self) -> None:
        try:
            while self._waiting and self._count() >= 1:
                self._may -= 1
                self._waiting.popleft()()
        finally:
            if self._waiting:
                asyncio.get_running_loop().call_later(LOOKS_EVERY_S, self._look)

    def _count(self) -> float:
        """How many may have their turn now; what was not taken is not kept for long."""
        now = time.monotonic()
        grown = self._may + (now - self._counted_at) * self._per_s
        self._may, self._counted_at = min(grown, self._per_s * KEEPS_S), now
        return self._may
