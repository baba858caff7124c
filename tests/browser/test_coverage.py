"""What is missing is found on the map and repaired in a few clicks or keys; stored is verified."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from penstock.moment import iso
from tests.acceptance.commands import NOON, put_faults
from tests.browser.chromium import viewing
from tests.ledgers import DAY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Locator, Page

    from tests.acceptance.commands import Penstock, Service
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Of the pages of a collection, those after the first ones are never answered well.
_FAILING = {"name": "server_error", "path": "/api/v3/klines", "after": 4}
_SIZES = {"en-GB": (1280, 800), "it-IT": (390, 844)}
_WORDS = {
    "en-GB": ("Show the gaps", "Repair", "Nothing is missing: every series"),
    "it-IT": ("Mostra le lacune", "Ripara", "Non manca nulla: ogni serie"),
}


@contextlib.asynccontextmanager
async def with_gaps(
    penstock: Penstock, exchange: str, symbols: str = "BTCUSDT"
) -> AsyncIterator[Service]:
    """A service whose series each miss a part of the last days."""
    async with penstock.with_settings(run_attempts="1").serving() as service:
        for symbol in symbols.split():
            await put_faults(exchange, _FAILING)
            await service.ended(await service.start(symbol, "1m", since=iso(NOON - 6 * DAY)))
        await put_faults(exchange)
        yield service


def cells(page: Page, kind: str) -> Locator:
    return page.locator(f'[data-cell][data-kind="{kind}"]')


@pytest.mark.parametrize("locale", _SIZES)
async def test_a_gap_is_repaired_in_three_clicks_from_the_overview(
    browser: Browser, penstock: Penstock, exchange: str, locale: str
) -> None:
    width, height = _SIZES[locale]
    show, repair, closed = _WORDS[locale]
    viewport = {"width": width, "height": height}
    async with (
        with_gaps(penstock, exchange) as service,
        viewing(browser, viewport=viewport, locale=locale) as viewer,
    ):
        page = viewer.page
        await viewer.open(service.url)
        await page.get_by_role("link", name=show).click()
        await cells(page, "failed").first.click()
        await expect(page.locator("[data-gap]")).to_have_count(1)
        await expect(page.locator("[data-preview]")).to_be_visible()
        assert await viewer.sideways() == 0
        await page.get_by_role("button", name=repair, exact=True).click()
        await expect(page.locator("[data-repair]")).to_have_attribute("data-repair", "completed")
        await expect(page.locator("[data-closed]")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_text(closed)).to_be_visible()


async def test_the_next_gap_is_found_and_repaired_by_keyboard_alone(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with with_gaps(penstock, exchange, "BTCUSDT ETHUSDT") as service:
        await viewer.open(service.url)
        await press_on(page, "Show the gaps")
        await expect(cells(page, "failed").first).to_be_visible()
        await press_on(page, "Next gap")
        drawer = page.get_by_role("dialog")
        await expect(drawer).to_contain_text("Gaps of binance BTC/USDT 1m")
        await expect(page.locator("[data-preview]")).to_be_visible()
        assert await viewer.violations() == []
        await press_on(page, "Repair")
        await expect(page.locator("[data-closed]")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(drawer).to_be_hidden()

        await expect(page.get_by_role("row").filter(has_text="BTC/USDT")).to_have_count(0)
        await press_on(page, "Next gap")
        await expect(drawer).to_contain_text("Gaps of binance ETH/USDT 1m")
        # After the last gap comes the first one.
        await page.keyboard.press("Escape")
        await expect(drawer).to_be_hidden()
        await press_on(page, "Next gap")
        await expect(drawer).to_contain_text("Gaps of binance ETH/USDT 1m")
        await page.keyboard.press("Escape")
        await expect(drawer).to_be_hidden()

        await focus_by_keyboard(page, "document.activeElement.role === 'gridcell'")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("Enter")
        await expect(drawer.locator("[data-gap]")).to_have_count(1)
        await page.reload()
        await expect(drawer.locator("[data-gap]")).to_have_count(1)


async def press_on(page: Page, name: str) -> None:
    """Go on with the Tab key to what has this name, and press Enter there."""
    await focus_by_keyboard(page, f"document.activeElement.textContent === {name!r}")
    await page.keyboard.press("Enter")


async def focus_by_keyboard(page: Page, reached: str) -> None:
    for _ in range(60):
        if await page.evaluate(reached):
            return
        await page.keyboard.press("Tab")
    pytest.fail(f"the keyboard does not lead to where {reached}")


async def test_all_gaps_of_a_page_are_repaired_together(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with with_gaps(penstock, exchange, "BTCUSDT ETHUSDT") as service:
        await viewer.open(f"{service.url}/coverage")
        await expect(cells(page, "failed").first).to_be_visible()
        await page.get_by_role("button", name="Repair all on this page").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Repair 2 series")
        await page.get_by_role("button", name="Repair", exact=True).click()
        await expect(page.locator("[data-repair]")).to_have_attribute("data-repair", "completed")
        await expect(cells(page, "failed")).to_have_count(0)
        assert await cells(page, "whole").count() > 2 * 5


async def test_stored_candles_are_verified_and_the_report_can_be_read(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(f"{service.url}/coverage?symbol=BTC/USDT&timeframe=1m")
        form = page.get_by_role("form")
        await form.get_by_label("Timeframe").fill("7x")
        await form.get_by_role("button", name="Verify").click()
        await expect(form.get_by_label("Timeframe")).to_have_attribute("aria-invalid", "true")
        await form.get_by_label("Timeframe").fill("1m")
        await form.get_by_role("button", name="Verify").click()
        report = page.locator("[data-report]")
        await expect(report).to_contain_text("checked candles of 1 series are right")

        await put_faults(exchange, {"name": "changed", "path": "/api/v3/klines", "row": 3})
        await form.get_by_label("Compare with").select_option("rest")
        await form.get_by_role("button", name="Verify").click()
        await expect(report).to_have_attribute("data-report", "wrong")
        finding = page.locator("[data-finding]").first
        await expect(finding).to_contain_text("the exchange has other values")
        await page.get_by_role("link", name="Show the run").click()
        await expect(page).to_have_url(re.compile("/runs/"))
        await expect(finding).to_contain_text("the exchange has other values")
