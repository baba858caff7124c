"""Handles a request as Binance does: weigh, check, answer."""

from __future__ import annotations

from dataclasses import dataclass
from time import time as real_seconds
from typing import TYPE_CHECKING

from aiohttp import web

from penstock.simulator.binance.query import Query, QueryError, banned, overweight
from penstock.simulator.binance.rest import ENDPOINTS, RestEndpoint

if TYPE_CHECKING:
    from penstock.simulator.binance.exchange import SimulatedExchange
    from penstock.simulator.binance.limits import Verdict, WeightLimits
    from penstock.simulator.traffic.clock import SimulatedClock

_NOT_FOUND = (
    "<html><head><title>404 Not Found</title></head>"
    "<body><center><h1>404 Not Found</h1></center><hr><center>nginx</center></body></html>"
)
_UNKNOWN_WEIGHT = 1


@dataclass(frozen=True, slots=True)
class BinanceApi:
    """Answers all paths of the exchange."""

    exchange: SimulatedExchange
    clock: SimulatedClock
    limits: WeightLimits

    async def answer(self, request: web.Request) -> web.Response:
        """The proper answer to any path."""
        endpoint = ENDPOINTS.get(request.path) if request.method == "GET" else None
        if endpoint is None:
            self._charge(request, _UNKNOWN_WEIGHT)
            return web.Response(status=404, text=_NOT_FOUND, content_type="text/html")
        problem = None
        try:
            values = endpoint.parameters(request.rel_url.raw_query_string)
        except QueryError as error:
            values, problem = {}, error
        verdict = self._charge(request, endpoint.weight_of(values))
        try:
            if problem := self._refusal(verdict) or problem:
                raise problem
            body, status = await self._body(request, endpoint, values), 200
        except QueryError as error:
            body, status = error.body, error.status
        return web.Response(
            status=status,
            body=body,
            content_type="application/json",
            charset="UTF-8",
            headers=_headers(verdict),
        )

    def _charge(self, request: web.Request, weight: int) -> Verdict:
        return self.limits.charge(request.remote or "", weight, real_seconds())

    async def _body(
        self, request: web.Request, endpoint: RestEndpoint, values: dict[str, str]
    ) -> bytes:
        microseconds = request.headers.get("X-MBX-TIME-UNIT", "").upper() == "MICROSECOND"
        query = Query(self.exchange, values, self.clock.now_ms(), microseconds)
        return await endpoint.answer(query)

    def _refusal(self, verdict: Verdict) -> QueryError | None:
        match verdict.status:
            case 429:
                return overweight()
            case 418:
                return banned(self.clock.after_ms(verdict.retry_after_s))
            case _:
                return None


def _headers(verdict: Verdict) -> dict[str, str]:
    used = str(verdict.used_weight)
    headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
    if verdict.retry_after_s:
        headers["Retry-After"] = str(verdict.retry_after_s)
    return headers
