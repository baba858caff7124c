"""The page while its connection comes and goes."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.acceptance.commands import put_faults, url_in
from tests.api.collector import SILENT
from tests.postgres_server import away

if TYPE_CHECKING:
    from playwright.async_api import Route

    from tests.acceptance.commands import Penstock
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_service_that_is_killed_and_comes_back_is_followed_again(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    live = viewer.page.locator("[data-live]")
    async with penstock.serving() as service:
        port = service.url.rpartition(":")[2]
        await viewer.open(service.url)
        await expect(live).to_have_attribute("data-live", "open")
        service.command.process.send_signal(signal.SIGKILL)
        await expect(live).to_have_attribute("data-live", "lost")
    async with penstock.with_settings(scheduler_delay_s="3600").started(
        "serve", "--port", port
    ) as command:
        url_in(await command.says("Penstock serves at"))
        await expect(live).to_have_attribute("data-live", "open")
        await put_faults(exchange, SILENT)
        await viewer.page.get_by_role("button", name="Collect BTC/USDT").click()
        await expect(viewer.page.locator("[data-task]")).to_have_count(1)


async def test_a_page_that_is_loaded_in_the_middle_of_a_run_shows_it(
    viewer: Viewer, penstock: Penstock, exchange: str
) -> None:
    async with penstock.serving() as service:
        await put_faults(exchange, SILENT)
        task_id = await service.start("BTCUSDT", "1m")
        for _ in range(2):
            await viewer.open(service.url)
            await expect(viewer.page.locator(f'[data-task="{task_id}"]')).to_be_visible()


async def test_a_database_that_is_away_is_told_in_words_and_what_was_shown_comes_back(
    viewer: Viewer, penstock: Penstock, postgres_database: str
) -> None:
    page = viewer.page
    settings = {"database_url": postgres_database, "database_timeout_s": "2"}
    async with penstock.with_settings(**settings).serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(service.url)
        with away(postgres_database):
            await page.get_by_role("link", name="Collections").first.click()
            await expect(page.get_by_role("alert")).to_contain_text("the database")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text("No config yet.")).to_be_visible()


async def test_a_slow_answer_is_told_in_words(viewer: Viewer, penstock: Penstock) -> None:
    page = viewer.page
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    async with penstock.serving() as service:
        await viewer.open(service.url)
        await page.route("**/data-collection/configs?*", hold)
        await page.get_by_role("link", name="Collections").first.click()
        await expect(page.get_by_text("This takes longer than usual")).to_be_visible()
        held.set()
        await expect(page.get_by_text("No config yet.")).to_be_visible()
