"""What ran: the list with its filters, and one run while it goes on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.acceptance.commands import put_faults
from tests.api.collector import SILENT

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_NO_ANSWER = {"name": "server_error", "path": "/api/v3/klines", "symbol": "ETHUSDT"}


async def test_a_failed_run_is_found_by_the_filters_in_the_address(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with penstock.with_settings(run_attempts="1").serving() as service:
        await put_faults(exchange, _NO_ANSWER)
        task_id = await service.start("BTCUSDT ETHUSDT", "1m")
        await service.ended(task_id)

        await viewer.open(f"{service.url}/runs")
        rows = page.locator("[data-log]")
        await expect(rows.filter(has_text="collect_data")).to_have_count(2)
        await page.get_by_label("Status").select_option("failed")
        await expect(rows).to_have_count(1)
        await expect(rows).to_contain_text("ETH/USDT")
        assert page.url.endswith("/runs?status=failed")
        await page.reload()
        await expect(rows).to_have_count(1)

        await page.get_by_label("Symbol or account").fill("BTC/USDT")
        await expect(page.get_by_text("No execution matches.")).to_be_visible()
        await page.get_by_role("button", name="Clear filters").click()
        await expect(rows.filter(has_text="collect_data")).to_have_count(2)
        assert page.url == f"{service.url}/runs"

        await rows.filter(has_text="ETH/USDT").get_by_role("button", name="Details").click()
        await page.get_by_role("link", name="Show the run").click()
        await expect(page).to_have_url(f"{service.url}/runs/{task_id}")
        await expect(page.locator("[data-run]")).to_have_attribute("data-run", "completed")


async def test_a_failed_run_is_run_again_from_its_page(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with penstock.with_settings(run_attempts="1").serving() as service:
        await put_faults(exchange, _NO_ANSWER)
        task_id = await service.start("ETHUSDT", "1m")
        await service.ended(task_id)
        await viewer.open(f"{service.url}/runs/{task_id}")
        await expect(page.locator("[data-run]")).to_have_attribute("data-run", "failed")
        await put_faults(exchange)
        await page.get_by_role("button", name="Run again").click()
        await expect(page.locator("[data-run]")).to_have_attribute("data-run", "completed")
        assert not page.url.endswith(task_id)


async def test_the_reports_count_what_the_log_has(viewer: Viewer, penstock: Penstock) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT ETHUSDT", "1m"))
        await viewer.open(f"{service.url}/runs")
        await page.get_by_text("Reports").click()
        top = page.get_by_role("region", name="Symbols with the most records")
        await expect(top.get_by_role("row")).to_have_text(
            [re.compile("Records"), re.compile("BTC/USDT100"), re.compile("ETH/USDT100")]
        )
        await page.get_by_label("Time span").select_option("24 hours")
        assert page.url.endswith("/runs?view=reports&days=1")
        await expect(page.get_by_role("region", name="Statistics")).to_contain_text("Executions3")


async def test_a_part_of_the_timeline_shows_its_executions(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(f"{service.url}/runs")
        await page.get_by_role("button", name=re.compile("success")).last.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-log]").first).to_contain_text("BTC/USDT")
        assert "start_date=" in page.url


async def test_a_run_is_followed_on_its_page_and_cancelled_there(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await put_faults(exchange, SILENT)
        task_id = await service.start("BTCUSDT", "1m")
        await viewer.open(f"{service.url}/runs/{task_id}")
        run = page.locator("[data-run]")
        await expect(run).to_have_attribute("data-run", "running")
        await page.get_by_role("button", name="Cancel").click()
        await expect(run).to_have_attribute("data-run", "cancelled")
        await expect(page.locator("ol li").last).to_contain_text("cancelled", ignore_case=True)


async def test_a_run_that_does_not_exist_is_told_in_a_sentence(viewer: Viewer, demo: str) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    await viewer.page.goto(f"{demo}/runs/{unknown}")
    await expect(viewer.page.get_by_role("alert")).to_contain_text(f"there is no task {unknown}")
