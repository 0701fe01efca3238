"""What Inventory does seldom is done once, wherever it dies while doing it."""

import pytest

from inventory.domain.holds import HoldStatus
from inventory.sweeping import GRACE, Sweeper
from tests.dying import PLACES, dying
from tests.inventory.figures import assert_books_agree
from tests.inventory.test_sweeping import held, queue, status_of

__all__ = ["queue"]  # a fixture


@pytest.mark.parametrize("place", PLACES)
async def test_a_hold_that_ran_out_is_freed_once(place, database, aws, queue):
    hold = await held(database, ran_out_ago=GRACE * 2)
    sweeper = Sweeper(database, aws, queue)
    with dying(place, "inventory.commands.holds.expire_holds"):
        await sweeper.sweep()

    await sweeper.sweep()

    assert await status_of(database, hold) is HoldStatus.EXPIRED
    await database.transact(assert_books_agree)
