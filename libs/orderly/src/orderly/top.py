"""The flow of orders in the terminal: as a page of its own, and as one line."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orderly import flow
from orderly.console import COLOURS, console
from orderly.flow import MOST_WAITING, Flow
from orderly.operations import Operations, Refused
from orderly.words import some

LOOK_EVERY_S = 1.0
LINE_EVERY_S = 2.0
# A token lives for an hour, also while the machine sleeps: who looks longer asks with
# a new one.
RECONNECT_AFTER_S = 1800
GOOD, BAD = "green", "bold red"

Connect = Callable[[], AbstractAsyncContextManager[Operations]]


async def top(connect: Connect) -> None:
    """Show it until Ctrl-C; where nobody watches or nothing can be drawn over, once."""
    if not _can_draw():
        async with connect() as operations:
            console.print(page(await flow.look(operations)))
        return
    with Live(
        Text("looking"), console=console, screen=True, auto_refresh=False
    ) as live:
        async for seen in looks(connect, every_s=LOOK_EVERY_S):
            live.update(page(seen), refresh=True)


@asynccontextmanager
async def summary(connect: Connect) -> AsyncIterator[None]:
    """One line below the log lines, while somebody watches a terminal."""
    if not _can_draw():
        yield
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        showing = asyncio.create_task(_show_line(live, connect))
        try:
            yield
        finally:
            showing.cancel()


def _can_draw() -> bool:
    return console.is_terminal and not console.is_dumb_terminal


async def _show_line(live: Live, connect: Connect) -> None:
    while True:
        try:
            async for seen in looks(connect, every_s=LINE_EVERY_S):
                live.update(line(seen), refresh=True)
        except Refused as error:
            live.update(Text(str(error), style=BAD), refresh=True)
        await asyncio.sleep(LINE_EVERY_S)


async def looks(connect: Connect, *, every_s: float) -> AsyncIterator[Flow]:
    while True:
        since = time.time()
        async with connect() as operations:
            while time.time() < since + RECONNECT_AFTER_S:
                yield await flow.look(operations)
                await asyncio.sleep(every_s)


def line(seen: Flow) -> Text:
    """What is wrong comes first: a narrow terminal cuts off the rest."""
    text = Text(style="dim", no_wrap=True, overflow="ellipsis")
    if dead := seen.sum_of("dead_letters"):
        text.append(f"{some(dead, 'dead letter')} · ", style=BAD)
    if seen.attention:
        text.append(f"{_bounded(seen.attention)} need a look · ", style=BAD)
    if seen.away:
        text.append(f"away: {', '.join(seen.away)} · ", style=BAD)
    parts = (
        f"{_a_minute(seen)} a minute",
        f"decided in {_seconds(seen.within_s(0.5))}",
        f"{_bounded(seen.undecided)} undecided",
        f"{seen.sum_of('depth'):,} in queues",
        f"{seen.unpublished():,} in outboxes",
    )
    return text.append(" · ".join(parts))


def page(seen: Flow) -> RenderableType:
    return Group(_figures(seen), _queues(seen))


def _figures(seen: Flow) -> Table:
    states = ", ".join(f"{count:,} {name}" for name, count in seen.states.items())
    newest = sum(seen.states.values())
    table = Table.grid(padding=(0, 2))
    table.add_row("orders a minute", Text(_count(seen.a_minute), style="bold"))
    table.add_row("placed → decided", _decided(seen))
    table.add_row("undecided", _bounded(seen.undecided))
    if seen.attention:
        table.add_row("need a look", Text(_bounded(seen.attention), style=BAD))
    table.add_row(f"newest {newest:,}", (states or "none yet").replace("_", " "))
    if seen.away:
        table.add_row("away", Text(", ".join(seen.away), style=BAD))
    return table


def _queues(seen: Flow) -> Table:
    table = Table("", "waiting", "in flight", "oldest", "dead letters")
    for column in table.columns[1:]:
        column.justify = "right"
    for service, outbox in seen.outboxes.items():
        name = Text(f"{service} outbox", style=COLOURS[service])
        table.add_row(name, f"{outbox['waiting']:,}", "", f"{outbox['age']:,} s", "")
    for queue in seen.queues:
        table.add_row(
            queue["name"],
            _count(queue["depth"]),
            _count(queue["in_flight"]),
            "?" if queue["age"] is None else f"{queue['age']:,} s",
            Text(_count(queue["dead_letters"]), style=_verdict(queue["dead_letters"])),
        )
    return table


def _count(figure: int | None) -> str:
    return "?" if figure is None else f"{figure:,}"


def _verdict(dead_letters: int | None) -> str:
    return BAD if dead_letters else GOOD


def _decided(seen: Flow) -> str:
    if not seen.decided_within_s:
        return "none yet"
    half, most = seen.within_s(0.5), seen.within_s(0.95)
    return f"median {_seconds(half)}, 95 % within {_seconds(most)}"


def _a_minute(seen: Flow) -> str:
    return "? orders" if seen.a_minute is None else some(seen.a_minute, "order")


def _bounded(counted: int | None) -> str:
    return f"{_count(counted)}{'+' if (counted or 0) >= MOST_WAITING else ''}"


def _seconds(took: float | None) -> str:
    if took is None:
        return "never yet"
    return f"{took * 1000:.0f} ms" if took < 1 else f"{took:.1f} s"
