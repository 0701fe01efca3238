"""What Accounting does seldom is done once, wherever it dies while doing it."""

import pytest
from sqlalchemy import select

from accounting.commands.gaps import Patience, ask_for_missing, put_refused_aside
from accounting.commands.periods import close_period
from accounting.handlers.orders import post_orders
from accounting.schema import closed_periods
from tests.accounting.factories import an_order, shipped, story
from tests.accounting.test_gaps import (
    announced,
    dead_letters,
    grow_older,
    hear,
    on_the_wire,
    queue,
    with_a_gap,
)
from tests.accounting.test_periods import MARCH, an_invoice, closer, post
from tests.dying import PLACES, dying

__all__ = ["closer", "hear", "queue"]  # fixtures

pytestmark = pytest.mark.parametrize("place", PLACES)


async def test_what_is_missing_is_asked_for_once(place, database, aws, queue):
    await database.transact(post_orders, with_a_gap()[1])
    await database.transact(grow_older, 60)
    with dying(place, "accounting.commands.gaps._ask"):
        await ask_for_missing(database, aws, queue, Patience())

    await ask_for_missing(database, aws, queue, Patience())

    assert len(await announced(database)) == 1


@pytest.mark.parametrize(
    "work",
    [
        "accounting.commands.gaps._await_redrive",
        "accounting.store.parking.note_put_aside",
    ],
)
async def test_a_refused_fact_has_a_letter_and_at_most_a_second(  # noqa: PLR0913, PLR0917
    place, work, database, aws, queue, hear
):
    placed = an_order()
    for event in reversed(story(placed, shipped(placed, {1: 1}))):
        await hear(on_the_wire(event))
    with dying(place, work):
        await put_refused_aside(database, aws, queue)

    await put_refused_aside(database, aws, queue)

    sent_and_not_noted = place == "worked" and work.endswith("note_put_aside")
    assert len(await dead_letters(aws, queue)) == 1 + sent_and_not_noted
    assert await put_refused_aside(database, aws, queue) == 0


@pytest.mark.usefixtures("closer")
async def test_a_month_is_closed_once(place, database, aws):
    await post(database, *an_invoice())
    with dying(place, "accounting.commands.periods._close"):
        await close_period(database, aws, MARCH, "who died")

    closed = await close_period(database, aws, MARCH, "who came next")

    by = {"worked": "who came next", "committed": "who died"}[place]
    assert closed.closed_by == by
    async with database.begin() as tx:
        assert (await tx.execute(select(closed_periods.c.closed_by))).all() == [(by,)]
