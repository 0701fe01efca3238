import json
from typing import Any

import pytest

from chassis.letters import DeadLetter, put_aside, times_aside
from chassis.queues import MESSAGE_BYTES


def of_size(size: int, **also: Any) -> str:
    """One item's message that is exactly so large."""
    empty = json.dumps([{"text": "", **also}], separators=(",", ":"))
    return empty.replace('""', f'"{"x" * (size - len(empty))}"')


def a_letter(body: str, **said: Any) -> DeadLetter:
    said = {"reason": "ValueError: no", "stack": "in hear", **said}
    return DeadLetter(body=body, **said)


@pytest.mark.parametrize("room", [0, 1, 60, 200, 5000])
async def test_whatever_came_can_be_put_aside(aws, queue, room):
    body = of_size(MESSAGE_BYTES - room)

    await put_aside(aws, queue, a_letter(body, reason="n" * 1000, stack="ö" * 4000))

    (letter,) = await aws.receive(queue.dead_letters, wait_s=1)
    assert letter.body == body
    said = (f"{name}String{value}" for name, value in letter.attributes.items())
    assert sum(len(part.encode()) for part in (body, *said)) <= MESSAGE_BYTES


async def test_what_is_said_of_it_takes_the_room_there_is(aws, queue):
    await put_aside(aws, queue, a_letter(of_size(MESSAGE_BYTES - 400)))
    await put_aside(aws, queue, a_letter(of_size(MESSAGE_BYTES - 170)))

    letters = await aws.receive(queue.dead_letters, wait_s=1)
    letters += await aws.receive(queue.dead_letters, wait_s=0)
    whole, cut = sorted(letters, key=lambda letter: len(letter.body))
    assert whole.attributes["error"] == "ValueError: no"
    assert whole.attributes["stack"] == "in hear"
    assert "stack" not in cut.attributes
    assert times_aside(cut.attributes) == 1


async def test_it_goes_as_it_came(aws, queue, counted):
    body = '[{"name": "Zoë", "number": 1e9}]'

    await put_aside(aws, queue, a_letter(body))

    (letter,) = await aws.receive(queue.dead_letters, wait_s=1)
    assert letter.body == body
    assert counted()["orderly.dead_letters"] == {"": 1}
