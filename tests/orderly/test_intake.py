import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis.queues import Aws
from chassis.testing import eventually
from chassis.topology import provision
from contracts.topology import ORDERS_INTAKE, TOPOLOGY
from orderly.stack import intake
from orderly.stack.emulator import Emulator
from orderly.stack.ports import free_port

pytestmark = pytest.mark.xdist_group("emulator")  # one serves them all


@pytest.fixture
async def aws(emulator) -> AsyncIterator[Aws]:
    """The emulator's queues, with an order in Orders' own that nobody places."""
    async with emulator.connect() as aws:
        await provision(aws, TOPOLOGY)
        await aws.send(ORDERS_INTAKE.name, "an order", {})
        yield aws
        url = await aws.queue_url(ORDERS_INTAKE.name)
        await aws.sqs.purge_queue(QueueUrl=url)


async def test_the_end_waits_until_orders_has_placed_what_it_took(emulator, aws, told):
    draining = asyncio.create_task(intake.drain(emulator, told))

    async def says_what_it_waits_for() -> bool:
        return "orders: has 1 still to place from orderly-orders-intake" in told

    await eventually(says_what_it_waits_for)
    assert not draining.done()

    messages = await aws.receive(ORDERS_INTAKE.name, wait_s=5)
    await aws.delete(ORDERS_INTAKE.name, messages)

    await asyncio.wait_for(draining, 10)
    assert "forgets" not in told


@pytest.mark.usefixtures("aws")
async def test_the_end_does_not_wait_for_ever(emulator, told, monkeypatch):
    monkeypatch.setattr(intake, "DRAINED_WITHIN_S", 4)

    await intake.drain(emulator, told)

    assert "emulator: forgets 1 in orderly-orders-intake" in told


@pytest.mark.usefixtures("aws")
async def test_who_is_in_a_hurry_waits_for_no_order(emulator, told):
    await asyncio.wait_for(intake.drain(emulator, told, hurried=lambda: True), 10)

    assert "emulator: forgets 1 in orderly-orders-intake" in told


async def test_an_emulator_that_is_gone_holds_up_nothing(tmp_path, told, monkeypatch):
    monkeypatch.setattr(intake, "DRAINED_WITHIN_S", 1)
    gone = Emulator(tmp_path, free_port())

    await intake.drain(gone, told)

    assert "emulator: does not tell" in told
