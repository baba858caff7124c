from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.acceptance.commands import Penstock, simulated, url_in
from tests.browser.chromium import started, viewing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.browser.chromium import Viewer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser of all tests of a worker; each test has a profile of its own."""
    async with started() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def viewer(browser: Browser) -> AsyncIterator[Viewer]:
    """A person at a desktop."""
    async with viewing(browser) as viewer:
        yield viewer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of `penstock demo`, with 300 series and 3,000 products; tests only look."""
    penstock = Penstock(tmp_path_factory.mktemp("demo"))
    async with penstock.started("demo", "--port", "0") as command:
        yield url_in(await command.says("Penstock serves at"))


@pytest_asyncio.fixture(loop_scope="session")
async def exchange() -> AsyncIterator[str]:
    """A simulated exchange whose clock stands still."""
    async with simulated() as url:
        yield url


@pytest.fixture
def penstock(tmp_path: Path, exchange: str) -> Penstock:
    """The program of a user whose Binance is the simulated one."""
    return Penstock(tmp_path).with_settings(binance_url=exchange, request_attempts="1")
