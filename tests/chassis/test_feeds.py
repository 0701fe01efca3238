import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from chassis import feeds
from chassis.batching import Leaving
from chassis.database import DatabaseUnavailable, Tx
from chassis.feeds import Feed, Listener, TooSlow


@dataclass(frozen=True)
class Fact:
    position: int


class Log:
    """What the database would hold, and how often it was asked."""

    def __init__(self) -> None:
        self.last = 0
        self.asked = 0
        self.away = False

    async def newest(self, _: Tx) -> int:
        return self.last

    async def read(self, _: Tx, position: int, limit: int) -> Sequence[Fact]:
        self.asked += 1
        if self.away:
            raise DatabaseUnavailable("It does not answer.")
        return [Fact(n) for n in range(position + 1, self.last + 1)][:limit]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def feed(log, database, monkeypatch) -> Feed[Fact]:
    monkeypatch.setattr(feeds, "POLL_S", 0.02)
    return Feed(database, newest=log.newest, read=log.read)


async def heard(following, count: int) -> list[int]:
    positions: list[int] = []
    async with asyncio.timeout(10):
        while len(positions) < count:
            facts = await following.next(within_s=5)
            positions += [fact.position for fact in facts]
    return positions


async def test_one_query_serves_all_who_listen(feed, log):
    async with feed.listen(None) as one, feed.listen(None) as other:
        log.last = 3
        told = [await heard(one, 3), await heard(other, 3)]

    assert told == [[1, 2, 3]] * 2


async def test_what_was_missed_comes_first_and_once(feed, log, monkeypatch):
    monkeypatch.setattr(feeds, "AT_ONCE", 4)
    log.last = 10
    async with feed.listen(None) as first, feed.listen(2) as late:
        log.last = 12

        assert await heard(late, 10) == list(range(3, 13))
        assert await heard(first, 2) == [11, 12]


async def test_who_does_not_take_is_cut_off(monkeypatch):
    monkeypatch.setattr(feeds, "BEHIND", 2)
    listener: Listener[Fact] = Listener()

    for position in range(3):
        listener.offer([Fact(position)])

    with pytest.raises(TooSlow):
        await listener.take(within_s=1)


async def test_a_database_that_is_away_for_a_while_costs_no_fact(feed, log):
    async with feed.listen(None) as following:
        log.away = True
        assert await following.next(within_s=0.1) == ()
        log.last = 1
        log.away = False

        assert await heard(following, 1) == [1]


async def test_closing_lets_everybody_go(feed):
    async with feed.listen(None) as following:
        feed.close()

        assert await following.next(within_s=5) is None
    with pytest.raises(Leaving):
        async with feed.listen(None):
            pass
