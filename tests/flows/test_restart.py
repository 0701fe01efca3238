"""The end of everything, and its start again in the same folder."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from orderly.stack import postgres
from orderly.stack.folder import Folder
from orderly.stack.ports import Ports
from orderly.stack.stack import Stack
from tests.flows.conftest import a_shop
from tests.flows.shop import an_order

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "stack")
    yield folder
    postgres.forget(folder.path)


class EverythingEnds(Exception):
    pass


@pytest.mark.postgres
@pytest.mark.localstack
async def test_what_was_stored_and_what_was_under_way_is_taken_up_again(folder):
    with suppress(EverythingEnds):
        async with (
            Stack(folder, Ports.free(), throwaway=True) as stack,
            a_shop(stack) as shop,
        ):
            sku = await shop.stock_up(10)
            key, order = uuid4().hex, an_order((sku, 1))
            done = await shop.place(order, key=key, Prefer="wait=10")
            async with stack.without("inventory"):
                under_way = await shop.place(an_order((sku, 2)), key=uuid4().hex)
                raise EverythingEnds

    async with (
        Stack(folder, Ports.free(), throwaway=True) as stack,
        a_shop(stack) as shop,
    ):
        assert (await shop.decided(under_way.json()["id"]))["status"] == "confirmed"
        again = await shop.place(order, key=key)
        assert (again.status_code, again.json()["id"]) == (200, done.json()["id"])
        assert await shop.stock(sku) == (10, 3)
