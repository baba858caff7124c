"""How quick the pages are over 1,000 series, 300 configs and 100,000 runs; printed, not judged."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.acceptance.commands import Penstock
from tests.browser.large import fill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.browser.chromium import Viewer
    from tests.conftest import Say
    from tests.databases import Databases

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PAGES = (
    "/",
    "/market",
    "/coverage",
    "/collections",
    "/runs",
    "/runs?view=reports",
    "/inventory",
    "/settings",
)
_TIMES = 3


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def large(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> AsyncIterator[str]:
    """The address of a service over a large database; nothing is due, and no exchange is asked."""
    folder = tmp_path_factory.mktemp("large")
    with databases.fresh("sqlite", folder) as url:
        await fill(url)
        settings = {"database_url": url, "symbols": "none", "binance_url": "http://127.0.0.1:9"}
        async with Penstock(folder).with_settings(**settings).serving() as service:
            yield service.url


async def test_every_page_shows_a_large_installation(viewer: Viewer, large: str, say: Say) -> None:
    page = viewer.page
    for path in _PAGES:
        took_ms = []
        for _ in range(_TIMES):
            began = time.perf_counter()
            await page.goto(large + path, wait_until="commit")
            await page.locator("h1").first.wait_for()
            await page.locator("[data-loading]").first.wait_for(state="detached")
            took_ms.append((time.perf_counter() - began) * 1000)
        assert await page.get_by_text("This did not work").count() == 0, path
        say(
            f"{path}: usable after {statistics.median(took_ms):.0f} ms, worst {max(took_ms):.0f}"
            f" (n={_TIMES})"
        )
