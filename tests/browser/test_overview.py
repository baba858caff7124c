"""The overview: how the installation is, and what it does now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.acceptance.commands import put_faults
from tests.api.collector import SILENT

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_first_sentence_says_that_all_is_well(viewer: Viewer, demo: str) -> None:
    await viewer.open(demo)
    await expect(viewer.page.locator("h1")).to_have_text("All 300 series are up to date.")
    await expect(viewer.page).to_have_title("Overview · Penstock")


async def test_an_empty_installation_offers_the_next_step(
    viewer: Viewer, penstock: Penstock
) -> None:
    async with penstock.serving() as service:
        await viewer.open(service.url)
        await expect(viewer.page.locator("h1")).to_have_text("Nothing is collected yet.")
        await viewer.page.get_by_role("button", name="Collect BTC/USDT").click()
        await expect(viewer.page.locator("h1")).to_contain_text("series are up to date")


async def test_a_run_is_seen_while_it_goes_on_and_can_be_cancelled(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    async with penstock.serving() as service:
        await put_faults(exchange, SILENT)
        await viewer.open(service.url)
        task_id = await service.start("BTCUSDT ETHUSDT", "1m 5m")
        row = viewer.page.locator(f'[data-task="{task_id}"]')
        await expect(row).to_have_attribute("data-status", "running")
        await row.get_by_role("button").click()
        await expect(row).to_have_count(0)
        assert (await service.ended(task_id))["status"] == "cancelled"


async def test_a_service_without_a_worker_says_so(
    viewer: Viewer, penstock: Penstock, postgres_database: str
) -> None:
    without = penstock.with_settings(database_url=postgres_database)
    async with without.serving("--no-worker") as service:
        await viewer.open(service.url)
        await expect(viewer.page.locator("h1")).to_contain_text("No worker is up")
        async with without.started("worker") as worker:
            await worker.says("The worker takes runs")
            await viewer.page.reload()
            await expect(viewer.page.locator("h1")).to_have_text("Nothing is collected yet.")
