"""Much at once is done in turn, and nobody waits who need not."""

import asyncio
import time
from functools import partial

import pytest

from chassis.pace import Pace
from chassis.testing import eventually


async def rested(per_s: float, *, most_waiting: int = 1000) -> Pace:
    pace = Pace(per_s, most_waiting=most_waiting)
    await asyncio.sleep(2 / per_s)
    return pace


async def test_a_few_have_their_turn_at_once():
    pace, came = await rested(1000), list[int]()

    pace.take(partial(came.append, 1))

    assert came == [1]


async def test_many_have_it_in_order_and_no_sooner_than_they_may():
    pace, came = Pace(1000, most_waiting=1000), list[int]()
    began = time.monotonic()
    for number in range(200):
        pace.take(partial(came.append, number))

    async def all_came() -> bool:
        return len(came) == 200

    await eventually(all_came)

    assert came == list(range(200))
    assert time.monotonic() - began > 0.15


async def test_when_too_many_wait_the_first_waits_no_longer():
    pace, came = Pace(0.001, most_waiting=2), list[int]()

    for number in range(4):
        pace.take(partial(came.append, number))
    pace._waiting.clear()  # noqa: SLF001 - nobody looks in any more

    assert came == [0, 1]


async def test_a_turn_that_fails_holds_up_nobody():
    pace, came = await rested(1000), list[int]()
    pace._waiting.extend([[].pop, partial(came.append, 1)])  # noqa: SLF001

    with pytest.raises(IndexError):
        pace._look()  # noqa: SLF001

    async def next_one_came() -> bool:
        return came == [1]

    await eventually(next_one_came)


async def test_a_task_comes_back_when_it_is_its_turn():
    pace = await rested(1000)
    turns = [asyncio.create_task(pace.turn()) for _ in range(50)]

    await asyncio.wait_for(asyncio.gather(*turns), timeout=10)
