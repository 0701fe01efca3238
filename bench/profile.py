"""Where the time goes: `python -m bench.profile accept` (or settle, get, list).

Prints which functions of each service are on the stack most, by themselves and with
what they call; the stacks stay in bench/results/, for a flame graph.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

from bench import scenarios
from bench.load import Load, apply
from bench.report import RESULTS
from bench.scenarios import SKUS
from bench.site import Site, a_site
from orderly.stack.services import NAMES

SECONDS = 8
ORDERS = 5000  # that are there to be looked at
RATE = 200
SHOWN = 45
MAIN = "_run_module_as_main"


async def main(what: str) -> None:
    async with a_site() as site:
        await site.stock_up(SKUS)
        if what == "accept":
            await site.hold_relay()
            await _accept(site, 2)
            await asyncio.gather(_watch(site, "orders", what), _accept(site, SECONDS))
        elif what in scenarios.LOOKS:
            await scenarios.settle(site, ORDERS, SKUS)
            await scenarios.look(site, what, seconds=2)
            looking = scenarios.look(site, what, seconds=SECONDS)
            await asyncio.gather(_watch(site, "orders", what), looking)
        else:
            await scenarios.settle(site, 300, SKUS)
            watching = [_watch(site, name, what) for name in NAMES]
            orders = scenarios.FULL.orders
            await asyncio.gather(*watching, scenarios.settle(site, orders, SKUS))
    for name in NAMES if what == "settle" else ("orders",):
        _tell(name, RESULTS / f"{what}-{name}.stacks")


async def _accept(site: Site, seconds: float) -> None:
    port, token = site.stack.ports.orders, site.token
    load = Load(port=port, token=token, what="place", skus=SKUS, seconds=seconds)
    (await apply(load)).check()


async def _watch(site: Site, name: str, what: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("py-spy"), "record", "--format", "raw"),
        *("--pid", str(site.stack.services[name].process.pid), "--rate", str(RATE)),
        *("--duration", str(SECONDS), "--output"),
        RESULTS / f"{what}-{name}.stacks",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await process.wait()


def _tell(name: str, file: Path) -> None:
    alone: Counter[str] = Counter()
    with_called: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        if not stack.startswith(MAIN):  # others wait, which looks like work
            continue
        frames = [_where(frame) for frame in stack.split(";")]
        alone[frames[-1]] += int(count)
        for frame in set(frames):
            with_called[frame] += int(count)
    total = alone.total()
    for title, found in (("by itself", alone), ("with what it calls", with_called)):
        print(f"\n{name}, {title} (of {total})")
        for frame, count in found.most_common(SHOWN):
            print(f"  {count / total:6.1%}  {frame}")


def _where(frame: str) -> str:
    """The function and its file, whatever the line."""
    return frame.rpartition(":")[0] or frame


if __name__ == "__main__":
    words = ("accept", "settle", *scenarios.LOOKS)
    wanted = sys.argv[1] if sys.argv[1:] else words[0]
    if wanted not in words:
        sys.exit(f"usage: python -m bench.profile [{'|'.join(words)}]")
    asyncio.run(main(wanted))
