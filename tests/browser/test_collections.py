"""Configs on the page: added, changed, switched and deleted, and seen to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.api.configs import CONFIG, CONFIGS
from tests.browser.chromium import viewing

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.acceptance.commands import Penstock, Service
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _configs(service: Service, *symbols: str) -> None:
    for symbol in symbols:
        await service.call("POST", CONFIGS, CONFIG | {"symbol": symbol})


async def _press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def test_a_config_is_added_in_three_clicks_from_the_overview_and_seen_to_run(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(service.url)
        await page.get_by_role("link", name="Collections").first.click()
        await page.get_by_role("button", name="Add a config").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("combobox", name="Symbol").fill("eth")
        await expect(page.get_by_role("option", name="ETH/USDT")).to_be_visible()
        await _press(page, "ArrowDown", "Enter")
        await expect(dialog.get_by_text("Next runs")).to_be_visible()
        await expect(dialog.locator("ol li")).to_have_count(5)
        await dialog.get_by_role("button", name="Add", exact=True).click()
        await expect(page.locator("[data-row='1']")).to_contain_text("ETH/USDT")
        await page.get_by_role("link", name="Show the run").click()
        await expect(page.locator("[data-run]")).to_have_attribute("data-run", "completed")
        [config] = await service.call("GET", CONFIGS)
        assert (config["symbol"], config["interval_minutes"]) == ("ETH/USDT", 10)


async def test_a_config_is_added_by_keyboard_alone(viewer: Viewer, penstock: Penstock) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await viewer.open(f"{service.url}/collections")
        await page.get_by_role("button", name="Add a config").focus()
        await _press(page, "Enter")
        await expect(page.get_by_role("combobox", name="Symbol")).to_be_focused()
        await page.keyboard.type("SOL/USDT")
        await expect(page.get_by_role("option", name="SOL/USDT")).to_be_visible()
        # Enter takes the symbol; a second one sends the form.
        await _press(page, "ArrowDown", "Enter", "Enter")
        await expect(page.locator("[data-row='1']")).to_contain_text("SOL/USDT")


async def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await service.ended(await service.start("BTCUSDT", "1m"))
        await _configs(service, "BTC/USDT")
        await viewer.open(f"{service.url}/collections?form=new")
        dialog = page.get_by_role("dialog")
        symbol = dialog.get_by_role("combobox", name="Symbol")
        await symbol.fill("BTC/USDX")
        await dialog.get_by_label("Every … minutes").fill("2")
        await dialog.get_by_label("Description").fill("for the bot")
        await expect(dialog.get_by_text("unknown symbol")).to_be_visible()
        await symbol.fill("BTC/USDT")
        await dialog.get_by_label("Description").focus()
        await expect(dialog.get_by_text("5 or more is gentler")).to_be_visible()
        await dialog.get_by_text("At times (cron)").click()
        await dialog.get_by_label("Cron expression").fill("99 * * * *")
        await expect(dialog.get_by_text("bad minute")).to_be_visible()
        await dialog.get_by_label("Cron expression").fill("0 3 * * *")
        await dialog.get_by_role("button", name="Add", exact=True).click()
        await expect(dialog.get_by_text("has config 1 already")).to_be_visible()
        await expect(dialog.get_by_label("Description")).to_have_value("for the bot")


async def test_a_config_is_edited_and_its_next_run_follows(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await _configs(service, "BTC/USDT")
        await viewer.open(f"{service.url}/collections")
        row = page.locator("[data-row='1']")
        await row.get_by_role("button", name="Edit").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Every … minutes").fill("45")
        await dialog.get_by_text("4h", exact=True).click()
        await dialog.get_by_role("button", name="Save").click()
        await expect(row).to_contain_text("every 45 minutes")
        await expect(row).to_contain_text("1m 1h 4h")


async def test_many_configs_are_disabled_together_and_deleted_with_a_way_back(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await _configs(service, "BTC/USDT", "ETH/USDT", "SOL/USDT")
        await viewer.open(f"{service.url}/collections")
        await page.get_by_role("checkbox", name="Select all on this page").check()
        await page.get_by_role("checkbox", name="Select SOL/USDT").uncheck()
        chosen = page.get_by_role("toolbar", name="2 selected")
        await chosen.get_by_role("button", name="Disable").click()
        switches = page.get_by_role("switch", checked=True)
        await expect(switches).to_have_count(1)
        await page.get_by_role("checkbox", name="Select BTC/USDT").check()
        await page.get_by_role("checkbox", name="Select ETH/USDT").check()
        await chosen.get_by_role("button", name="Delete").click()
        await expect(page.locator("[data-row]")).to_have_count(1)
        assert len(await service.call("GET", CONFIGS)) == 1
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator("[data-row]")).to_have_count(3)
        found = await service.call("GET", CONFIGS)
        assert {(one["symbol"], one["enabled"]) for one in found} == {
            ("BTC/USDT", False),
            ("ETH/USDT", False),
            ("SOL/USDT", True),
        }


async def test_a_change_of_another_user_is_shown_at_once(
    browser: Browser, viewer: Viewer, penstock: Penstock
) -> None:
    async with penstock.serving() as service, viewing(browser) as other:
        await _configs(service, "BTC/USDT")
        for one in (viewer, other):
            await one.open(f"{service.url}/collections")
            await expect(one.page.get_by_role("switch")).to_be_checked()
        await viewer.page.get_by_role("switch").focus()
        await viewer.page.keyboard.press("Space")
        await expect(other.page.get_by_role("switch")).not_to_be_checked()
        await penstock("config", "add", "ETH/USDT", "-t", "1m")
        for one in (viewer, other):
            await expect(one.page.locator("[data-row]")).to_have_count(2)


async def test_configs_are_found_by_the_filters_in_the_address(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await _configs(service, "BTC/USDT", "ETH/USDT")
        await service.call("POST", f"{CONFIGS}/2/disable")
        await viewer.open(f"{service.url}/collections")
        await page.get_by_label("Search").fill("eth")
        await expect(page.locator("[data-row]")).to_have_count(1)
        await page.get_by_label("State").select_option("Enabled")
        await expect(page.get_by_text("Nothing matches.")).to_be_visible()
        assert page.url.endswith("/collections?q=eth&enabled=true")
