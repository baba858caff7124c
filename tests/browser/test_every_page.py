"""Every page, in both languages, colours and sizes: readable, and nothing beside the screen."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import viewing

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ("/", "/runs", "/settings", "/settings/nothing")
_SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
# Git ignores it; to be looked at.
_SHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.mark.parametrize(
    ("scheme", "size", "locale"), [*product(("light", "dark"), _SIZES, ("en-GB", "it-IT"))]
)
async def test_every_page_can_be_read_by_all(
    browser: Browser, demo: str, scheme: str, size: str, locale: str
) -> None:
    width, height = _SIZES[size]
    _SHOTS.mkdir(parents=True, exist_ok=True)
    async with viewing(
        browser, viewport={"width": width, "height": height}, color_scheme=scheme, locale=locale
    ) as viewer:
        for path in PAGES:
            await viewer.open(demo + path)
            await viewer.page.locator("[data-loading]").first.wait_for(state="detached")
            name = f"{path.strip('/').replace('/', '-') or 'overview'}-{size}-{scheme}-{locale[:2]}"
            await viewer.page.screenshot(path=_SHOTS / f"{name}.png", full_page=True)
            assert await viewer.violations() == [], name
            assert await viewer.sideways() == 0, name
            assert await viewer.page.locator("html").get_attribute("lang") == locale[:2]
