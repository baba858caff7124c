"""The simulator's own paths, under /simulator: clock, requests, faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from penstock.errors import InvalidInputError, NotFoundError
from penstock.simulator.clock import iso, parse_now
from penstock.simulator.faults import read_fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.simulator.clock import Clock
    from penstock.simulator.faults import Faults
    from penstock.simulator.journal import Journal

_DEFAULT_REQUESTS = 1000


class _ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    now: int | str | None = None
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Admin:
    """Shows and changes a running simulator."""

    clock: Clock
    journal: Journal
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        """All admin paths."""
        return [
            web.get("/simulator/clock", checked(self._clock)),
            web.put("/simulator/clock", checked(self._set_clock)),
            web.get("/simulator/requests", checked(self._requests)),
            web.delete("/simulator/requests", checked(self._forget_requests)),
            web.get("/simulator/faults", checked(self._faults)),
            web.put("/simulator/faults", checked(self._set_faults)),
            web.delete("/simulator/faults", checked(self._clear_faults)),
        ]

    async def _clock(self, _: web.Request) -> object:
        now_ms = self.clock.now_ms()
        return {"now": now_ms, "iso": iso(now_ms), "speed": self.clock.speed}

    async def _set_clock(self, request: web.Request) -> object:
        change = msgspec.json.decode(await request.read(), type=_ClockChange)
        self.clock.set(None if change.now is None else parse_now(str(change.now)), change.speed)
        return await self._clock(request)

    async def _requests(self, request: web.Request) -> object:
        limit = request.query.get("limit", str(_DEFAULT_REQUESTS))
        if not limit.isdecimal():
            msg = f"limit: {limit!r} is not a whole number"
            raise InvalidInputError(msg, field="limit")
        return {
            "total": self.journal.counts.total(),
            "by_path": dict(self.journal.counts),
            "newest": [asked.shown() for asked in self.journal.newest(int(limit))],
        }

    async def _forget_requests(self, request: web.Request) -> object:
        self.journal.forget()
        return await self._requests(request)

    async def _faults(self, _: web.Request) -> object:
        return {"faults": self.faults.shown()}

    async def _set_faults(self, request: web.Request) -> object:
        described = msgspec.json.decode(await request.read(), type=list[object])
        self.faults.replace([read_fault(one) for one in described])
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> object:
        self.faults.replace(())
        return await self._faults(request)


def checked(answer: Callable[[web.Request], Awaitable[object]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """JSON answers; what cannot be understood is a 422 with one sentence, and nothing has changed."""

    async def handler(request: web.Request) -> web.Response:
        try:
            status, shown = 200, await answer(request)
        except (InvalidInputError, msgspec.DecodeError, msgspec.ValidationError) as error:
            status, shown = 422, {"error": str(error)}
        except NotFoundError as error:
            status, shown = 404, {"error": str(error)}
        return web.Response(status=status, body=msgspec.json.encode(shown), content_type="application/json")

    return handler
