"""How quick the pages are over 1,000 series, 300 configs and 100,000 runs; printed, not judged."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from penstock.moment import iso
from tests.acceptance.commands import Penstock
from tests.browser.large import fill
from tests.browser.pixels import painted
from tests.simulated import MINUTE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page, WebSocketRoute

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
_SERIES = {"exchange": "binance", "symbol": "C2/USDT", "timeframe": "1h"}
# A series that lacks three candles.
_CHART = "/market?exchange=binance&symbol=C2%2FUSDT&timeframe=1h"
_TIMES = 3
_PER_SECOND = 50
# From a message to the picture that shows it, and tasks that keep the page from answering.
_WATCH = """() => {
  window.delays = [];
  window.longest = 0;
  new PerformanceObserver(list => {
    for (const {duration} of list.getEntries()) {
      window.longest = Math.max(window.longest, duration);
    }
  }).observe({type: "longtask"});
  const shown = document.querySelector('[data-value="close"]');
  new MutationObserver(() => {
    const sent = Number(shown.innerText.split(/\\s/).at(-1)) % 1e6;
    requestAnimationFrame(() => setTimeout(() => {
      window.delays.push(Date.now() % 1e6 - sent);
    }));
  }).observe(shown, {characterData: true, childList: true, subtree: true});
}"""


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


def _told(took_ms: list[float]) -> str:
    return f"{statistics.median(took_ms):.0f} ms, worst {max(took_ms):.0f} (n={len(took_ms)})"


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
        say(f"{path}: usable after {_told(took_ms)}")


async def test_a_chart_is_painted_with_a_band_for_each_gap(
    viewer: Viewer, large: str, say: Say
) -> None:
    page = viewer.page
    took_ms = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        await page.goto(large + _CHART, wait_until="commit")
        await painted(page)
        took_ms.append((time.perf_counter() - began) * 1000)
    say(f"a chart: painted after {_told(took_ms)}")
    await page.get_by_role("button", name="Zoom out").click()
    await page.get_by_role("button", name="Zoom out").click()
    found = await painted(page)
    assert found["gap"] > 0
    assert found["up"] > 0 < found["down"]


@dataclass
class _Market:
    """The connection of a page, to which candles are added that no exchange has."""

    seq: int = 0
    to_page: list[WebSocketRoute] = field(default_factory=list)

    def join(self, route: WebSocketRoute) -> None:
        """Pass everything on, with numbers of our own."""
        server = route.connect_to_server()
        server.on_message(lambda text: self._send(route, json.loads(text)))
        self.to_page.append(route)

    def tell(self, news: dict[str, Any]) -> None:
        """Send a message as the service would."""
        self._send(self.to_page[-1], news)

    def _send(self, route: WebSocketRoute, news: dict[str, Any]) -> None:
        self.seq += 1
        route.send(json.dumps(news | {"seq": self.seq}))


async def test_fifty_candles_a_second_are_shown_as_they_come(
    viewer: Viewer, large: str, say: Say, pytestconfig: pytest.Config
) -> None:
    page, market = viewer.page, _Market()
    await page.route_web_socket("**/api/v1/ws", market.join)
    await viewer.open(large + _CHART)
    await painted(page)
    await expect(page.locator("[data-live]")).to_have_attribute("data-live", "open")
    await page.evaluate(_WATCH)
    seconds = 600 if pytestconfig.getoption("full") else 5
    before = await _heap(page)
    for number in range(seconds * _PER_SECOND):
        market.tell(_news(number))
        await asyncio.sleep(1 / _PER_SECOND)
    await expect(page.locator('[data-value="close"]')).to_be_visible()
    delays = sorted(await page.evaluate("window.delays"))
    longest = await page.evaluate("window.longest")
    grown = await _heap(page) - before
    p95 = delays[int(0.95 * len(delays))]
    say(
        f"{seconds} s with {_PER_SECOND} candles/s: message to picture p95 {p95:.0f} ms"
        f" (n={len(delays)}), longest task {longest:.0f} ms, heap {grown / 1e6:+.1f} MB"
    )
    assert len(delays) > seconds


def _news(number: int) -> dict[str, Any]:
    """A change of the newest candle; its close says when it was sent."""
    now = int(time.time() * 1000)
    opened = now - now % (60 * MINUTE)
    price = str(now % 1_000_000)
    values = {"open": price, "high": price, "low": price, "close": price, "volume": str(number)}
    times = {"open_time": iso(opened), "close_time": iso(opened + 60 * MINUTE - 1)}
    candle = times | values | {"closed": False}
    return {"type": "market_data", **_SERIES, "candle": candle, "closed": False}


async def _heap(page: Page) -> float:
    """The bytes in use after a collection."""
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    used = await session.send("Runtime.getHeapUsage")
    return float(used["usedSize"])
