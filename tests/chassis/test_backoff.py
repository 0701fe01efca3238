import asyncio

from chassis.backoff import Backoff


async def waits(backoff: Backoff, count: int, monkeypatch) -> list[float]:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        for _ in range(count):
            await backoff.wait()
    return slept


async def test_each_wait_is_longer_up_to_the_longest(monkeypatch):
    slept = await waits(Backoff(first_s=1, most_s=8), 50, monkeypatch)

    ceilings = [1, 2, 4, *[8] * 47]
    assert all(c / 2 <= s <= c for s, c in zip(slept, ceilings, strict=True))


async def test_two_who_failed_together_do_not_come_back_together(monkeypatch):
    one, other = (
        await waits(Backoff(first_s=1), 5, monkeypatch),
        await waits(Backoff(first_s=1), 5, monkeypatch),
    )

    assert one != other


async def test_success_begins_anew(monkeypatch):
    backoff = Backoff(first_s=1)
    await waits(backoff, 10, monkeypatch)

    backoff.reset()

    assert (await waits(backoff, 1, monkeypatch))[0] <= 1
