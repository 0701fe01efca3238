"""The whole stack, as `make run` starts it, in a folder and on ports of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from orderly.stack.stack import Stack
from tests.flows.shop import Shop


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORDERLY_LOG_LEVEL", "debug")  # test_privacy.py reads it all
        async with Stack.throwaway() as stack:
            yield stack


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    async with a_shop(stack) as shop:
        yield shop


@asynccontextmanager
async def a_shop(stack: Stack) -> AsyncIterator[Shop]:
    headers = {"Authorization": f"Bearer {stack.signer.token()}"}
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(
        base_url=stack.url, headers=headers, limits=limits, timeout=30, trust_env=False
    ) as http:
        yield Shop(http)
