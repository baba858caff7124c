"""A real HTTP receiver of webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_PATIENCE_S = 60


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.raw)

    @property
    def messages(self) -> list[str]:
        """The state and message of each alert."""
        return [f"{alert['state']}: {alert['message']}" for alert in self.body["alerts"]]


@dataclass
class Receiver:
    """Answers 200, or the statuses in `answers` in turn; a request to /hang gets no answer."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        received = Received(request.path, dict(request.headers), await request.read())
        async with self.changed:
            self.received.append(received)
            self.changed.notify_all()
        if request.path == "/hang":
            await self.closing.wait()
        status = self.answers.pop(0) if self.answers else 200
        return web.Response(
            status=status, headers={"Location": f"{self.url}/moved"} if 300 <= status < 400 else {}
        )

    async def until(self, count: int, path: str | None = None) -> list[Received]:
        """The requests to a path, as soon as there are `count`."""

        def found() -> list[Received]:
            return [request for request in self.received if path in {None, request.path}]

        return await self._until(lambda: len(found()) >= count, found)

    async def _until(
        self, holds: Callable[[], bool], result: Callable[[], list[Received]]
    ) -> list[Received]:
        async with asyncio.timeout(_PATIENCE_S), self.changed:
            await self.changed.wait_for(holds)
        return result()


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.take)
    async with served(application) as receiver.url:
        try:
            yield receiver
        finally:
            receiver.closing.set()
