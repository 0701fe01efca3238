"""What is measured, each by itself; `python -m bench` runs them after one another."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from statistics import median
from typing import Any
from uuid import uuid4

import httpx

from bench import peers
from bench.goods import Orders
from bench.load import SPILLED, TURNED_AWAY, Load, Outcome, apply
from bench.peers import Peer
from bench.site import COUNTED, QUIET_S, Measured, Site
from chassis.testing import eventually

JSON = dict[str, Any]
Tell = Callable[[str], None]
Ask = Callable[[], Awaitable[JSON]]

SKUS = 200
MANY_SKUS = 1000
COUNTED_WITHIN_S = 12  # PostgreSQL counts what a session did when it rests for ten
CONNECTIONS = 64
OPEN_CONNECTIONS = 256  # of whom most wait for nothing
PEER_CONNECTIONS = 16  # where the conventional shop is at its best
CURVE_CONNECTIONS = (1, 4, 16, 64, 128)
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
TYPICAL_SHARE = 0.7
DISTURBS_PERCENT = 2.0  # of a core that the host gives to others
MORE_ROUNDS = 2  # times as many, where it does
ACCEPTS = ("orders", "postgres")
GENERATOR = "load generator"
# By how many at once; lists are shed when more than sixteen are asked for.
LOOKS = {"get": 32, "list": 8}


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How long it all takes: long enough to be believed, short enough to be run."""

    rounds: int
    seconds: float
    step_seconds: float
    orders: int
    hot_orders: int
    batch_rows: int
    limit_batches: int
    idle_s: float


FULL = Extent(
    rounds=3,
    seconds=6,
    step_seconds=5,
    orders=5000,
    hot_orders=5000,
    batch_rows=5000,
    limit_batches=200,
    idle_s=30,
)
QUICK = Extent(
    rounds=1,
    seconds=4,
    step_seconds=3,
    orders=2000,
    hot_orders=1500,
    batch_rows=1500,
    limit_batches=100,
    idle_s=8,
)


def figures_of(outcome: Outcome) -> JSON:
    return {
        "per_second": round(outcome.per_second, 1),
        "p50_ms": round(outcome.percentile_ms(50), 2),
        "p99_ms": round(outcome.percentile_ms(99), 2),
        "p99_9_ms": round(outcome.percentile_ms(99.9), 2),
        "turned_away": outcome.statuses.get(TURNED_AWAY, 0),
    }


async def _load(site: Site, port: int, **given: Any) -> tuple[Outcome, Measured]:
    async with site.measuring() as measured:
        outcome = await apply(Load(port=port, token=site.token, **given))
    outcome.check()
    measured.add(GENERATOR, outcome.cpu_s)
    return outcome, measured


def _costs(measured: Measured, orders: int, counted: Sequence[str] = COUNTED) -> JSON:
    per_part = {name: round(ms / orders, 4) for name, ms in measured.parts_ms.items()}
    return {
        "cpu_ms_per_order": round(measured.cpu_ms(*counted, each=orders), 4),
        "cpu_ms_per_order_by_process": per_part,
        "stolen_percent": measured.stolen_percent,
    }


async def by_turns(
    extent: Extent, tell: Tell, asked: Mapping[str, Ask]
) -> dict[str, JSON]:
    """Rounds of each, by turns, so that all of them meet the same neighbours on this
    machine; some more, while the host gives much of it to others."""
    rounds: dict[str, list[JSON]] = {name: [] for name in asked}
    for number in range(extent.rounds * MORE_ROUNDS):
        if all(_undisturbed(taken) >= extent.rounds for taken in rounds.values()):
            break
        tell(f"round {number + 1}, of at least {extent.rounds}")
        for name, ask in asked.items():
            rounds[name].append(await ask())
    return {name: of_rounds(taken, extent.rounds) for name, taken in rounds.items()}


def _undisturbed(rounds: Sequence[JSON]) -> int:
    return sum(one["stolen_percent"] <= DISTURBS_PERCENT for one in rounds)


def of_rounds(rounds: Sequence[JSON], count: int) -> JSON:
    """Of those during which the host gave least to others: which of them are good is
    not asked."""
    quietest = sorted(rounds, key=lambda one: float(one["stolen_percent"]))[:count]
    return _typical(quietest) | {"rounds": rounds}


async def side_by_side(site: Site, extent: Extent, tell: Tell) -> JSON:
    """Accepting, the conventional shop and bare HTTP."""
    await site.hold_relay()
    async with peers.baseline(site, SKUS) as slow, peers.http_only(site) as bare:

        async def accept() -> JSON:
            await _accept(site, 1, CONNECTIONS)
            return await _accept(site, extent.seconds, CONNECTIONS)

        asked: dict[str, Ask] = {
            "baseline": partial(_peer, site, slow, extent.seconds, PEER_CONNECTIONS),
            "http_only": partial(_peer, site, bare, extent.seconds, CONNECTIONS),
            "accept": accept,
        }
        return await by_turns(extent, tell, asked)


async def _peer(
    site: Site, peer: Peer, seconds: float, connections: int, rate: float | None = None
) -> JSON:
    warm = Load(port=peer.port, token=site.token, what="place", seconds=1, skus=SKUS)
    await apply(warm)
    outcome, measured = await _load(
        site,
        peer.port,
        what="place",
        skus=SKUS,
        seconds=seconds,
        connections=connections,
        rate=rate,
    )
    counted = (peer.name, "postgres")
    return figures_of(outcome) | _costs(measured, outcome.answered, counted)


async def _accept(
    site: Site, seconds: float, connections: int, rate: float | None = None
) -> JSON:
    outcome, measured = await _load(
        site,
        site.stack.ports.orders,
        what="place",
        skus=SKUS,
        seconds=seconds,
        connections=connections,
        rate=rate,
    )
    commits = max(1, measured.transactions["orders"])
    postgres_us = measured.cpu_ms("postgres", each=outcome.answered) * 1000
    return (
        figures_of(outcome)
        | _costs(measured, outcome.answered, ACCEPTS)
        | {
            "postgres_us_per_order": round(postgres_us, 1),
            "orders_per_commit": round(outcome.answered / commits, 1),
        }
    )


def _typical(rounds: Sequence[JSON]) -> JSON:
    """The median of each figure: one round in a bad moment spoils nothing."""
    return {
        name: _typical([found[name] for found in rounds])
        if isinstance(value, dict)
        else median(found[name] for found in rounds)
        for name, value in rounds[0].items()
        if all(name in found for found in rounds)
    }


async def at_typical_load(site: Site, extent: Extent, tell: Tell) -> JSON:
    """At the same share of what each of the two can in this moment: who is late without
    a database, too, has the machine to thank."""

    async def typical(place: Callable[..., Awaitable[JSON]]) -> JSON:
        most = await place(extent.step_seconds, CONNECTIONS)
        rate = TYPICAL_SHARE * most["per_second"]
        found = await place(extent.seconds, OPEN_CONNECTIONS, rate)
        return found | {"offered": round(rate)}

    await site.forget_orders()  # nowhere do hundreds of thousands wait for a decision
    await site.hold_relay()
    async with peers.http_only(site) as bare:
        asked = {
            "accept": partial(typical, partial(_accept, site)),
            "http_only": partial(typical, partial(_peer, site, bare)),
        }
        return await by_turns(extent, tell, asked)


async def accepting(site: Site, extent: Extent, capacity: float, tell: Tell) -> JSON:
    """Latency over offered load, and cost over how many wait at once."""
    by_load, by_batch = [], []
    for share in SHARES:
        tell(f"{share:.0%} of {capacity:.0f} orders/s")
        rate = share * capacity
        found = await _accept(site, extent.step_seconds, OPEN_CONNECTIONS, rate)
        by_load.append({"share": share, "offered": round(share * capacity), **found})
    async with site.no_housekeeping():
        for connections in CURVE_CONNECTIONS:
            tell(f"{connections} at once")
            found = await _accept(site, extent.step_seconds, connections)
            by_batch.append({"connections": connections, **found})
    return {"by_load": by_load, "by_batch": by_batch}


async def limit(site: Site, extent: Extent, tell: Tell) -> JSON:
    """The same rows, written by PostgreSQL alone."""
    batches = count(1, peers.LIMIT_BATCH)
    orders = extent.limit_batches * peers.LIMIT_BATCH
    async with peers.limit(site) as connection:
        await peers.write_batch(connection, next(batches))

        async def write() -> JSON:
            async with site.measuring() as measured:
                for first in islice(batches, extent.limit_batches):
                    await peers.write_batch(connection, first)
            us = measured.cpu_ms("postgres", each=orders) * 1000
            return {
                "orders": orders,
                "per_second": round(orders / measured.seconds, 1),
                "postgres_us_per_order": round(us, 1),
                "stolen_percent": measured.stolen_percent,
            }

        return (await by_turns(extent, tell, {"limit": write}))["limit"]


async def settle(site: Site, orders: int, skus: int, what: str = "place") -> JSON:
    """From the first request until every order is invoiced and all is quiet."""
    before = await site.invoiced()
    port = site.stack.ports.orders
    given = {"what": what, "skus": skus, "most": orders, "seconds": 120.0}
    async with site.measuring() as measured:
        began = asyncio.get_running_loop().time()
        load = Load(port=port, token=site.token, connections=CONNECTIONS, **given)
        outcome = await apply(load)
        outcome.check(SPILLED)
        await site.settled(before + outcome.answered)
        took_s = asyncio.get_running_loop().time() - began
        await asyncio.sleep(QUIET_S)
    measured.add(GENERATOR, outcome.cpu_s)
    commits = {
        name: round(outcome.answered / max(1, measured.transactions[name]), 1)
        for name in ("orders", "inventory", "accounting")
    }
    return {
        "orders": outcome.answered,
        "accepted_per_second": round(outcome.per_second, 1),
        "per_second": round(outcome.answered / took_s, 1),
        "orders_per_commit": commits,
    } | _costs(measured, outcome.answered)


async def settling(site: Site, extent: Extent, tell: Tell) -> JSON:
    """And beside it the conventional shop, as beside accepting."""
    await settle(site, 300, SKUS)  # what is cold would be charged
    async with peers.baseline(site, SKUS) as slow:
        asked = {
            "baseline": partial(_peer, site, slow, extent.seconds, PEER_CONNECTIONS),
            "settle": partial(settle, site, extent.orders, SKUS),
        }
        return await by_turns(extent, tell, asked)


async def hot_sku(site: Site, extent: Extent, tell: Tell) -> JSON:
    asked = {
        "hot": partial(settle, site, extent.hot_orders, 1),
        "spread": partial(settle, site, extent.hot_orders, MANY_SKUS),
    }
    async with site.no_housekeeping():
        found = await by_turns(extent, tell, asked)
    hot, spread = found["hot"], found["spread"]
    return {
        "over_spread": round(hot["cpu_ms_per_order"] / spread["cpu_ms_per_order"], 3),
        "over_spread_per_second": round(hot["per_second"] / spread["per_second"], 3),
        **found,
    }


async def batch(site: Site, extent: Extent) -> JSON:
    """A wholesaler's file of orders: from its upload until all are placed."""
    orders, run = Orders(SKUS), uuid4().hex[:8]
    rows = [
        json.dumps(orders(n) | {"idempotency_key": f"{run}-{n}"})
        for n in range(extent.batch_rows)
    ]
    async with site.measuring() as measured:
        took_s = await _upload(site, "\n".join(rows))
    return {
        "rows": extent.batch_rows,
        "per_second": round(extent.batch_rows / took_s, 1),
    } | _costs(measured, extent.batch_rows, ACCEPTS)


async def _upload(site: Site, content: str) -> float:
    headers = {
        "Authorization": f"Bearer {site.token}",
        "Idempotency-Key": uuid4().hex,
        "Content-Type": "application/x-ndjson",
    }
    clock = asyncio.get_running_loop().time
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{site.stack.ports.orders}",
        headers=headers,
        timeout=120,
        trust_env=False,
    ) as http:
        began = clock()
        answer = await http.post("/v1/orders/batches", content=content)
        answer.raise_for_status()
        path = answer.headers["Location"]

        async def is_placed() -> bool:
            now = (await http.get(path)).json()
            if now["failed"]:
                raise RuntimeError(f"rows of the batch failed: {now}")
            return bool(now["status"] == "completed")

        await eventually(is_placed, within_s=120, every_s=0.2)
        return clock() - began


async def reading(site: Site, extent: Extent) -> JSON:
    """Looking at what there is, page by page and one by one, and once it is decided."""
    if not await site.ask("orders", "SELECT count(*) FROM orders"):
        await settle(site, extent.orders, SKUS)
    found = {}
    for what in LOOKS:
        await look(site, what, seconds=1)  # what is cold would be charged
        outcome, measured = await look(site, what, seconds=extent.step_seconds)
        cpu_ms = measured.cpu_ms(*ACCEPTS, each=outcome.answered)
        found[what] = figures_of(outcome) | {"cpu_ms_per_request": round(cpu_ms, 4)}
    return found


async def look(site: Site, what: str, *, seconds: float) -> tuple[Outcome, Measured]:
    rows = await site.admin["orders"].fetch("SELECT id FROM orders LIMIT 2000")
    return await _load(
        site,
        site.stack.ports.orders,
        what=what,
        ids=tuple(str(row["id"]) for row in rows),
        connections=LOOKS[what],
        seconds=seconds,
    )


async def idle(site: Site, extent: Extent) -> JSON:
    """What a stack costs that nobody uses; timers still run after the last order."""
    await asyncio.sleep(COUNTED_WITHIN_S)
    async with site.measuring() as measured:
        await asyncio.sleep(extent.idle_s)
    seconds = measured.seconds
    return {
        name: {
            "cpu_percent": round(100 * used.cpu_s / seconds, 2),
            "wakeups_per_second": round(used.wakeups / seconds, 1),
            "memory_mb": round(used.rss_mb, 1),
            "transactions_per_second": round(
                measured.transactions.get(name, 0) / seconds, 2
            ),
        }
        for name, used in measured.usage.items()
    }
