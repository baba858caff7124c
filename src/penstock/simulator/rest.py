"""The market data endpoints of Binance's REST API: parameters, weights and answers as documented.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints. Weights depend on what is asked, not on what is answered.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from penstock.simulator import tickers
from penstock.simulator.exchange_info import PERMISSIONS, RATE_LIMITS, permissions_of
from penstock.simulator.query import Query, RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How one path answers: the parameters it reads, its weight for given ones, its JSON body."""

    parameters: frozenset[str]
    weight: Callable[[dict[str, str]], int]
    answer: Callable[[Query], Awaitable[bytes]]


async def _ping(_: Query) -> bytes:
    return b"{}"


async def _time(query: Query) -> bytes:
    return msgspec.json.encode({"serverTime": query.time(query.now_ms)})


async def _klines(query: Query) -> bytes:
    series, timeframe, window = query.series(), query.timeframe(), query.window()
    query.check_utc()
    return series.page(timeframe, window, query.now_ms, microseconds=query.microseconds).encode()


async def _exchange_info(query: Query) -> bytes:
    asked, status, wanted = query.symbols(), query.status(), _permissions(query)
    if asked and (status or "permissions" in query.values):
        raise RefusedError(-1128, "Combination of optional parameters invalid.")
    infos = [query.known(symbol).info(query.now_ms) for symbol in asked or query.exchange.listed(query.now_ms)]
    if not asked:
        infos = [info for info in infos if status in (None, info["status"]) and wanted & permissions_of(info)]
    if query.values.get("showPermissionSets") == "false":
        infos = [{**info, "permissionSets": []} for info in infos]
    answer = {"timezone": "UTC", "serverTime": query.time(query.now_ms), "rateLimits": RATE_LIMITS, "exchangeFilters": [], "symbols": infos}
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
        raise RefusedError(-1130, "Data sent for parameter 'permissions' is not valid.")
    return set(names)


async def _price(query: Query) -> bytes:
    return await _each(query, lambda symbol: {"symbol": symbol, "price": query.known(symbol).price(query.now_ms)})


async def _day(query: Query) -> bytes:
    kind = query.values.get("type", "FULL")
    if kind not in ("FULL", "MINI"):
        raise RefusedError(-1139, "Invalid ticker type.")
    show = tickers.mini if kind == "MINI" else tickers.full
    return await _each(query, lambda symbol: show(symbol, query.known(symbol).statistics(query.now_ms), query.time(query.now_ms), query.time(1)))


async def _each(query: Query, show: Callable[[str], dict[str, object]]) -> bytes:
    """One object for `symbol`, else an array: those of `symbols`, or all. Other work goes on in between, as all of them can take long."""
    asked, status = query.symbols(), query.status()
    if "symbol" in query.values and asked:
        if status not in (None, query.known(asked[0]).status(query.now_ms)):
            raise RefusedError(-1220, "The symbol's status does not match the requested symbolStatus.")
        return msgspec.json.encode(show(asked[0]))
    symbols = query.exchange.listed(query.now_ms) if asked is None else asked
    shown = []
    for number, symbol in enumerate(symbols):
        if status in (None, query.known(symbol).status(query.now_ms)):
            shown.append(show(symbol))
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    return msgspec.json.encode(shown)


def _price_weight(values: dict[str, str]) -> int:
    return 2 if "symbol" in values else 4


def _day_weight(values: dict[str, str]) -> int:
    if "symbol" in values:
        return 2
    asked = values["symbols"].count(",") + 1 if "symbols" in values else 101
    if asked <= 20:  # noqa: PLR2004 - the three steps of the documented table
        return 2
    return 40 if asked <= 100 else 80  # noqa: PLR2004


_KLINES = Endpoint(frozenset({"symbol", "interval", "startTime", "endTime", "timeZone", "limit"}), lambda _: 2, _klines)

ENDPOINTS = {
    "/api/v3/ping": Endpoint(frozenset(), lambda _: 1, _ping),
    "/api/v3/time": Endpoint(frozenset(), lambda _: 1, _time),
    "/api/v3/exchangeInfo": Endpoint(
        frozenset({"symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"}), lambda _: 20, _exchange_info
    ),
    "/api/v3/klines": _KLINES,
    "/api/v3/uiKlines": _KLINES,
    "/api/v3/ticker/price": Endpoint(frozenset({"symbol", "symbols", "symbolStatus"}), _price_weight, _price),
    "/api/v3/ticker/24hr": Endpoint(frozenset({"symbol", "symbols", "type", "symbolStatus"}), _day_weight, _day),
}
