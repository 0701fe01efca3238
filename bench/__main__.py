"""`make bench`: everything that is measured, in one run on one machine.

    python -m bench [--quick] [--only accept settle …]

Prints as it goes, and leaves a JSON, a table and plots in bench/results/.
"""

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from bench import report, scenarios
from bench.machine import describe
from bench.scenarios import FULL, MANY_SKUS, QUICK, SKUS, Extent
from bench.site import Site, a_site

JSON = dict[str, Any]
ALL = ("idle", "accept", "limit", "settle", "hot_sku", "batch", "reading")
_BEGAN = monotonic()


def say(what: str) -> None:
    print(f"{monotonic() - _BEGAN:6.0f} s  {what}", file=sys.stderr, flush=True)


async def run(extent: Extent, only: tuple[str, ...]) -> JSON:
    say("starting the stack")
    async with a_site() as site:
        say("stocking up")
        await site.stock_up(MANY_SKUS if "hot_sku" in only else SKUS)
        return await _measure(site, extent, only)


async def _measure(site: Site, extent: Extent, only: tuple[str, ...]) -> JSON:
    found: JSON = {}

    def tell(what: str) -> None:
        say(f"  {what}")

    if "idle" in only:
        say("idle")
        found["idle"] = await scenarios.idle(site, extent)
    if "accept" in only or "limit" in only:
        say("accepting, and beside it the conventional shop and bare HTTP")
        found |= await scenarios.side_by_side(site, extent, tell)
    if "limit" in only:
        say("the limit: PostgreSQL alone")
        found["limit"] = await scenarios.limit(site, extent, tell)
    if "accept" in only:
        say("accepting, over offered load and over batches")
        capacity = found["accept"]["per_second"]
        curves = await scenarios.accepting(site, extent, capacity, tell)
        found["accept"] |= curves
        say("accepting at its usual load, and beside it bare HTTP")
        typical = await scenarios.at_typical_load(site, extent, tell)
        found["at_70_percent"] = typical
    await site.forget_orders()
    if "settle" in only:
        say("settling, and beside it the conventional shop")
        settled = await scenarios.settling(site, extent, tell)
        found["settle"] = settled["settle"]
        before = found.get("baseline", {"rounds": []})["rounds"]
        shop = before + settled["baseline"]["rounds"]
        found["baseline"] = scenarios.of_rounds(shop, 2 * extent.rounds)
        say("settling what each client waits for")
        async with site.no_housekeeping():
            waited = await scenarios.settle(site, extent.orders // 5, SKUS, "wait")
        found["settle_waited_for"] = waited
    if "hot_sku" in only:
        say("one SKU that everybody wants, and a thousand")
        found["hot_sku"] = await scenarios.hot_sku(site, extent, tell)
    if "batch" in only:
        say("a batch")
        await site.hold_relay()
        found["batch"] = await scenarios.batch(site, extent)
    if "reading" in only:
        say("reading and listing")
        found["reading"] = await scenarios.reading(site, extent)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    quick = bool(os.environ.get("QUICK"))
    parser.add_argument("--quick", action="store_true", default=quick)
    parser.add_argument("--only", nargs="+", choices=ALL, default=ALL)
    given = parser.parse_args()
    extent = QUICK if given.quick else FULL
    found = asyncio.run(run(extent, tuple(given.only)))
    now = datetime.now(UTC)
    result = report.summarise(found) | {
        "machine": describe(),
        "command": "make bench" + (" QUICK=1" if given.quick else ""),
        "at": now.isoformat(timespec="seconds"),
        "took_s": round(monotonic() - _BEGAN),
        "measured": found,
    }
    report.write(result, f"{now:%Y%m%dT%H%M%S}")


if __name__ == "__main__":
    main()
