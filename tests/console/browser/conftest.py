"""A real browser before the whole stack, and pages that must stay quiet."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from orderly.stack.stack import Stack
from tests.console.browser.desk import NOTHING, Desk
from tests.flows.conftest import a_shop
from tests.flows.shop import Shop

# First the one without windows: to open a page costs it a quarter.
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
NONE = (
    "There is no Chromium here. Debian: apt-get install chromium-headless-shell."
    " One that is elsewhere is named by CHROMIUM=/path/to/it."
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


def _chromium() -> str:
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail(NONE)
    return found


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    async with Stack.throwaway() as stack:
        yield stack


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    async with a_shop(stack) as shop:
        yield shop


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    # Root, as in containers, has no sandbox to put pages in.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=_chromium(), args=arguments
        )
        yield browser
        await browser.close()


@pytest.fixture
def sit_down(browser: Browser, stack: Stack):
    """A desk with a page of the console's; nothing may complain on it."""

    @asynccontextmanager
    async def sitting(
        token: str | None = None, *, expected: str = NOTHING, **context: Any
    ) -> AsyncIterator[Desk]:
        context = {"locale": "en-IE", "timezone_id": "Europe/Dublin", **context}
        async with await browser.new_context(**context) as window:
            desk = Desk(await window.new_page(), stack.url, token, expected)
            await desk.sit_down()
            yield desk
            assert desk.complaints == []

    return sitting


@pytest.fixture
async def desk(sit_down, stack: Stack) -> AsyncIterator[Desk]:
    """Somebody who may do everything, before the overview."""
    async with sit_down(stack.signer.token()) as desk:
        await desk.open("/")
        yield desk
