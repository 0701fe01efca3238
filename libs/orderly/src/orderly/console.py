"""What a person sees: a line for everything that happens, in the colour of its part."""

import asyncio
import signal
from pathlib import Path

from rich.console import Console
from rich.text import Text
from typing_extensions import override

COLOURS = {
    "orders": "cyan",
    "inventory": "magenta",
    "accounting": "green",
    "gateway": "blue",
    "emulator": "yellow",
    "postgres": "bright_blue",
}
WIDTH = max(map(len, COLOURS))
LOOK_EVERY_S = 0.1


class _Console(Console):
    @override
    def on_broken_pipe(self) -> None:
        """Nobody reads any more: leave, as when the terminal is closed."""
        self.quiet = True
        signal.raise_signal(signal.SIGHUP)


console = _Console(highlight=False, soft_wrap=True)
if not console.is_terminal:  # tables need not be as narrow as a screen
    console.width = 160


def say(part: str, text: str) -> None:
    prefix = (f"{part:{WIDTH}} │ ", COLOURS.get(part, "bold"))
    for line in text.splitlines():
        try:
            console.print(Text.assemble(prefix, Text.from_ansi(line)))
        except OSError:  # the terminal is gone; ending everything must go on
            console.quiet = True


class Follower:
    """Shows what is added to a log from now on."""

    def __init__(self, part: str, log: Path) -> None:
        self._part = part
        self._log = log
        self._shown = self._size()

    async def run(self) -> None:
        while True:
            self._show_new()
            await asyncio.sleep(LOOK_EVERY_S)

    def _show_new(self) -> None:
        size = self._size()
        if size < self._shown:  # a new one was begun
            self._shown = 0
        if size == self._shown:
            return
        with self._log.open("rb") as log:
            log.seek(self._shown)
            lines, end, _ = log.read(size - self._shown).rpartition(b"\n")
        if end:
            say(self._part, lines.decode(errors="replace"))
            self._shown += len(lines) + len(end)

    def _size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0
