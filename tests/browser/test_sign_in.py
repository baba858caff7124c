"""Signing in where a token is needed, and what happens when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.chromium import viewing

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.acceptance.commands import Penstock, Service
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ADMIN = "an-admin-token-of-a-deployment-4711"
_TOKENS = "/api/v1/admin/tokens"


async def _token(service: Service, scope: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {_ADMIN}"}
    new = {"name": "me", "scope": scope}
    async with service.session.post(_TOKENS, json=new, headers=headers) as answer:
        made = await answer.json()
        return made["id"], made["token"]


async def _sign_in(viewer: Viewer, token: str) -> None:
    await viewer.page.get_by_label("Access token").fill(token)
    await viewer.page.get_by_role("button", name="Sign in").click()


async def test_a_token_opens_the_page_until_it_is_revoked(
    viewer: Viewer, penstock: Penstock
) -> None:
    async with penstock.with_settings(admin_token=_ADMIN).serving() as service:
        token_id, token = await _token(service, "operate")
        page = viewer.page
        await page.goto(service.url)
        await _sign_in(viewer, "pst_wrong")
        await expect(page.get_by_text("this token is wrong")).to_be_visible()
        await _sign_in(viewer, token)
        await expect(page.locator("h1")).to_have_text("Nothing is collected yet.")
        await expect(page.locator('[data-live="open"]')).to_be_visible()

        await page.reload()
        await expect(page.locator("h1")).to_have_text("Nothing is collected yet.")
        assert await page.evaluate("document.cookie") == ""

        headers = {"Authorization": f"Bearer {_ADMIN}"}
        await service.session.delete(f"{_TOKENS}/{token_id}", headers=headers)
        # The closed socket tells the page, before anybody clicks.
        await expect(page.get_by_text("Your session has ended.")).to_be_visible()
        await _sign_in(viewer, _ADMIN)
        await page.get_by_role("button", name="Collect BTC/USDT").click()
        await expect(page.locator("h1")).to_contain_text("up to date")

        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Access token")).to_be_visible()


async def test_pages_of_other_ports_and_sites_cannot_use_the_cookie(
    viewer: Viewer, penstock: Penstock
) -> None:
    async with penstock.with_settings(admin_token=_ADMIN).serving() as service:
        await viewer.page.goto(service.url)
        await _sign_in(viewer, _ADMIN)
        await viewer.page.locator("h1").wait_for()
        [cookie] = await viewer.page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Strict"
        assert cookie["name"] == f"penstock_session_{service.url.rpartition(':')[2]}"

        headers = {"Cookie": f"{cookie['name']}={cookie['value']}"}
        path = "/api/v1/data-collector/refresh-symbols"
        statuses = []
        for origin in ({}, {"Origin": "http://127.0.0.1:1"}, {"Origin": service.url}):
            async with service.session.post(path, headers={**headers, **origin}) as answer:
                statuses.append(answer.status)
        assert statuses == [403, 403, 202]


async def test_a_reader_is_told_what_the_token_does_not_allow(
    viewer: Viewer, penstock: Penstock
) -> None:
    async with penstock.with_settings(admin_token=_ADMIN).serving() as service:
        _, token = await _token(service, "read")
        await viewer.page.goto(service.url)
        await _sign_in(viewer, token)
        await viewer.page.get_by_role("button", name="Collect BTC/USDT").click()
        await expect(viewer.page.get_by_text("Your token does not allow this.")).to_be_visible()


async def test_two_readers_see_the_same(browser: Browser, demo: str) -> None:
    async with viewing(browser) as one, viewing(browser, locale="it-IT") as other:
        await one.open(demo)
        await other.open(demo)
        await expect(one.page.locator("h1")).to_have_text("All 300 series are up to date.")
        await expect(other.page.locator("h1")).to_have_text("Tutte le 300 serie sono aggiornate.")
