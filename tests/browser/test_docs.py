"""The reference of the API, which is ours alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.chromium import viewing

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator

    from tests.acceptance.commands import Penstock
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ADMIN = "an-admin-token-of-a-deployment-4711"


async def _opened(viewer: Viewer, url: str, tag: str, operation: str) -> Locator:
    """An operation of a group, with all that is said of it."""
    page = viewer.page
    await viewer.open(f"{url}/docs")
    await page.locator(f'[data-tag="{tag}"]').get_by_role("button").click()
    found = page.locator(f"[id$=-{operation}]")
    await found.locator(".opblock-summary-control").click()
    await found.locator(".responses-table").wait_for()
    return found


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
async def test_the_reference_can_be_read_by_all_and_asks_nobody_else(
    browser: Browser, demo: str, scheme: str, width: int
) -> None:
    async with viewing(
        browser, viewport={"width": width, "height": 800}, color_scheme=scheme
    ) as viewer:
        asked: list[str] = []
        viewer.page.on("request", lambda request: asked.append(request.url))
        await _opened(viewer, demo, "alerts", "change_alert_target")
        # Not a parameter with a list of values: the viewer gives those no name.
        assert await viewer.violations() == []
        assert await viewer.sideways() == 0
        assert len(asked) > 3
        assert [url for url in asked if not url.startswith(f"{demo}/")] == []


async def test_a_request_is_tried_out_with_the_session_of_the_page(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.with_settings(admin_token=_ADMIN).serving() as service:
        await viewer.open(f"{service.url}/docs")
        await expect(page.get_by_role("alert")).to_contain_text("Sign in first")
        await page.get_by_role("link", name="open the dashboard").click()
        await page.get_by_label("Access token").fill(_ADMIN)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("h1")).to_have_text("Nothing is collected yet.")

        operation = await _opened(viewer, service.url, "data collector", "refresh_symbols")
        await operation.get_by_role("button", name="Try it out").click()
        await operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table tbody")
        await expect(answer.locator(".response-col_status")).to_have_text("202")
        await expect(answer).to_contain_text("task_id")
