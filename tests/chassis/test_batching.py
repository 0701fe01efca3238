import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chassis import batching
from chassis.batching import GroupCommit, Leaving, TooManyWaiting, in_halves
from chassis.database import DatabaseTooSlow, DatabaseUnavailable

Write = Callable[[Sequence[str]], Awaitable[Sequence[str]]]


class Shouting:
    """Writes what it is given, and waits before each batch until it may."""

    def __init__(self) -> None:
        self.may_go = asyncio.Event()
        self.may_go.set()
        self.batches: list[list[str]] = []

    async def __call__(self, items: Sequence[str]) -> Sequence[str]:
        self.batches.append(list(items))
        await self.may_go.wait()
        if "away" in items:
            raise DatabaseUnavailable("It does not answer.")
        if "faulty" in items:
            raise ValueError("faulty")
        return [item.upper() for item in items]


@asynccontextmanager
async def running(write: Write, **bounds: Any) -> AsyncIterator[GroupCommit[str, str]]:
    group: GroupCommit[str, str] = GroupCommit(write, **bounds)
    task = asyncio.create_task(group.run())
    yield group
    group.close()
    await task


def submit_all(
    group: GroupCommit[str, str], items: Sequence[str]
) -> list["asyncio.Task[str]"]:
    return [asyncio.create_task(group.submit(item)) for item in items]


async def test_each_gets_its_own_answer():
    async with running(Shouting()) as group:
        answers = await asyncio.gather(*submit_all(group, ["a", "b", "c"]))

    assert answers == ["A", "B", "C"]


async def test_one_alone_waits_for_nobody():
    write = Shouting()

    async with running(write) as group:
        assert await group.submit("alone") == "ALONE"

    assert write.batches == [["alone"]]


async def test_what_comes_during_a_commit_is_the_next_batch():
    write = Shouting()
    write.may_go.clear()
    async with running(write, max_batch=3) as group:
        answers = submit_all(group, ["first"])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        answers += submit_all(group, ["a", "b", "c", "d"])
        await asyncio.sleep(0)
        write.may_go.set()
        await asyncio.gather(*answers)

    assert write.batches == [["first"], ["a", "b", "c"], ["d"]]


async def test_after_a_crowd_those_that_come_meanwhile_are_one_batch(monkeypatch):
    monkeypatch.setattr(batching, "GATHERS_S", 0.2)
    monkeypatch.setattr(batching, "GATHERS_S_PER_ITEM", 0.2)
    write = Shouting()
    async with running(write) as group:
        await asyncio.gather(*submit_all(group, ["a", "crowd"]))
        answers = submit_all(group, ["one"])
        await asyncio.sleep(0.01)
        answers += submit_all(group, ["another"])
        await asyncio.gather(*answers)

    assert write.batches == [["a", "crowd"], ["one", "another"]]


async def test_after_one_alone_nobody_is_waited_for(monkeypatch):
    monkeypatch.setattr(batching, "GATHERS_S_PER_ITEM", 60)
    monkeypatch.setattr(batching, "GATHERS_S", 60)
    write = Shouting()
    async with running(write) as group:
        assert await group.submit("one") == "ONE"
        assert await group.submit("another") == "ANOTHER"

    assert write.batches == [["one"], ["another"]]


async def test_a_faulty_one_fails_alone():
    async with running(Shouting()) as group:
        items = ["a", "b", "faulty", "c", "d"]
        answers = await asyncio.gather(
            *submit_all(group, items), return_exceptions=True
        )

    assert [answers[i] for i in (0, 1, 3, 4)] == ["A", "B", "C", "D"]
    assert isinstance(answers[2], ValueError)


async def test_a_database_that_is_away_fails_all_of_them_at_once():
    write = Shouting()
    async with running(write) as group:
        answers = await asyncio.gather(
            *submit_all(group, ["a", "away", "b"]), return_exceptions=True
        )

        assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
        assert len(write.batches) == 1
        assert await group.submit("back") == "BACK"


async def test_what_is_too_slow_together_is_tried_apart():
    async def write(items: Sequence[str]) -> Sequence[str]:
        if len(items) > 1:
            raise DatabaseTooSlow("It took too long.")
        return items

    async def give_up(item: str, _: Exception) -> str:
        return f"no {item}"

    assert await in_halves(["a", "b", "c"], write, give_up) == ["a", "b", "c"]


async def test_what_is_too_slow_alone_is_the_databases_fault():
    async def write(_: Sequence[str]) -> Sequence[str]:
        raise DatabaseTooSlow("It took too long.")

    async def give_up(item: str, _: Exception) -> str:
        return f"no {item}"

    with pytest.raises(DatabaseTooSlow):
        await in_halves(["a", "b"], write, give_up)


async def test_a_full_line_says_so_at_once():
    write = Shouting()
    write.may_go.clear()
    async with running(write, max_waiting=2) as group:
        answers = submit_all(group, ["being written"])
        await asyncio.sleep(0.01)
        answers += submit_all(group, ["a", "b"])
        await asyncio.sleep(0)

        with pytest.raises(TooManyWaiting) as refused:
            await group.submit("too many")
        write.may_go.set()
        await asyncio.gather(*answers)

    assert refused.value.headers == {"Retry-After": "1"}


async def test_who_gave_up_makes_room():
    write = Shouting()
    write.may_go.clear()
    async with running(write, max_waiting=1) as group:
        first = submit_all(group, ["being written"])
        await asyncio.sleep(0.01)
        (gave_up,) = submit_all(group, ["gave up"])
        await asyncio.sleep(0)
        gave_up.cancel()
        await asyncio.wait([gave_up])
        last = submit_all(group, ["last"])
        await asyncio.sleep(0)
        write.may_go.set()
        await asyncio.gather(*first, *last)

    assert write.batches == [["being written"], ["last"]]


async def test_who_gives_up_while_being_written_harms_nobody():
    write = Shouting()
    write.may_go.clear()
    async with running(write) as group:
        gives_up, stays = submit_all(group, ["gives up", "stays"])
        await asyncio.sleep(0.01)
        gives_up.cancel()
        write.may_go.set()

        assert await stays == "STAYS"


async def test_closing_writes_what_waits_and_takes_no_more():
    write = Shouting()
    write.may_go.clear()
    async with running(write) as group:
        answers = submit_all(group, ["a"])
        await asyncio.sleep(0.01)
        answers += submit_all(group, ["b"])
        await asyncio.sleep(0)
        group.close()
        write.may_go.set()
        with pytest.raises(Leaving):
            await group.submit("late")

        assert await asyncio.gather(*answers) == ["A", "B"]


async def test_nobody_waits_for_a_writer_that_was_ended():
    write = Shouting()
    write.may_go.clear()
    group: GroupCommit[str, str] = GroupCommit(write)
    writing = asyncio.create_task(group.run())
    answers = submit_all(group, ["being written"])
    await asyncio.sleep(0.01)
    answers += submit_all(group, ["waiting"])
    await asyncio.sleep(0)

    writing.cancel()

    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Leaving, Leaving]


async def test_a_thousand_at_once_share_their_commits():
    write = Shouting()
    async with running(write) as group:
        items = [str(number) for number in range(1000)]

        assert await asyncio.gather(*submit_all(group, items)) == items

    assert len(write.batches) <= 5


@pytest.mark.parametrize("faulty", [[], [0], [6], [2, 3], list(range(7))])
async def test_halving_finds_exactly_what_cannot_be_done(faulty):
    async def attempt(items: Sequence[int]) -> Sequence[str]:
        if set(items) & set(faulty):
            raise ValueError
        return ["done"] * len(items)

    async def give_up(_: int, error: Exception) -> str:
        return type(error).__name__

    expected = ["ValueError" if item in faulty else "done" for item in range(7)]
    assert await in_halves(range(7), attempt, give_up) == expected


async def test_nobody_waits_long_for_a_silent_database():
    write = Shouting()
    write.may_go.clear()
    async with running(write, answers_within_s=0.05) as group:
        answers = submit_all(group, ["being written"])
        await asyncio.sleep(0.01)
        answers += submit_all(group, ["in line"])

        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        with pytest.raises(DatabaseUnavailable):
            await asyncio.wait_for(group.submit("late"), 0.04)
        write.may_go.set()
        await asyncio.sleep(0.01)

        assert await group.submit("back") == "BACK"
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 2
    assert write.batches == [["being written"], ["back"]]


async def test_who_stands_in_line_for_an_absent_database_is_told_with_the_others():
    write = Shouting()
    write.may_go.clear()
    async with running(write) as group:
        answers = submit_all(group, ["away"])
        await asyncio.sleep(0.01)
        answers += submit_all(group, ["in line"])
        await asyncio.sleep(0)
        write.may_go.set()

        outcomes = await asyncio.gather(*answers, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 2
    assert write.batches == [["away"]]
