"""A Binance-shaped server on loopback that can give the answers reported from the field."""

from __future__ import annotations

import contextlib
import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.served import served

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Row = list[Any]
    Query = Mapping[str, str]

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
STEPS = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
    "1M": 31 * DAY,
}
_MOST_ROWS = 1_000


def ms(moment: str) -> int:
    """A moment in UTC, such as 2025-03-10T12:00:30."""
    return int(dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC).timestamp() * 1_000)


def row(opened: int, step: int = MINUTE, **given: Any) -> Row:
    """Twelve fields, with numbers that differ from row to row."""
    place = opened // step
    close = f"{100 + place % 89}.{place % 97:08d}"
    fields = {
        "open": f"{100 + (place - 1) % 89}.00000000",
        "high": "200.00000000",
        "low": "50.00000000",
        "close": close,
        "volume": f"{place % 1_000}.17748000",
        "close_time": opened + step - 1,
        "quote_volume": "1300.00000000",
        "trades": 1 + place % 500,
        "taker_base": "6.00000000",
        "taker_quote": "620.00000000",
    } | given
    return [opened, *fields.values(), "0"]


def rows(first: str | int, last: str | int, step: int = MINUTE) -> list[Row]:
    """A row for each step, including the last one."""
    begin, end = (ms(at) if isinstance(at, str) else at for at in (first, last))
    return [row(at, step) for at in range(begin, end + 1, step)]


@dataclass
class Exchange:
    """`lie` can change an answer with candles; `asked` are the requests; `clock` moves time."""

    now: int
    table: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    symbols: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {"BTCUSDT": ("BTC", "USDT")}
    )
    most_rows: int = _MOST_ROWS
    lie: Callable[[Query, list[Row]], list[Row] | web.Response] = lambda _query, answer: answer
    time: Callable[[int], int] = lambda now: now
    ignores_start: Callable[[Query], bool] = lambda _query: False
    ignores_end: bool = False
    requests: list[tuple[str, Query]] = field(default_factory=list)
    # No request is answered before it is set.
    answers: asyncio.Event | None = None
    started: float = field(default_factory=monotonic)
    url: str = ""

    @property
    def clock(self) -> int:
        """The running clock."""
        return self.now + int((monotonic() - self.started) * 1_000)

    def asked(self, path: str = "klines", symbol: str | None = None) -> list[Query]:
        """The requests for candles since the last clearing."""
        return [
            query
            for asked, query in self.requests
            if asked.endswith(path) and symbol in {None, query.get("symbol")}
        ]

    async def klines(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        if self.answers is not None:
            await self.answers.wait()
        if query["symbol"] not in self.symbols:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        answer = self.lie(query, self.answer(query))
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    def answer(self, query: Query) -> list[Row]:
        """Rows with startTime ≤ open time ≤ endTime, oldest first if there is a start."""
        known = self.table.get((query["symbol"], query["interval"]), [])
        start = (
            None
            if "startTime" not in query or self.ignores_start(query)
            else int(query["startTime"])
        )
        end = (
            self.clock
            if "endTime" not in query or self.ignores_end
            else min(self.clock, int(query["endTime"]))
        )
        limit = min(int(query.get("limit", 500)), self.most_rows)
        low = 0 if start is None else bisect_left(known, start, key=lambda row: row[0])
        high = bisect_left(known, end + 1, key=lambda row: row[0])
        found = known[low:high]
        return found[:limit] if start is not None else found[-limit:]

    async def info(self, _request: web.Request) -> web.StreamResponse:
        listed = [
            {"symbol": name, "status": "TRADING", "baseAsset": base, "quoteAsset": quote}
            for name, (base, quote) in self.symbols.items()
        ]
        return web.json_response({"symbols": listed})


@contextlib.asynccontextmanager
async def answering(exchange: Exchange) -> AsyncIterator[Exchange]:
    """The exchange at its URL while the block runs."""

    @web.middleware
    async def count(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        exchange.requests.append((request.path, dict(request.query)))
        return await handler(request)

    async def told_time(_request: web.Request) -> web.Response:
        return web.json_response({"serverTime": exchange.time(exchange.clock)})

    async def tickers(_request: web.Request) -> web.Response:
        return web.json_response(
            [{"symbol": name, "quoteVolume": "1000.0"} for name in exchange.symbols]
        )

    app = web.Application(middlewares=[count])
    app.router.add_get("/api/v3/klines", exchange.klines)
    app.router.add_get("/api/v3/exchangeInfo", exchange.info)
    app.router.add_get("/api/v3/time", told_time)
    app.router.add_get("/api/v3/ticker/24hr", tickers)
    async with served(app) as exchange.url:
        yield exchange
