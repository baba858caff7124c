"""A working service: the API on a real socket, its executor and a simulated exchange.

Everything runs in the test's event loop, over a database of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp

from penstock.api.server import ServeOptions, listening, running
from penstock.app import App, open_app
from tests.simulated import Exchange, settings_for, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PREFIX = "/api/v1/data-collector"
ENDED = {"completed", "failed", "cancelled"}
# Only an endless wait reaches this.
PATIENCE_S = 60
# The exchange never answers requests for candles, so a run stays active.
SILENT = {"name": "hang", "path": "/api/v3/klines"}
# A test's client answers pings only while it reads, and pauses between reads can be long.
# Decisions are answered when they are complete.
UNASKED = ServeOptions(ping_s=600, decision_s=None)

T = TypeVar("T")


@dataclass(frozen=True)
class Collector:
    """The service as its users see it."""

    app: App
    exchange: Exchange
    url: str
    session: aiohttp.ClientSession
    # The address of the dashboard.
    page: str

    async def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON of a call; `path` is below the data collector's prefix, or whole."""
        whole = path if path.startswith(("/api", "/readyz", "/openapi")) else PREFIX + path
        async with self.session.request(method, whole, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        status, body = await self.call("GET", path)
        assert status == 200, body
        return body

    async def start(self, symbols: str = "BTCUSDT", timeframes: str = "1m", **more: object) -> str:
        """Start a collection and return its task; assert that it is not refused."""
        status, body = await self.call(
            "POST", "/start", {"symbols": symbols.split(), "timeframes": timeframes.split()} | more
        )
        assert status == 202, body
        task_id: str = body["task_id"]
        return task_id

    async def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.get(f"/task/{task_id}")
        return found

    async def ended(self, task_id: str) -> dict[str, Any]:
        """The task once it has ended."""
        return await self.until(lambda: self.task(task_id), lambda task: task["status"] in ENDED)

    async def running(self, task_id: str) -> dict[str, Any]:
        """The task once it runs."""
        return await self.until(
            lambda: self.task(task_id), lambda task: task["status"] == "running"
        )

    async def until(self, read: Callable[[], Awaitable[T]], holds: Callable[[T], object]) -> T:
        """The value that is read, as soon as it meets the condition."""
        pause_s = 0.01
        async with asyncio.timeout(PATIENCE_S):
            while not holds(found := await read()):
                await asyncio.sleep(pause_s)  # the user of an HTTP API has nothing else to wait for
                pause_s = min(pause_s * 1.3, 0.1)
        return found

    async def collect(
        self, symbols: str = "BTCUSDT", timeframes: str = "1m", **more: object
    ) -> dict[str, Any]:
        """Start a collection and wait for its end."""
        return await self.ended(await self.start(symbols, timeframes, **more))


@contextlib.asynccontextmanager
async def collector(
    database_url: str,
    *,
    work: bool = True,
    options: ServeOptions | None = None,
    simulator: dict[str, Any] | None = None,
    **given: Any,
) -> AsyncIterator[Collector]:
    """A service; with `work` it works on queued runs."""
    async with simulated(**(simulator or {})) as exchange:
        # Longer than any test, because a silent exchange has to stay silent.
        settings = settings_for(
            database_url,
            exchange.url,
            port=0,
            **({"request_deadline_s": 300.0, "request_idle_s": 300.0} | given),
        )
        async with contextlib.AsyncExitStack() as stack:
            door = stack.enter_context(listening(settings))
            app = await stack.enter_async_context(open_app(settings))
            await stack.enter_async_context(app.working() if work else app.database.listening())
            await stack.enter_async_context(running(app, door, options or UNASKED))
            # Sooner than the service: a client sending to a closing connection gets no answer.
            connections = aiohttp.TCPConnector(keepalive_timeout=2)
            session = await stack.enter_async_context(
                aiohttp.ClientSession(door.url, connector=connections)
            )
            yield Collector(app, exchange, door.url, session, door.page)
