import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from chassis import timers
from chassis.testing import eventually
from chassis.timers import Due, Timer

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


class Rounds:
    """Work that counts, and says whether it is due again, or after how many seconds."""

    def __init__(self, *, due: bool | float = False, failures: int = 0) -> None:
        self.count = 0
        self._due = due
        self._failures = failures

    async def __call__(self) -> Due:
        self.count += 1
        if self.count <= self._failures:
            raise ConnectionRefusedError
        if isinstance(self._due, bool):
            return self._due
        return datetime.now(UTC) + timedelta(seconds=self._due)

    async def several(self) -> bool:
        return self.count >= 3


@pytest.fixture
def idle(monkeypatch) -> None:
    """A service that was not used for a long time."""
    monkeypatch.setattr(timers, "RESTS_AFTER_S", 0)


def start(database, rounds: Rounds) -> "asyncio.Task[None]":
    timer = Timer(name="rounds", every_s=0.01, work=rounds)
    return asyncio.create_task(timer.run(database))


async def test_a_timer_comes_round_while_the_service_is_used(database):
    rounds = Rounds()
    running = start(database, rounds)

    await eventually(rounds.several)
    running.cancel()


@pytest.mark.usefixtures("idle")
async def test_an_idle_services_timer_came_round_once_and_rests(database):
    rounds = Rounds()
    running = start(database, rounds)

    await asyncio.wait([running], timeout=0.2)

    assert rounds.count == 1
    running.cancel()


@pytest.mark.usefixtures("idle")
async def test_what_is_due_is_done_though_nobody_uses_the_service(database):
    rounds = Rounds(due=True)
    running = start(database, rounds)

    await eventually(rounds.several)
    running.cancel()


@pytest.mark.usefixtures("idle")
async def test_what_is_due_later_is_left_until_then_while_nobody_uses_the_service(
    database,
):
    rounds = Rounds(due=AN_HOUR_S)
    running = start(database, rounds)

    await asyncio.wait([running], timeout=0.2)

    assert rounds.count == 1
    running.cancel()


@pytest.mark.usefixtures("idle")
async def test_what_is_due_later_is_done_when_its_time_has_come(database):
    rounds = Rounds(due=0.05)
    running = start(database, rounds)

    await eventually(rounds.several)
    running.cancel()


async def test_what_is_due_later_is_not_waited_for_while_the_service_is_used(database):
    rounds = Rounds(due=AN_HOUR_S)
    running = start(database, rounds)

    await eventually(rounds.several)
    running.cancel()


@pytest.mark.usefixtures("idle")
async def test_what_failed_and_could_wait_is_tried_again_soon(database):
    rounds = Rounds(due=AN_HOUR_S, failures=2)
    running = start(database, rounds)

    await eventually(rounds.several)
    running.cancel()


@pytest.mark.usefixtures("idle")
async def test_what_failed_is_tried_again_though_nobody_uses_the_service(database):
    rounds = Rounds(failures=2)
    running = start(database, rounds)

    await eventually(rounds.several)
    running.cancel()


async def test_a_commit_ends_the_rest(database, monkeypatch):
    monkeypatch.setattr(timers, "RESTS_AFTER_S", 0.3)
    rounds = Rounds()
    running = start(database, rounds)

    async def rests() -> bool:
        return database.idle_s() > 0.4

    await eventually(rests)
    rested_at = rounds.count
    database.note_use()

    async def goes_on() -> bool:
        return rounds.count > rested_at

    await eventually(goes_on)
    running.cancel()
