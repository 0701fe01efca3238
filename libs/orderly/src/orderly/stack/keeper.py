"""Starts what ended again, as the platform does in production."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from orderly.stack.processes import Part, describe

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0  # who ran so long is started again without being made to wait

Say = Callable[[str, str], None]  # that something happened, and to which part


async def keep(part: Part, start: Callable[[], Awaitable[None]], say: Say) -> None:
    """Start the part again whenever it ends, for ever, pausing longer each time."""
    pause_s = FIRST_PAUSE_S
    while True:
        began = monotonic()
        status = await part.wait()
        if monotonic() - began > STEADY_AFTER_S:
            pause_s = FIRST_PAUSE_S
        say(
            part.name, f"ended ({describe(status)}): starting it again in {pause_s:g} s"
        )
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        try:
            await start()
        except Exception as error:  # noqa: BLE001 - a keeper never gives up, nor is silent
            say(part.name, f"could not be started again: {str(error) or repr(error)}")
            await part.stop()
