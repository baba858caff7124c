"""Who may call the service, where alerts are sent, and what the service is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.receiver import receiving

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.acceptance.commands import Penstock
    from tests.browser.chromium import Viewer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ADMIN = "an-admin-token-of-a-deployment-4711"


async def _create_token(page: Page, name: str, scope: str | None = None) -> str:
    """Create a token in the form; its text as shown once."""
    await page.get_by_label("Who or what uses it").fill(name)
    if scope is not None:
        await page.get_by_label("Scope").select_option(scope)
    await page.get_by_role("button", name="Create token").click()
    shown = page.get_by_role("alert").filter(has_text=f"The token {name} is created")
    return await shown.locator("pre").inner_text()


async def test_the_first_token_takes_its_page_along_and_a_later_one_is_revoked(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.serving() as service:
        await viewer.open(f"{service.url}/settings")
        first = await _create_token(page, "me")
        rows = page.locator("[data-token]")
        await expect(rows).to_have_count(1)
        await expect(page.locator('[data-live="open"]')).to_be_visible()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        tokens = "/api/v1/admin/tokens"
        async with service.session.get(tokens) as answer:
            assert answer.status == 401
        bearer = {"Authorization": f"Bearer {first}"}
        async with service.session.get(tokens, headers=bearer) as answer:
            assert answer.status == 200

        second = await _create_token(page, "bot", "read")
        assert second != first
        await page.get_by_role("button", name="Revoke the token bot").click()
        await page.get_by_role("button", name="Revoke", exact=True).click()
        await expect(rows).to_have_count(1)
        await page.get_by_label("Show 1 revoked or expired token").check()
        await expect(rows.filter(has_text="bot")).to_contain_text("revoked")
        async with service.session.get(
            "/api/v1/series", headers={"Authorization": f"Bearer {second}"}
        ) as answer:
            assert answer.status == 401
        await page.reload()
        await expect(page.get_by_text(first)).to_have_count(0)
        await expect(rows).to_have_count(1)


async def test_a_target_is_added_tested_changed_and_removed(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    allowing = penstock.with_settings(alert_private_targets="true")
    async with receiving() as receiver, allowing.serving() as service:
        await viewer.open(f"{service.url}/settings")
        await page.get_by_role("button", name="Add a target").click()
        await page.get_by_label("Name").fill("ops")
        await page.get_by_label("Address").fill("nowhere")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Name")).to_have_value("ops")
        await page.get_by_label("Address").fill(f"{receiver.url}/alerts")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("The signing key of ops")).to_be_visible()

        target = page.locator("[data-target]")
        await target.get_by_role("button", name="Send a test message to ops").click()
        await expect(target.locator("[data-delivered=true]")).to_contain_text("Delivered:")
        assert len(await receiver.until(1)) == 1
        receiver.answers.append(404)
        await target.get_by_role("button", name="Send a test message to ops").click()
        await expect(target.locator("[data-delivered=false]")).to_contain_text("404")
        await target.get_by_role("button", name="Edit ops").click()
        await page.get_by_label("Send alerts there").uncheck()
        await page.get_by_role("button", name="Save").click()
        await expect(target).to_contain_text("off")
        await target.get_by_role("button", name="Remove ops").click()
        await page.get_by_role("button", name="Remove", exact=True).click()
        await expect(target).to_have_count(0)


async def test_a_reader_sees_words_in_place_of_what_only_admins_may(
    viewer: Viewer, penstock: Penstock
) -> None:
    page = viewer.page
    async with penstock.with_settings(admin_token=_ADMIN).serving() as service:
        headers = {"Authorization": f"Bearer {_ADMIN}"}
        new = {"name": "reader", "scope": "read"}
        async with service.session.post(
            "/api/v1/admin/tokens", json=new, headers=headers
        ) as answer:
            token = (await answer.json())["token"]
        await page.goto(f"{service.url}/settings")
        await page.get_by_label("Access token").fill(token)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("Yours has the scope read.")).to_have_count(2)
        await expect(
            page.get_by_text("The execution log keeps its rows for 30 days")
        ).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)


async def test_the_page_says_what_the_service_is_and_which_table_is_large(
    viewer: Viewer, demo: str
) -> None:
    page = viewer.page
    await viewer.open(f"{demo}/settings")
    candles = page.locator('[data-table="candle"]')
    await expect(candles).to_contain_text(re.compile(r"3\d,\d{3}.* MB"))
    assert await page.locator("[data-table]").count() == 8
    await page.get_by_role("button", name=re.compile(r"Show all \d+ tables")).click()
    assert await page.locator("[data-table]").count() > 30
    await expect(page.get_by_text("Version: Penstock")).to_be_visible()
    await page.get_by_role("link", name="Licences of built-in packages").click()
    await expect(page.get_by_text("swagger-ui-dist")).to_be_visible()
