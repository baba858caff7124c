"""The way of every request that is not an admin's: noted on arrival, through the faults that hit it, answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from penstock.simulator.faults import Faults
    from penstock.simulator.journal import Journal


@dataclass(frozen=True, slots=True)
class Door:
    """Before each of the simulated providers."""

    journal: Journal
    faults: Faults

    def to(self, answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A handler that gives proper answers as the faults make them."""

        async def handler(request: web.Request) -> web.StreamResponse:
            asked = self.journal.enter(request.path, request.query_string)
            response = await self.faults.around(request, asked, lambda: answer(request))
            asked.status = response.status
            return response

        return handler
