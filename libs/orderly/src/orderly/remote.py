"""What is done to a stack that runs elsewhere, by the settings its services have."""

import os

from chassis import queues
from chassis.topology import provision
from contracts.topology import TOPOLOGY
from orderly.errors import StackError
from orderly.republish import Tell, republish
from orderly.stack.services import NAMES


async def provision_topology() -> None:
    async with queues.connect(**_account()) as aws:
        await provision(aws, TOPOLOGY)


async def republish_lost(tell: Tell) -> int:
    async with queues.connect(**_account()) as aws:
        return await republish(aws, {name: _database_url(name) for name in NAMES}, tell)


def _account() -> dict[str, str]:
    return {
        "region": os.environ.get("AWS_REGION", "us-east-1"),
        "account_id": os.environ.get("ORDERLY_AWS_ACCOUNT_ID", "000000000000"),
    }


def _database_url(service: str) -> str:
    setting = f"{service.upper()}_DATABASE_URL"
    if setting not in os.environ:
        raise StackError(f"{setting} is not set: where is the database of {service}?")
    return os.environ[setting]
