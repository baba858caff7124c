"""A Binance-shaped server of a few symbols, whose list can be large, slow or compressed."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from penstock.http.client import HttpLimits
from penstock.market.source import SourceConfig
from penstock.sources.binance import BinanceSource
from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

# The command that collects three of its candles.
COLLECT = ("collect", "BTCUSDT", "-t", "1m", "--limit", "3")
MINUTE = 60_000
# 30 s after noon; the clock stands still.
NOW = 1_741_608_030_000
_STEPS = {"1m": MINUTE, "1h": 60 * MINUTE}
_PIECE = 16 * 1024


@dataclass
class SmallExchange:
    """The answers of the exchange, and the requests it got.

    `names` are in each symbol's permission sets; `bytes_s` is the speed of the list; `refuses` is
    the status of every answer.
    """

    symbols: Sequence[str] = ("BTCUSDT",)
    names: int = 1
    bytes_s: float | None = None
    packs: bool = True
    hides_permissions: bool = True
    refuses: int | None = None
    asked: list[web.Request] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    def asked_for(self, path: str) -> list[Mapping[str, str]]:
        """The queries of requests with this last part of the path."""
        return [request.query for request in self.asked if request.path.endswith(path)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.refuses is not None:
            return web.Response(
                status=self.refuses, text="<html>not here</html>", content_type="text/html"
            )
        match request.path.rpartition("/")[2]:
            case "time":
                return web.json_response({"serverTime": NOW})
            case "exchangeInfo":
                return await self._list(request)
            case "klines":
                return web.json_response(_rows(request.query))
            case _:
                return web.json_response({"code": -1, "msg": "no such thing"}, status=404)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if not self.hides_permissions and request.query:
            return web.json_response(
                {"code": -1104, "msg": "Not all sent parameters were read"}, status=400
            )
        hidden = request.query.get("showPermissionSets") == "false"
        body = json.dumps(
            {"symbols": [_symbol(name, 0 if hidden else self.names) for name in self.symbols]}
        ).encode()
        response = web.StreamResponse()
        if self.packs and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            response.headers["Content-Encoding"] = "gzip"
        self.sent += len(body)
        response.content_length = len(body)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(body), _PIECE):
                await response.write(body[start : start + _PIECE])
                if self.bytes_s:
                    await asyncio.sleep(_PIECE / self.bytes_s)
        return response


def _symbol(name: str, permissions: int) -> dict[str, object]:
    sets = [[f"TRD_GRP_{number:03}" for number in range(permissions)]]
    return {
        "symbol": name,
        "status": "TRADING",
        "baseAsset": name.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "permissionSets": sets,
    }


def _rows(query: Mapping[str, str]) -> list[list[object]]:
    step = _STEPS[query["interval"]]
    last = min(int(query.get("endTime", NOW)), NOW) // step * step
    first = max(-(-int(query.get("startTime", 0)) // step) * step, NOW // step * step - 99 * step)
    opens = range(first, last + 1, step)
    limit = int(query.get("limit", 500))
    kept = opens[:limit] if "startTime" in query else opens[-limit:]
    return [
        [at, "1.0", "2.0", "0.5", "1.5", "7.0", at + step - 1, "8.0", 3, "4.0", "5.0", "0"]
        for at in kept
    ]


@contextlib.asynccontextmanager
async def small_exchange(exchange: SmallExchange) -> AsyncIterator[SmallExchange]:
    """The exchange on a port of loopback; its `url` is set."""
    app = web.Application()
    app.router.add_get("/{path:.*}", exchange.answer)
    async with served(app) as exchange.url:
        yield exchange


@contextlib.asynccontextmanager
async def asking(url: str, **limits: float) -> AsyncIterator[BinanceSource]:
    """A source that makes one attempt per request."""
    async with BinanceSource(
        SourceConfig(base_url=url, http=HttpLimits(attempts=1, **limits))  # type: ignore[arg-type]
    ) as source:
        yield source
