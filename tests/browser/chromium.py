"""The Chromium of this machine, and one page of it."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import async_playwright, expect

from tests.missing import missing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, ConsoleMessage, Page

# Only an endless wait reaches this, also on a busy machine.
_PATIENCE_MS = 60_000
expect.set_options(timeout=_PATIENCE_MS)

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root there is no sandbox; the others keep it from asking addresses of its maker.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The browser itself tells of every answer and connection that failed, in these words.
_FAILED = ("Failed to load resource", "WebSocket connection to")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def found() -> str:
    """The path of the browser; without one, the test fails in CI and is skipped elsewhere."""
    path = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if path is None:
        missing("no Chromium is installed; on Debian and Ubuntu: apt-get install chromium")
    return path


@contextlib.asynccontextmanager
async def started() -> AsyncIterator[Browser]:
    """A browser while the block runs."""
    path = found()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Viewer:
    """A person at one page, and what the page complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors of scripts, and whatever our own policy refuses."""
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    async def open(self, url: str) -> None:
        """Go to a page and wait until it shows something."""
        await self.page.goto(url)
        await self.page.locator("h1").first.wait_for()

    async def violations(self) -> list[str]:
        """What keeps people out, by axe's rules of WCAG A and AA."""
        await self.page.evaluate(AXE_FILE_PATH.read_text(encoding="utf-8"))
        found: dict[str, Any] = await self.page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", _RULES
        )
        return [
            f"{rule['id']}: {node['html'][:200]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    async def sideways(self) -> int:
        """By how many pixels the page can be scrolled sideways."""
        script = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(await self.page.evaluate(script))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_FAILED):
            self.complaints.append(message.text)


@contextlib.asynccontextmanager
async def viewing(browser: Browser, **context: Any) -> AsyncIterator[Viewer]:
    """A person with a browser of their own; nothing may have broken at the end."""
    chosen = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | context
    opened = await browser.new_context(**chosen)
    opened.set_default_timeout(_PATIENCE_MS)
    try:
        viewer = Viewer(await opened.new_page())
        viewer.watch()
        yield viewer
        assert not viewer.complaints, viewer.complaints
    finally:
        await opened.close()
