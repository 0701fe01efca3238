"""A process dies wherever it can, twice, and what it was doing is done once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from time import monotonic

import pytest

from chassis import failpoints
from chassis.database import Database
from chassis.testing import eventually
from contracts.topology import TOPOLOGY
from orderly.audit import audit
from orderly.operations import Operations
from orderly.stack import keeper
from orderly.stack.services import NAMES
from orderly.stack.stack import Stack
from tests.chaos.invariants import violations_in
from tests.chaos.invariants.evidence import Violation
from tests.flows.deaths import SEED, deaths, deaths_of_intake
from tests.flows.lives import (
    LIVES,
    Life,
    bought_while_the_database_was_silent,
)
from tests.flows.shop import Shop

pytestmark = [
    pytest.mark.xdist_group("stack"),  # there is one: one worker
    pytest.mark.deaths,
]

NEXT_WITHIN_S = 300.0
SETTLES_WITHIN_S = 60.0
# A replay whose holder dies waits for its lease to end, at each of the places.
LIVES_WITHIN_S = 600.0
SPILLS_AFTER_S = 0.5  # so that nobody waits for a silent database for long


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    """A quiet one: it starts again and again."""
    async with Stack.throwaway() as stack:
        yield stack


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who dies is started again without a pause, however often it dies."""
    monkeypatch.setattr(keeper, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(keeper, "LONGEST_PAUSE_S", 0.01)


@pytest.fixture(autouse=True)
async def back_soon(stack: Stack) -> None:
    """What a dead process had in hand is not waited for as long as in production."""
    async with stack.emulator.connect() as aws:
        for queue in TOPOLOGY.queues:
            await aws.sqs.set_queue_attributes(
                QueueUrl=await aws.queue_url(queue.name),
                Attributes={"VisibilityTimeout": "4"},
            )


@asynccontextmanager
async def dying(stack: Stack, name: str, file: Path) -> AsyncIterator[None]:
    process = stack.services[name].process
    as_ever = process.env
    async with stack.without(name):
        process.env = {
            **as_ever,
            failpoints.VARIABLE: str(file),
            "ORDERS_SPILL_AFTER_S": str(SPILLS_AFTER_S),
        }
    yield
    async with stack.without(name):
        process.env = as_ever


@asynccontextmanager
async def life_goes_on(
    shop: Shop, stack: Stack, lives: Sequence[Life]
) -> AsyncIterator[None]:
    """All these lives at once, one after the other; all of them come to their end."""
    over = asyncio.Event()

    async def live(turn: int) -> None:
        for life in cycle((*lives[turn:], *lives[:turn])):
            await life(shop, stack)
            if over.is_set():
                return

    async with asyncio.TaskGroup() as tasks:
        for turn in range(len(lives)):
            tasks.create_task(live(turn))
        yield
        over.set()


def still_to_come(file: Path) -> list[str]:
    return file.read_text().splitlines()


async def is_less(file: Path, left: list[str]) -> bool:
    return still_to_come(file) != left


async def somebody_dies(file: Path, left: list[str]) -> None:
    try:
        await eventually(partial(is_less, file, left), within_s=NEXT_WITHIN_S)
    except AssertionError:
        pytest.fail(f"nobody came to die at: {left[0]}")


async def bury_poison(shop: Shop, stack: Stack) -> None:
    """Nothing was put aside but what has to be."""
    async with stack.emulator.connect() as aws:
        for name in NAMES:
            found = await shop.get(f"/v1/{name}/ops/dead-letters")
            assert all(
                letter["error"].startswith(("not JSON", "unknown version"))
                for letter in found["items"]
            ), found
            for queue in TOPOLOGY.queues_of(name):
                url = await aws.queue_url(queue.dead_letters)
                await aws.sqs.purge_queue(QueueUrl=url)


@asynccontextmanager
async def databases_of(stack: Stack) -> AsyncIterator[dict[str, Database]]:
    async with AsyncExitStack() as opened:
        found = {}
        for name in NAMES:
            url = await stack.postgres.give_database(name)
            found[name] = Database(url, application_name="tests", pool_size=1)
            opened.push_async_callback(found[name].close)
        yield found


async def nothing_is_lost_or_doubled(shop: Shop, stack: Stack) -> None:
    """Of events neither, nor of their effects; what was put aside has to be."""
    for name in NAMES:
        await shop.get(f"/v1/{name}/ops/digest")  # once it is back
    async with databases_of(stack) as databases:
        found: Sequence[Violation] = ()

        async def is_so() -> bool:
            nonlocal found
            found = await violations_in(databases)
            return not found

        with contextlib.suppress(AssertionError):
            await eventually(is_so, within_s=SETTLES_WITHIN_S, every_s=1)
        assert not found
    await bury_poison(shop, stack)
    report = await audit(Operations(shop.http))
    assert report.clean, report


async def die(
    shop: Shop, stack: Stack, name: str, deaths: Sequence[str], lives: Sequence[Life]
) -> None:
    """Each of these deaths, one after the other, while these lives are led; and then
    see that nobody would notice.
    """
    began = monotonic()
    shop = replace(shop, patience_s=LIVES_WITHIN_S)
    file = stack.folder.path / "deaths"
    file.write_text("".join(f"{death}\n" for death in deaths))
    print(f"ORDERLY_SEED={SEED}")  # noqa: T201
    async with dying(stack, name, file), life_goes_on(shop, stack, lives):
        while left := still_to_come(file):
            await somebody_dies(file, left)
    await nothing_is_lost_or_doubled(shop, stack)
    took_s = monotonic() - began
    print(f"{name}: {len(deaths)} deaths in {took_s:.0f} s, nothing lost")  # noqa: T201


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
async def test_what_a_dying_service_was_doing_is_done_once(
    shop: Shop, stack: Stack, name: str
):
    await die(shop, stack, name, deaths(name), LIVES)


@pytest.mark.timeout(600)
async def test_what_the_queue_took_for_a_silent_database_is_placed_once(
    shop: Shop, stack: Stack
):
    lives = [bought_while_the_database_was_silent]
    await die(shop, stack, "orders", deaths_of_intake(), lives)
