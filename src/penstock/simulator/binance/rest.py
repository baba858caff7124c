"""The market data endpoints of Binance's REST API: parameters, weights and answers as documented.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints.
Weights depend on what is asked, not on what is answered.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.simulator.binance import tickers
from penstock.simulator.binance.info import PERMISSIONS, RATE_LIMITS, permissions_of
from penstock.simulator.binance.query import Query, QueryError, parameters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class RestEndpoint:
    """How a path answers: the parameters that it reads, its weight for them, its JSON body."""

    names: str
    weight: int | Callable[[dict[str, str]], int]
    answer: Callable[[Query], Awaitable[bytes]]

    def parameters(self, query_string: str) -> dict[str, str]:
        """The decoded parameters. Raises QueryError."""
        return parameters(query_string, self.names.split())

    def weight_of(self, values: dict[str, str]) -> int:
        """What a request with these parameters weighs."""
        return self.weight(values) if callable(self.weight) else self.weight


async def _ping(_: Query) -> bytes:
    return b"{}"


async def _time(query: Query) -> bytes:
    return msgspec.json.encode({"serverTime": query.time(query.now_ms)})


async def _klines(query: Query) -> bytes:
    series, timeframe, window = query.series(), query.timeframe(), query.window()
    query.check_utc()
    return series.page(timeframe, window, query.now_ms, microseconds=query.microseconds).encode()


async def _exchange_info(query: Query) -> bytes:
    asked, status, permissions = query.symbols(), query.status(), _permissions(query)
    if asked and (status or "permissions" in query.values):
        raise QueryError(-1128, "Combination of optional parameters invalid.")
    symbols = asked or query.exchange.listed(query.now_ms)
    infos = [query.known(symbol).info(query.now_ms) for symbol in symbols]
    if not asked:
        infos = [info for info in infos if status in (None, info["status"])]
        infos = [info for info in infos if permissions & permissions_of(info)]
    if query.values.get("showPermissionSets") == "false":
        infos = [{**info, "permissionSets": []} for info in infos]
    answer = {
        "timezone": "UTC",
        "serverTime": query.time(query.now_ms),
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": infos,
    }
    return msgspec.json.encode(answer)


def _permissions(query: Query) -> set[str]:
    """One name or a JSON array of them; all three when not sent."""
    text = query.values.get("permissions")
    if text is None:
        return set(PERMISSIONS)
    try:
        names = msgspec.json.decode(text, type=list[str]) if text.startswith("[") else [text]
    except msgspec.DecodeError:
        names = []
    if not names or not all(name in PERMISSIONS or name.startswith("TRD_GRP_") for name in names):
        raise QueryError(-1130, "Data sent for parameter 'permissions' is not valid.")
    return set(names)


async def _price(query: Query) -> bytes:
    def shown(symbol: str) -> dict[str, object]:
        return {"symbol": symbol, "price": query.known(symbol).price(query.now_ms)}

    return await _each(query, shown)


async def _day(query: Query) -> bytes:
    kind = query.values.get("type", "FULL")
    if kind not in ("FULL", "MINI"):
        raise QueryError(-1139, "Invalid ticker type.")
    ticker = tickers.mini if kind == "MINI" else tickers.full
    now, millisecond = query.time(query.now_ms), query.time(1)

    def shown(symbol: str) -> dict[str, object]:
        day = query.known(symbol).statistics(query.now_ms)
        return ticker(symbol, day, now, millisecond)

    return await _each(query, shown)


async def _each(query: Query, show: Callable[[str], dict[str, object]]) -> bytes:
    """One object for `symbol`, else an array: those of `symbols`, or all."""
    asked, status = query.symbols(), query.status()
    symbols = query.exchange.listed(query.now_ms) if asked is None else asked
    shown = []
    for number, symbol in enumerate(symbols, 1):
        if status in (None, query.known(symbol).status(query.now_ms)):
            shown.append(show(symbol))
        if number % _AT_ONCE == 0:
            # All of them can take long: let other requests through.
            await asyncio.sleep(0)
    if "symbol" not in query.values:
        return msgspec.json.encode(shown)
    if not shown:
        message = "The symbol's status does not match the requested symbolStatus."
        raise QueryError(-1220, message)
    return msgspec.json.encode(shown[0])


def _price_weight(values: dict[str, str]) -> int:
    return 2 if "symbol" in values else 4


def _day_weight(values: dict[str, str]) -> int:
    if "symbol" in values:
        return 2
    asked = values["symbols"].count(",") + 1 if "symbols" in values else 101
    if asked <= 20:  # noqa: PLR2004 - the three steps of the documented table
        return 2
    return 40 if asked <= 100 else 80  # noqa: PLR2004


_KLINES = RestEndpoint("symbol interval startTime endTime timeZone limit", 2, _klines)

ENDPOINTS = {
    "/api/v3/ping": RestEndpoint("", 1, _ping),
    "/api/v3/time": RestEndpoint("", 1, _time),
    "/api/v3/exchangeInfo": RestEndpoint(
        "symbol symbols permissions showPermissionSets symbolStatus", 20, _exchange_info
    ),
    "/api/v3/klines": _KLINES,
    "/api/v3/uiKlines": _KLINES,
    "/api/v3/ticker/price": RestEndpoint("symbol symbols symbolStatus", _price_weight, _price),
    "/api/v3/ticker/24hr": RestEndpoint("symbol symbols type symbolStatus", _day_weight, _day),
}
