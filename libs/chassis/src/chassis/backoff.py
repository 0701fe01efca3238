"""Waiting longer after each failure, and never in step with others who failed."""

import asyncio
import random


class Backoff:
    def __init__(self, *, first_s: float = 0.1, most_s: float = 30) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._failures = 0

    async def wait(self) -> None:
        ceiling = min(self._most_s, self._first_s * 2**self._failures)
        self._failures = min(self._failures + 1, 32)
        await asyncio.sleep(random.uniform(ceiling / 2, ceiling))

    def reset(self) -> None:
        self._failures = 0
