"""What is done to a stack that runs elsewhere, by the settings its services have."""

# ruff: noqa: PLC0415 - what reads event logs is slow to import, and not always needed

import os
from typing import NoReturn

from chassis import queues
from chassis.topology import provision
from contracts.topology import TOPOLOGY
from orderly.console import say
from orderly.errors import StackError
from orderly.stack.services import NAMES


async def provision_topology() -> None:
    async with queues.connect(**_account()) as aws:
        await provision(aws, TOPOLOGY)


async def republish_lost() -> int:
    from orderly.republish import republish

    async with queues.connect(**_account()) as aws:
        return await republish(aws, _database_urls(), say)


async def keep_queues() -> NoReturn:
    from orderly.keeping import keep
    from orderly.republish import republish

    async with queues.connect(**_account()) as aws:
        await keep(
            aws,
            TOPOLOGY,
            lambda: republish(aws, _database_urls(), say),
            lambda text: say("emulator", text),
        )


def _account() -> dict[str, str]:
    return {
        "region": os.environ.get("AWS_REGION", "us-east-1"),
        "account_id": os.environ.get("ORDERLY_AWS_ACCOUNT_ID", "000000000000"),
    }


def _database_urls() -> dict[str, str]:
    return {name: _database_url(name) for name in NAMES}


def _database_url(service: str) -> str:
    setting = f"{service.upper()}_DATABASE_URL"
    if setting not in os.environ:
        raise StackError(f"{setting} is not set: where is the database of {service}?")
    return os.environ[setting]
