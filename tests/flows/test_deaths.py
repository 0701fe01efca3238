"""A process dies wherever it can, twice, and what it was doing is done once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from chassis import failpoints
from chassis.testing import eventually
from contracts.topology import TOPOLOGY
from orderly.audit import audit
from orderly.operations import Operations
from orderly.stack import keeper
from orderly.stack.services import NAMES
from orderly.stack.stack import Stack
from tests.flows.deaths import SEED, deaths
from tests.flows.lives import LIVES
from tests.flows.shop import Shop

pytestmark = [
    pytest.mark.xdist_group("stack"),  # there is one: one worker
    pytest.mark.deaths,
]

LIVES_AT_ONCE = len(LIVES)  # so that each place is come to soon
NEXT_WITHIN_S = 120.0


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
                Attributes={"VisibilityTimeout": "2"},
            )


@asynccontextmanager
async def dying(stack: Stack, name: str, file: Path) -> AsyncIterator[None]:
    process = stack.services[name].process
    as_ever = process.env
    async with stack.without(name):
        process.env = {**as_ever, failpoints.VARIABLE: str(file)}
    yield
    async with stack.without(name):
        process.env = as_ever


@asynccontextmanager
async def life_goes_on(shop: Shop, stack: Stack) -> AsyncIterator[None]:
    """Several lives at once, one after the other; all of them come to their end."""
    over = asyncio.Event()

    async def live(turn: int) -> None:
        for life in cycle((*LIVES[turn:], *LIVES[:turn])):
            await life(shop, stack)
            if over.is_set():
                return

    async with asyncio.TaskGroup() as tasks:
        for turn in range(LIVES_AT_ONCE):
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


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
async def test_what_a_dying_service_was_doing_is_done_once(
    shop: Shop, stack: Stack, name: str, tmp_path: Path
):
    file = tmp_path / "deaths"
    file.write_text("".join(f"{death}\n" for death in deaths(name)))
    print(f"ORDERLY_SEED={SEED}")  # noqa: T201

    async with dying(stack, name, file), life_goes_on(shop, stack):
        while left := still_to_come(file):
            await somebody_dies(file, left)

    for each in NAMES:
        await shop.get(f"/v1/{each}/ops/digest")  # once it is back
    await bury_poison(shop, stack)
    report = await audit(Operations(shop.http))
    assert report.clean, report
