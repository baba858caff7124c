"""What the reader chooses stays chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_language_and_colours_are_kept(viewer: Viewer, demo: str) -> None:
    page = viewer.page
    await viewer.open(demo + "/settings")
    await page.get_by_text("Italiano").click()
    await expect(page.locator("h1")).to_have_text("Impostazioni")
    await page.get_by_text("Scuri", exact=True).click()
    await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    await viewer.open(demo)
    await expect(page.locator("h1")).to_have_text("Tutte le 300 serie sono aggiornate.")
    await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


async def test_the_page_is_used_with_the_keyboard_alone(viewer: Viewer, demo: str) -> None:
    page = viewer.page
    await viewer.open(demo)
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to the content")
    await page.get_by_role("link", name="Settings").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Settings")
