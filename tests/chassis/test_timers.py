import asyncio

from chassis.testing import eventually
from chassis.timers import Timer

AN_HOUR_S = 3600


async def test_a_nudged_timer_comes_round_at_once(database):
    rounds = 0

    async def work() -> bool:
        nonlocal rounds
        rounds += 1
        return False

    async def came_twice() -> bool:
        return rounds == 2

    timer = Timer(name="nudged", every_s=AN_HOUR_S, work=work)
    running = asyncio.create_task(timer.run(database))

    timer.nudge()

    await eventually(came_twice)
    running.cancel()
