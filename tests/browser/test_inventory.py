"""Sellers' inventories: accounts, syncs and decisions, products, the own catalogue."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.acceptance.seller import PRODUCTS, TOKEN, Seller, a_seller
from tests.browser.chromium import viewing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.acceptance.commands import Penstock, Service
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_API = "/api/v1/inventory"
# Exactly the time-out of an answer, which never begins.
_HELD_UP = {"name": "hang", "path": "/api/v2/products/export"}
_COLUMNS = "sku;name;scryfall_id;tcgplayer_id\n"


@dataclass(frozen=True)
class Shop:
    """The service of a seller with one account."""

    seller: Seller
    service: Service

    async def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        async with self.service.session.request(method, _API + path, json=body) as answer:
            assert answer.ok, await answer.text()
            return await answer.json()

    async def synced(self) -> dict[str, Any]:
        """The sync of the account, once it has ended."""
        task_id = (await self.call("POST", "/accounts/1/sync"))["task_id"]
        await self.service.ended(task_id)
        found: dict[str, Any] = await self.call("GET", f"/syncs/{task_id}")
        return found

    async def held(self) -> None:
        """Let a sync be held: half of the products are gone."""
        await self.synced()
        await self.seller.changes(gone=50, changed=5)
        assert (await self.synced())["held"]


@pytest_asyncio.fixture(loop_scope="session")
async def seller(penstock: Penstock, sqlite_database: str) -> AsyncIterator[Seller]:
    async with a_seller(penstock, sqlite_database) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def shop(seller: Seller) -> AsyncIterator[Shop]:
    alert = {"alert_delay_s": "0", "alert_interval_s": "0.2"}
    async with seller.penstock.with_settings(**alert).serving() as service:
        shop = Shop(seller, service)
        await shop.call("POST", "/accounts", {"name": "shop", "token": TOKEN})
        yield shop


async def test_an_account_is_added_from_an_empty_overview_and_synced(
    viewer: Viewer, seller: Seller
) -> None:
    page = viewer.page
    async with seller.penstock.serving() as service:
        await viewer.open(service.url)
        await page.get_by_role("link", name="Add a CardTrader account").click()
        form = page.get_by_role("dialog")
        await form.get_by_label("Name").fill("shop")
        await form.get_by_label("API token").fill("wrong")
        await form.get_by_role("button", name="Add an account").click()
        await expect(form.get_by_label("API token")).to_have_attribute("aria-invalid", "true")
        await expect(form.get_by_label("Name")).to_have_value("shop")
        await form.get_by_label("API token").fill(TOKEN)
        await form.get_by_role("button", name="Add an account").click()
        await expect(form).to_have_count(0)
        assert "add=" not in page.url

        await page.get_by_role("button", name="Sync now").click()
        card = page.locator('[data-account="shop"]')
        await expect(card.locator("[data-sync]")).to_have_attribute("data-sync", "published")
        await expect(card).to_contain_text(f"{PRODUCTS} products in the inventory")


async def test_a_sync_is_followed_in_its_phases_and_cancelled(viewer: Viewer, shop: Shop) -> None:
    page = viewer.page
    await shop.seller.faults(_HELD_UP)
    await viewer.open(f"{shop.service.url}/inventory")
    await page.get_by_role("button", name="Sync now").click()
    sync = page.locator("[data-sync]")
    await expect(sync).to_have_attribute("data-phase", "export")
    await page.get_by_role("button", name="Cancel the sync").click()
    await expect(sync).to_have_attribute("data-sync", "cancelled")


async def test_a_held_sync_is_approved_in_three_clicks_from_the_overview(
    viewer: Viewer, shop: Shop
) -> None:
    page = viewer.page
    await shop.held()
    await viewer.open(shop.service.url)
    await expect(page.locator("h1")).to_contain_text("A sync of shop is held")
    await page.get_by_role("link", name="Decide").click()
    await page.get_by_role("button", name="Approve").click()
    await page.get_by_role("dialog").get_by_role("button", name=re.compile("Publish")).click()
    await expect(page.locator("[data-sync]")).to_have_attribute("data-sync", "published")
    await expect(page.locator("[data-decision]")).to_have_count(0)
    await expect(page.locator("[data-row]").first).to_be_visible()


async def test_a_held_sync_is_rejected_on_a_phone_with_the_keyboard_in_italian(
    browser: Browser, shop: Shop
) -> None:
    await shop.held()
    phone = {"width": 390, "height": 844}
    async with viewing(browser, viewport=phone, locale="it-IT") as viewer:
        page = viewer.page
        await viewer.open(shop.service.url)
        for name in ("Decidi", "Rifiuta"):
            await _reach(page, name)
            await page.keyboard.press("Enter")
            await page.locator("[data-sync]").wait_for()
        await expect(page.locator("[data-sync]")).to_have_attribute("data-sync", "rejected")
        assert await viewer.sideways() == 0


async def _reach(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus."""
    await page.get_by_text(name, exact=True).wait_for()
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.innerText") == name:
            return
    pytest.fail(f"Tab does not reach {name}")


async def test_a_difference_is_shown_by_kind_and_page(viewer: Viewer, shop: Shop) -> None:
    page = viewer.page
    await shop.held()
    await viewer.open(f"{shop.service.url}/inventory?tab=changes")
    rows = page.locator("[data-row]")
    await expect(rows).to_have_count(50)
    await page.get_by_label("Kind of change").select_option("gone")
    await expect(rows.filter(has_text="gone")).to_have_count(50)
    first = await rows.first.inner_text()
    await page.get_by_role("button", name="Next page").click()
    await expect(page.get_by_text("Page 2")).to_be_visible()
    await expect(rows.first).not_to_have_text(first, use_inner_text=True)
    await page.get_by_label("Kind of change").select_option("changed")
    await expect(rows.first).to_contain_text("→")


async def test_products_are_sorted_searched_and_have_a_history(viewer: Viewer, shop: Shop) -> None:
    page = viewer.page
    await shop.synced()
    await shop.seller.changes(changed=30, fields=["price"])
    await shop.synced()
    await viewer.open(f"{shop.service.url}/inventory?tab=products")
    rows = page.locator("[data-row]")
    await expect(rows).to_have_count(50)
    changes = (await shop.call("GET", "/products?limit=200&sort=-price_cents"))["items"]
    dearest = changes[0]["name_en"]
    for _ in range(2):
        await page.get_by_role("button", name="Price").click()
    await expect(rows.first).to_contain_text(dearest)
    assert "sort=-price_cents" in page.url

    await page.get_by_label("Search by name").fill(dearest.upper())
    await expect(rows.first).to_contain_text(dearest)
    await expect(page).to_have_url(re.compile("q="))
    await page.get_by_label("Search by name").fill("no such card")
    await expect(page.get_by_text("Nothing matches.")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(rows).to_have_count(50)

    task = (await shop.call("GET", "/accounts/1/sync"))["task_id"]
    changed = (await shop.call("GET", f"/syncs/{task}/changes?limit=1"))["items"][0]
    await page.goto(f"{shop.service.url}/inventory?tab=products&product={changed['product_id']}")
    history = page.get_by_role("dialog")
    await expect(history.locator("[data-history]")).to_have_attribute("data-history", "1")
    spark = await history.get_by_role("img", name=re.compile("Price, from")).bounding_box()
    assert spark is not None
    assert (spark["width"], spark["height"]) == (240, 40)
    await page.keyboard.press("Escape")
    await expect(history).to_have_count(0)


async def test_a_catalogue_is_uploaded_and_maps_products(
    viewer: Viewer, shop: Shop, tmp_path: Path
) -> None:
    page = viewer.page
    await shop.synced()
    blueprints = await _known_blueprints(shop)
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    bad.write_text(f"{_COLUMNS}A;Bolt;1;\n;Bolt;2;\n")
    lines = [f"S{one['id']};{one['name']};;{one['tcgplayer_id']}\n" for one in blueprints]
    good.write_text(_COLUMNS + "".join(lines))
    await viewer.open(f"{shop.service.url}/inventory?tab=catalogue")
    file = page.locator("input[type=file]")
    await file.set_input_files(bad)
    await expect(page.get_by_role("alert")).to_contain_text("row 3, sku")
    await file.set_input_files(good)
    done = page.get_by_role("main").get_by_role("status")
    await expect(done).to_contain_text(f"{len(blueprints)} rows are stored")
    await expect(page.get_by_role("alert")).to_have_count(0)
    await done.get_by_role("link").click()
    await expect(page.get_by_role("tab", name="Unmapped")).to_have_attribute(
        "aria-selected", "true"
    )
    await page.get_by_role("tab", name="Products").click()
    await page.get_by_label("Your catalogue").select_option("true")
    await expect(page.locator("[data-row]").first).to_contain_text(re.compile(r"S\d+"))


async def _known_blueprints(shop: Shop) -> list[dict[str, Any]]:
    """The blueprints with a TCGplayer id, once a run has looked them up after the sync."""
    async with asyncio.timeout(60):
        while True:
            found = (await shop.call("GET", "/blueprints?limit=200"))["items"]
            if known := [one for one in found if one["tcgplayer_id"]]:
                return known
            await asyncio.sleep(0.05)  # the user of an HTTP API has nothing else to wait for


async def test_an_account_is_deleted_only_after_a_question(viewer: Viewer, shop: Shop) -> None:
    page = viewer.page
    await shop.synced()
    await viewer.open(f"{shop.service.url}/inventory")
    await page.get_by_role("button", name="Delete shop").click()
    question = page.get_by_role("dialog")
    await expect(question).to_contain_text(f"{PRODUCTS} products")
    await question.get_by_role("button", name="Cancel").click()
    await expect(question).to_have_count(0)
    await page.get_by_role("button", name="Delete shop").click()
    await question.get_by_role("button", name="Delete the account").click()
    await expect(page.get_by_text("No account yet.")).to_be_visible()
