import os
import signal

import pytest

from chassis.topology import provision
from contracts.topology import ORDERS, ORDERS_INTAKE, TOPOLOGY
from orderly.stack.emulator import Emulator
from tests.orderly.conftest import listening

pytestmark = [
    pytest.mark.localstack,
    pytest.mark.xdist_group("emulator"),  # one serves them all
]


async def test_it_listens_on_loopback_alone(emulator):
    assert listening(emulator.process.pid) == {"127.0.0.1"}


async def test_what_is_published_reaches_the_subscribers(emulator):
    async with emulator.connect() as aws:
        await provision(aws, TOPOLOGY)
        await aws.publish(ORDERS.name, ["[]"])

        for queue in TOPOLOGY.queues:
            if queue.hears == ORDERS:
                messages = await aws.receive(queue.name, wait_s=5)
                assert [message.body for message in messages] == ["[]"]
                await aws.delete(queue.name, messages)


async def test_provisioning_twice_is_the_same_as_once(emulator):
    async with emulator.connect() as aws:
        await provision(aws, TOPOLOGY)
        await aws.send(ORDERS_INTAKE.name, "an order", {})
        await provision(aws, TOPOLOGY)

        messages = await aws.receive(ORDERS_INTAKE.name, wait_s=5)
        assert len(messages) == 1
        await aws.delete(ORDERS_INTAKE.name, messages)


async def test_it_can_be_started_again_after_it_was_killed():
    async with Emulator.throwaway() as emulator:
        os.kill(emulator.process.pid, signal.SIGKILL)
        await emulator.wait()

        await emulator.start()

        async with emulator.connect() as aws:
            await provision(aws, TOPOLOGY)
