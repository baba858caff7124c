"""The way of every exchange request: weighed, checked, answered."""

from __future__ import annotations

from dataclasses import dataclass
from time import time as real_seconds
from typing import TYPE_CHECKING

from aiohttp import web

from penstock.simulator.limits import WEIGHT_A_MINUTE
from penstock.simulator.query import Query, RefusedError, parameters
from penstock.simulator.rest import ENDPOINTS, Endpoint

if TYPE_CHECKING:
    from penstock.simulator.clock import Clock
    from penstock.simulator.exchange import Exchange
    from penstock.simulator.limits import Limits, Verdict

_NOT_FOUND = "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>"
_UNKNOWN_WEIGHT = 1


@dataclass(frozen=True, slots=True)
class Gate:
    """Answers all paths of the exchange."""

    exchange: Exchange
    clock: Clock
    limits: Limits

    async def answer(self, request: web.Request) -> web.Response:
        """The proper answer to any path."""
        endpoint = ENDPOINTS.get(request.path) if request.method == "GET" else None
        if endpoint is None:
            self.limits.charge(request.remote or "", _UNKNOWN_WEIGHT, real_seconds())
            return web.Response(status=404, text=_NOT_FOUND, content_type="text/html")
        try:
            values, problem = parameters(request.rel_url.raw_query_string, endpoint.parameters), None
        except RefusedError as error:
            values, problem = {}, error
        verdict = self.limits.charge(request.remote or "", endpoint.weight(values), real_seconds())
        try:
            self._check(verdict)
            if problem:
                raise problem
            body, status = await self._body(request, endpoint, values), 200
        except RefusedError as error:
            body, status = error.body, error.status
        return web.Response(status=status, body=body, content_type="application/json", charset="UTF-8", headers=_headers(verdict))

    async def _body(self, request: web.Request, endpoint: Endpoint, values: dict[str, str]) -> bytes:
        microseconds = request.headers.get("X-MBX-TIME-UNIT", "").upper() == "MICROSECOND"
        return await endpoint.answer(Query(self.exchange, values, self.clock.now_ms(), microseconds))

    def _check(self, verdict: Verdict) -> None:
        """Sentences of -1003: https://developers.binance.com/docs/binance-spot-api-docs/errors#-1003-too_many_requests."""
        match verdict.status:
            case 429:
                message = (
                    f"Too much request weight used; current limit is {WEIGHT_A_MINUTE} request weight per 1 MINUTE. "
                    "Please use WebSocket Streams for live updates to avoid polling the API."
                )
                raise RefusedError(-1003, message, 429)
            case 418:
                message = (
                    f"Way too much request weight used; IP banned until {self.clock.after_ms(verdict.retry_after_s)}. "
                    "Please use WebSocket Streams for live updates to avoid bans."
                )
                raise RefusedError(-1003, message, 418)


def _headers(verdict: Verdict) -> dict[str, str]:
    used = str(verdict.used_weight)
    headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
    return headers | {"Retry-After": str(verdict.retry_after_s)} if verdict.retry_after_s else headers
