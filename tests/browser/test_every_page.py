"""Every page, in both languages, colours and sizes: readable, and nothing beside the screen."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.browser.chromium import viewing

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_A_RUN = "/runs/{task_id}"
PAGES = (
    "/",
    "/market",
    "/collections",
    "/collections?form=new",
    "/coverage?symbol=BTC/USDT",
    "/runs?symbol=ETH/USDT",
    "/runs?view=reports",
    _A_RUN,
    "/inventory",
    "/inventory?tab=products",
    "/inventory?tab=catalogue",
    "/settings",
    "/settings/nothing",
    "/nothing",
)
_SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
# Git ignores it; to be looked at.
_SHOTS = Path(__file__).parents[2] / "build" / "screenshots"


async def _address(demo: str, path: str) -> str:
    """The address of a page of the demo, or of its newest run."""
    if path != _A_RUN:
        return demo + path
    logs = f"{demo}/api/v1/admin/data-collection/execution-logs"
    async with aiohttp.ClientSession() as session:
        async with session.get(logs, params={"limit": 1}) as answer:
            [log] = await answer.json()
        async with session.get(f"{logs}/{log['id']}") as answer:
            return demo + path.format_map(await answer.json())


async def _look(page: Page, scheme: str, size: str) -> None:
    width, height = _SIZES[size]
    await page.set_viewport_size({"width": width, "height": height})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")


async def _looked_at(viewer: Viewer, name: str) -> None:
    await viewer.page.screenshot(path=_SHOTS / f"{name}.png", full_page=True)
    assert await viewer.violations() == [], name
    assert await viewer.sideways() == 0, name


@pytest.mark.parametrize("locale", ["en-GB", "it-IT"])
@pytest.mark.parametrize("path", PAGES)
async def test_every_page_can_be_read_by_all(
    browser: Browser, demo: str, path: str, locale: str
) -> None:
    _SHOTS.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", path).strip("-") or "overview"
    async with viewing(browser, locale=locale, reduced_motion="reduce") as viewer:
        await viewer.open(await _address(demo, path))
        await viewer.page.locator("[data-loading]").first.wait_for(state="detached")
        assert await viewer.page.locator("html").get_attribute("lang") == locale[:2]
        for scheme, size in product(("light", "dark"), _SIZES):
            await _look(viewer.page, scheme, size)
            await _looked_at(viewer, f"{name}-{size}-{scheme}-{locale[:2]}")
