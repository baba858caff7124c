"""The market data routes: their fields, their pages, and the stored values."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.service import NOON

if TYPE_CHECKING:
    import aiohttp

_CANDLE = (
    "open_time",
    "close_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_base",
    "taker_quote",
    "closed",
)
_NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume", "taker_base", "taker_quote")
_MINUTE = 60_000
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


def _iso(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _get(client: aiohttp.ClientSession, path: str, **query: object) -> Any:  # noqa: ANN401
    async with client.get(
        f"/api/v1/{path}", params={name: str(value) for name, value in query.items()}
    ) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTCUSDT", "btcusdt"])
async def test_candles_are_in_order_and_have_the_symbol_as_requested(
    client: aiohttp.ClientSession, symbol: str
) -> None:
    page = await _get(client, "candles", symbol=symbol, timeframe="1m")
    assert page.keys() == {"exchange", "symbol", "timeframe", "candles", "next_cursor"}
    assert (page["exchange"], page["symbol"], page["timeframe"], page["next_cursor"]) == (
        "binance",
        symbol,
        "1m",
        None,
    )
    assert [candle["open_time"] for candle in page["candles"]] == [
        _iso(NOON - minutes * _MINUTE) for minutes in range(24, -1, -1)
    ]
    assert [candle["closed"] for candle in page["candles"]] == [True] * 24 + [False]
    for candle in page["candles"]:
        assert tuple(sorted(candle)) == tuple(sorted(_CANDLE))
        assert all(_UTC.fullmatch(candle[name]) for name in ("open_time", "close_time"))
        # The exchange writes eight decimals, even if they are zeros.
        assert all(re.fullmatch(r"\d+\.\d{8}", candle[name]) for name in _NUMBERS)
        assert type(candle["trades"]) is int


async def test_a_range_is_half_open_and_begins_with_its_oldest_candle(
    client: aiohttp.ClientSession,
) -> None:
    asked = {
        "symbol": "BTC/USDT",
        "timeframe": "1m",
        "start": _iso(NOON - 9 * _MINUTE),
        "end": _iso(NOON - 4 * _MINUTE),
    }
    page = await _get(client, "candles", **asked)
    assert [candle["open_time"] for candle in page["candles"]] == [
        _iso(NOON - minutes * _MINUTE) for minutes in range(9, 4, -1)
    ]
    oldest = await _get(client, "candles", **asked, limit=1)
    assert oldest["candles"] == page["candles"][:1]
    offset = await _get(client, "candles", **asked | {"start": "2026-01-15T12:51:00+01:00"})
    assert offset["candles"] == page["candles"]


@pytest.mark.parametrize(
    "asked",
    [{}, {"start": "2026-01-01"}, {"end": "2026-01-15T11:55:30Z"}],
    ids=["newest first", "oldest first", "up to an end"],
)
@pytest.mark.parametrize("limit", [1, 7, 25])
@pytest.mark.parametrize("shape", ["json", "csv"])
async def test_following_the_cursor_visits_every_candle_exactly_once(
    client: aiohttp.ClientSession, asked: dict[str, str], limit: int, shape: str
) -> None:
    query: dict[str, Any] = {"symbol": "ETHUSDT", "timeframe": "1m", **asked}
    everything = (await _get(client, "candles", **query))["candles"]
    pages: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        following = (
            query | {"limit": str(limit), "format": shape} | ({"cursor": cursor} if cursor else {})
        )
        async with client.get("/api/v1/candles", params=following) as answer:
            assert answer.status == 200
            if shape == "json":
                page = await answer.json()
                pages.append([candle["open_time"] for candle in page["candles"]])
                cursor = page["next_cursor"]
            else:
                pages.append(
                    [
                        candle["open_time"]
                        for candle in csv.DictReader(io.StringIO(await answer.text()))
                    ]
                )
                cursor = answer.headers.get("X-Next-Cursor")
    ordered = pages if "start" in asked else pages[::-1]
    assert list(itertools.chain(*ordered)) == [candle["open_time"] for candle in everything]
    assert len(everything) == (20 if "end" in asked else 25)


async def test_csv_has_the_same_values_as_json(client: aiohttp.ClientSession) -> None:
    query = {"symbol": "BTCUSDT", "timeframe": "1h"}
    page = await _get(client, "candles", **query)
    async with client.get("/api/v1/candles", params={**query, "format": "csv"}) as answer:
        assert answer.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert tuple(rows[0]) == _CANDLE
    shown = [
        {
            name: str(value).lower() if name == "closed" else str(value)
            for name, value in candle.items()
        }
        for candle in page["candles"]
    ]
    assert rows == shown


async def test_series_are_found_by_a_part_of_their_symbol_with_price_and_completeness(
    client: aiohttp.ClientSession,
) -> None:
    whole = await _get(client, "series/recent")
    assert whole["next_cursor"] is None
    for series in whole["items"]:
        candles = await _get(
            client, "candles", symbol=series["symbol"], timeframe=series["timeframe"], limit=30
        )
        closes = [candle["close"] for candle in candles["candles"]]
        last = candles["candles"][-1]
        assert (series["closes"], series["price"]) == (closes, last["close"])
        assert (series["newest"], series["closed"]) == (last["open_time"], last["closed"])
    covered = (await _get(client, "coverage"))["items"]
    assert [one["complete"] for one in whole["items"]] == [one["complete"] for one in covered]
    for part in ("btc", "BTC/U", "tcusd"):
        found = (await _get(client, "series/recent", q=part))["items"]
        assert {series["symbol"] for series in found} == {"BTC/USDT"}
    hours = (await _get(client, "series/recent", timeframe="1h"))["items"]
    assert {series["timeframe"] for series in hours} == {"1h"}
    assert (await _get(client, "series/recent", q="%"))["items"] == []
    paged: list[Any] = []
    cursor: int | None = 0
    while cursor is not None:
        page = await _get(client, "series/recent", limit=3, cursor=cursor)
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == whole["items"]


async def test_series_show_what_is_stored_and_are_paged(
    client: aiohttp.ClientSession,
) -> None:
    whole = await _get(client, "series")
    assert whole["next_cursor"] is None
    assert {
        (series["symbol"], series["native_symbol"], series["timeframe"])
        for series in whole["series"]
    } == {
        (symbol, symbol.replace("/", ""), timeframe)
        for symbol in ("BTC/USDT", "ETH/USDT")
        for timeframe in ("1m", "1h")
    }
    for series in whole["series"]:
        assert series.keys() == {
            "id",
            "exchange",
            "symbol",
            "native_symbol",
            "timeframe",
            "first",
            "newest",
            "gaps",
        }
        assert series["newest"] == _iso(NOON)
        assert series["first"] == _iso(
            NOON - 24 * (_MINUTE if series["timeframe"] == "1m" else 60 * _MINUTE)
        )

    paged: list[dict[str, Any]] = []
    cursor: int | None = 0
    while cursor is not None:
        page = await _get(client, "series", limit=3, cursor=cursor)
        paged += page["series"]
        cursor = page["next_cursor"]
    assert paged == whole["series"]

    for symbol in ("ETH/USDT", "ethusdt"):
        assert {
            series["symbol"] for series in (await _get(client, "series", symbol=symbol))["series"]
        } == {"ETH/USDT"}
    assert await _get(client, "series", exchange="another") == {"series": [], "next_cursor": None}


async def test_the_latest_price_is_the_close_of_the_newest_candle(
    client: aiohttp.ClientSession,
) -> None:
    prices = (await _get(client, "data-collector/latest-prices"))["prices"]
    assert [price["symbol"] for price in prices] == ["BTC/USDT", "ETH/USDT"]
    for price in prices:
        assert price.keys() == {
            "symbol",
            "native_symbol",
            "exchange",
            "price",
            "timeframe",
            "timestamp",
            "closed",
        }
        newest = (
            await _get(
                client, "candles", symbol=price["symbol"], timeframe=price["timeframe"], limit=1
            )
        )["candles"][0]
        assert (price["price"], price["timestamp"], price["closed"]) == (
            newest["close"],
            newest["open_time"],
            newest["closed"],
        )
        assert price["timestamp"] == _iso(NOON)
