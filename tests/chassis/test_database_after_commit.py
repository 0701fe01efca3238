import pytest

from chassis.database import Tx, after_commit


async def test_what_was_noted_follows_the_commit(database):
    noted = []

    async with database.begin() as tx:
        after_commit(tx, lambda: noted.append("done"))
        assert noted == []

    assert noted == ["done"]


async def test_what_was_noted_is_forgotten_with_the_transaction(database):
    noted = []

    async def fail(tx: Tx) -> None:
        after_commit(tx, lambda: noted.append("done"))
        raise ZeroDivisionError

    async def succeed(tx: Tx) -> None:
        """Use the same connection again."""

    with pytest.raises(ZeroDivisionError):
        await database.transact(fail)
    await database.transact(succeed)

    assert noted == []
