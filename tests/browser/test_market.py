"""Candles on the page: drawn, followed, found, and the same as in the database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from playwright.async_api import expect

from penstock.moment import iso
from tests.acceptance.commands import NOON, put_faults
from tests.browser.pixels import painted
from tests.simulated import MINUTE

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock, Service
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_BTC = "/market?exchange=binance&symbol=BTC%2FUSDT&timeframe=1m"


async def _move_clock(exchange: str, now: int) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{exchange}/simulator/clock", json={"now": now}) as answer,
    ):
        assert answer.ok


async def _candles(service: Service, **query: object) -> list[dict[str, Any]]:
    params = {"symbol": "BTC/USDT", "timeframe": "1m"} | query
    text = "&".join(f"{name}={value}" for name, value in params.items())
    return list((await service.call("GET", f"/api/v1/candles?{text}"))["candles"])


async def test_candles_are_drawn_in_both_colours_and_over_the_whole_chart(
    viewer: Viewer, penstock: Penstock
) -> None:
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT ETHUSDT", "1m 1h"))
        await viewer.open(f"{service.url}/market")
        await viewer.page.get_by_role("button", name="BTC/USDT 1m").click()
        found = await painted(viewer.page)
        assert found["width"] > 500
        assert found["height"] > 300
        assert found["up"] > 500 < found["down"]
        assert found["gap"] == 0
        assert viewer.page.url.endswith("symbol=BTC%2FUSDT&timeframe=1m")


async def test_a_stored_candle_is_shown_at_once_in_the_chart_and_in_the_list(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(service.url + _BTC)
        await expect(page.locator("[data-candles]")).to_have_attribute("data-candles", "100")
        await _move_clock(exchange, NOON + 5 * MINUTE)
        await service.ended(await service.start("BTCUSDT", "1m"))
        await expect(page.locator("[data-candles]")).to_have_attribute("data-candles", "105")
        newest = (await _candles(service))[-1]["close"].rstrip("0").rstrip(".")
        await expect(page.locator('[data-value="close"]')).to_contain_text(newest)
        await expect(page.locator("[data-price]").first).to_have_text(newest)


async def test_older_candles_are_loaded_as_one_goes_back(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        since = iso(NOON - 1_500 * MINUTE)
        await service.ended(await service.start("BTCUSDT", "1m", since=since))
        await viewer.open(service.url + _BTC)
        chart = page.locator("[data-candles]")
        await expect(chart).to_have_attribute("data-candles", "500")
        back = page.get_by_role("button", name="Older candles")
        await back.focus()
        while await chart.get_attribute("data-candles") == "500":
            await page.keyboard.press("Enter")
        await expect(chart).to_have_attribute("data-candles", re.compile("1[05]0[01]"))


async def test_a_gap_is_shaded_and_said_with_its_reason_and_the_way_to_its_repair(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    failing = {"name": "server_error", "path": "/api/v3/klines", "after": 4}
    async with penstock.with_settings(run_attempts="1").serving() as service:
        since = iso(NOON - 6 * 24 * 60 * MINUTE)
        await put_faults(exchange, failing)
        await service.ended(await service.start("BTCUSDT", "1m", since=since))
        await put_faults(exchange)
        gaps = (await service.call("GET", "/api/v1/gaps?symbol=BTC/USDT"))["items"]
        await viewer.open(service.url + _BTC)
        await page.get_by_role("button", name="Table").click()
        line = page.locator("[data-gap]").first
        await expect(line).to_contain_text("missing from")
        await expect(line).to_contain_text(gaps[-1]["sentence"])
        await line.get_by_role("link").click()
        assert "/coverage?exchange=binance&symbol=BTC%2FUSDT&timeframe=1m&gap=" in page.url


async def test_a_restated_candle_is_marked(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await put_faults(exchange, {"name": "changed", "row": 0, "path": "/api/v3/klines"})
        again = {"since": iso(NOON - 50 * MINUTE), "recheck": True}
        await service.ended(await service.start("BTCUSDT", "1m", **again))
        assert (await service.call("GET", "/api/v1/restatements"))["items"]
        await viewer.open(service.url + _BTC)
        await page.get_by_role("button", name="Table").click()
        await page.get_by_role("button", name="Show more").click()
        await expect(page.get_by_text("(restated)")).to_have_count(1)


async def test_the_table_has_the_candles_of_the_database(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(service.url + _BTC)
        await page.get_by_role("button", name="Table").click()
        rows = page.locator("[data-candle]")
        await expect(rows).to_have_count(50)
        await page.get_by_role("button", name="Show more").click()
        await expect(rows).to_have_count(100)
        shown = await rows.evaluate_all("rows => rows.map(row => row.dataset.candle)")
        assert shown == [one["open_time"] for one in reversed(await _candles(service))]


async def test_the_view_as_a_query_gives_the_same_candles(
    viewer: Viewer, penstock: Penstock, database_url: str
) -> None:
    page, penstock = viewer.page, penstock.with_settings(database_url=database_url)
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(service.url + _BTC)
        await page.get_by_role("button", name="View as").click()
        await page.get_by_text("SQL", exact=True).click()
        query = (await page.locator("pre").inner_text()).rstrip(";\n")
        rows = await penstock.rows(query)
        assert len(rows) == len(await _candles(service))
        await page.get_by_text("Python", exact=True).click()
        ran = await penstock.python(await page.locator("pre").inner_text())
        assert ran.out.split()[0] == str(len(rows)), ran.err
        await page.get_by_text("CSV", exact=True).click()
        async with page.expect_download() as started:
            await page.get_by_role("link", name="Download as CSV").click()
        path = await (await started.value).path()
        assert len(path.read_text(encoding="utf-8").splitlines()) == len(rows) + 1


async def test_series_are_searched_on_the_service(viewer: Viewer, penstock: Penstock) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT ETHUSDT SOLUSDT", "1m 1h"))
        await viewer.open(f"{service.url}/market")
        await expect(page.locator("[data-series]")).to_have_count(6)
        await page.get_by_label("Search series").fill("th/us")
        await expect(page.locator("[data-series]")).to_have_count(2)
        assert "q=th%2Fus" in page.url
        await page.get_by_label("Search series").fill("nothing")
        await expect(page.get_by_text("Nothing matches.")).to_be_visible()
