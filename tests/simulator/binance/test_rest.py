"""The endpoints: answers, documented errors, weights, headers, time units."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import aiohttp
import pytest

from penstock.simulator.server import SimulatorSettings, running
from tests.simulator.conftest import NOW_MS

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator

MINUTE = 60_000
RUNNING_MS = NOW_MS - NOW_MS % MINUTE
_ILLEGAL_SYMBOL = (
    "Illegal characters found in parameter 'symbol'; legal range is '^[\\w\\-._&&[^a-z]]{1,50}$'."
)


async def test_ping_and_time_answer_as_documented(simulator: Simulator) -> None:
    assert await simulator.get("/api/v3/ping") == (200, {})
    assert await simulator.get("/api/v3/time") == (200, {"serverTime": NOW_MS})


async def test_without_a_range_the_newest_rows_come_and_the_last_one_is_running(
    simulator: Simulator,
) -> None:
    rows = await simulator.klines()
    assert len(rows) == 500
    assert [row[0] for row in rows] == [RUNNING_MS - step * MINUTE for step in range(499, -1, -1)]
    assert rows[-1][6] > NOW_MS
    assert rows == await simulator.klines(limit=1500, startTime=rows[0][0])
    assert len(await simulator.klines(limit=1500)) == 1000


async def test_a_start_time_gives_the_oldest_rows_and_rounds_up_to_the_next_open(
    simulator: Simulator,
) -> None:
    rows = await simulator.klines(startTime=RUNNING_MS - 10 * MINUTE + 1, limit=3)
    assert [row[0] for row in rows] == [RUNNING_MS - step * MINUTE for step in (9, 8, 7)]


async def test_an_end_time_alone_gives_the_newest_rows_up_to_it_inclusive(
    simulator: Simulator,
) -> None:
    rows = await simulator.klines(endTime=RUNNING_MS - 10 * MINUTE, limit=3)
    assert [row[0] for row in rows] == [RUNNING_MS - step * MINUTE for step in (12, 11, 10)]
    assert await simulator.klines(startTime=rows[1][0], endTime=rows[1][0]) == [rows[1]]


async def test_a_range_in_the_future_or_upside_down_is_empty(simulator: Simulator) -> None:
    assert await simulator.klines(startTime=NOW_MS + 1) == []
    for interval in ("1s", "1m", "1d", "1w", "1M"):
        assert await simulator.klines(interval=interval, startTime=4_102_444_800_000) == []
        assert await simulator.klines(interval=interval, startTime=2**63 - 1) == []
        assert await simulator.klines(interval=interval, endTime=0) == []
    assert await simulator.klines(startTime=RUNNING_MS, endTime=RUNNING_MS - MINUTE) == []


async def test_microseconds_come_when_asked_for_and_are_understood_when_sent(
    simulator: Simulator,
) -> None:
    async with simulator.session.get(
        "/api/v3/klines",
        params={
            "symbol": "BTCUSDT",
            "interval": "1m",
            "startTime": str((RUNNING_MS - MINUTE) * 1000),
        },
        headers={"X-MBX-TIME-UNIT": "MICROSECOND"},
    ) as response:
        rows = await response.json()
    milliseconds = await simulator.klines(startTime=RUNNING_MS - MINUTE)
    assert [(row[0], row[6]) for row in rows] == [
        (row[0] * 1000, row[6] * 1000 + 999) for row in milliseconds
    ]
    assert [row[1:6] for row in rows] == [row[1:6] for row in milliseconds]


async def test_ui_klines_answer_the_same(simulator: Simulator) -> None:
    status, rows = await simulator.get("/api/v3/uiKlines", symbol="BTCUSDT", interval="1h", limit=3)
    assert (status, rows) == (200, await simulator.klines(interval="1h", limit=3))


@pytest.mark.parametrize(
    ("path", "query", "code", "message"),
    [
        (
            "klines",
            "interval=1m",
            -1102,
            "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
        ),
        (
            "klines",
            "symbol=BTCUSDT",
            -1102,
            "Mandatory parameter 'interval' was not sent, was empty/null, or malformed.",
        ),
        ("klines", "symbol=&interval=1m", -1105, "Parameter 'symbol' was empty."),
        ("klines", "symbol=NOSUCH&interval=1m", -1121, "Invalid symbol."),
        ("klines", "symbol=BTCUSDT&interval=2m", -1120, "Invalid interval."),
        ("klines", "symbol=BTCUSDT&interval=1D", -1120, "Invalid interval."),
        (
            "klines",
            "symbol=btcusdt&interval=1m",
            -1100,
            _ILLEGAL_SYMBOL,
        ),
        (
            "klines",
            "symbol=BTC/USDT&interval=1m",
            -1100,
            _ILLEGAL_SYMBOL,
        ),
        (
            "klines",
            "symbol=BTCUSDT&interval=1m&startTime=now",
            -1100,
            "Illegal characters found in parameter 'startTime'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            "klines",
            "symbol=BTCUSDT&interval=1m&startTime=99999999999999999999",
            -1108,
            "Parameter 'startTime' overflowed.",
        ),
        (
            "klines",
            "symbol=BTCUSDT&interval=1m&limit=0",
            -1130,
            "Data sent for parameter 'limit' is not valid.",
        ),
        (
            "klines",
            "symbol=BTCUSDT&interval=1m&limit=-1",
            -1100,
            "Illegal characters found in parameter 'limit'; legal range is '^[0-9]{1,20}$'.",
        ),
        (
            "klines",
            "symbol=BTCUSDT&interval=1m&timeZone=8",
            -1130,
            "Data sent for parameter 'timeZone' is not valid.",
        ),
        (
            "klines",
            "symbol=BTCUSDT&interval=1m&x=1",
            -1104,
            "Not all sent parameters were read; read '2' parameter(s) but was sent '3'.",
        ),
        (
            "klines",
            "symbol=BTCUSDT&symbol=ETHUSDT&interval=1m",
            -1101,
            "Duplicate values for parameter 'symbol'.",
        ),
        (
            "ticker/price",
            "symbol=BTCUSDT&symbols=[%22ETHUSDT%22]",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "ticker/price",
            "symbols=[%22ETHUSDT%22,%22ETHUSDT%22]",
            -1151,
            "Symbol is present multiple times in the list.",
        ),
        ("ticker/24hr", "symbol=BTCUSDT&type=BIG", -1139, "Invalid ticker type."),
        ("exchangeInfo", "symbolStatus=SLEEPING", -1122, "Invalid symbolStatus."),
        (
            "exchangeInfo",
            "symbol=BTCUSDT&permissions=SPOT",
            -1128,
            "Combination of optional parameters invalid.",
        ),
        (
            "exchangeInfo",
            "permissions=EVERYTHING",
            -1130,
            "Data sent for parameter 'permissions' is not valid.",
        ),
    ],
)
async def test_a_wrong_parameter_is_answered_with_its_documented_code(
    simulator: Simulator, path: str, query: str, code: int, message: str
) -> None:
    async with simulator.session.get(f"/api/v3/{path}?{query}") as response:
        assert response.status == 400
        assert await response.json() == {"code": code, "msg": message}


async def test_an_unknown_path_is_a_404_page(simulator: Simulator) -> None:
    for method, path in (("GET", "/api/v3/klinez"), ("POST", "/api/v3/klines"), ("GET", "/")):
        async with simulator.session.request(method, path) as response:
            assert response.status == 404
            assert response.content_type == "text/html"


@pytest.mark.parametrize(
    ("query", "weight"),
    [
        ("ping", 1),
        ("time", 1),
        ("exchangeInfo", 20),
        ("klines?symbol=BTCUSDT&interval=1m", 2),
        ("klines?symbol=NOSUCH&interval=1m", 2),
        ("uiKlines?symbol=BTCUSDT&interval=1m", 2),
        ("ticker/price?symbol=BTCUSDT", 2),
        ('ticker/price?symbols=["BTCUSDT"]', 4),
        ("ticker/price", 4),
        ("ticker/24hr?symbol=BTCUSDT", 2),
        ('ticker/24hr?symbols=["BTCUSDT","ETHUSDT"]', 2),
        ("ticker/24hr?symbols=[" + ",".join(f'"{number}"' for number in range(21)) + "]", 40),
        ("ticker/24hr", 80),
    ],
)
async def test_a_request_weighs_what_is_documented(
    simulator: Simulator, query: str, weight: int
) -> None:
    async with simulator.session.get(f"/api/v3/{query}") as response:
        assert (
            response.headers["X-MBX-USED-WEIGHT"]
            == response.headers["X-MBX-USED-WEIGHT-1M"]
            == str(weight)
        )


async def test_exchange_info_lists_every_symbol_with_its_tick_and_lot(simulator: Simulator) -> None:
    _, info = await simulator.get("/api/v3/exchangeInfo")
    assert {
        limit["limit"] for limit in info["rateLimits"] if limit["rateLimitType"] == "REQUEST_WEIGHT"
    } == {6000}
    by_name = {symbol["symbol"]: symbol for symbol in info["symbols"]}
    assert len(by_name) > 390
    ticks = {
        name: {rule["filterType"]: rule for rule in by_name[name]["filters"]} for name in by_name
    }
    for name in ("BTCUSDT", "SHIBUSDT", "ETHBTC"):
        for row in await simulator.klines(name, limit=50):
            assert all(
                Decimal(row[column]) % Decimal(ticks[name]["PRICE_FILTER"]["tickSize"]) == 0
                for column in (1, 2, 3, 4)
            )
            assert Decimal(row[5]) % Decimal(ticks[name]["LOT_SIZE"]["stepSize"]) == 0


async def test_exchange_info_is_filtered_by_symbols_status_and_permissions(
    simulator: Simulator,
) -> None:
    async def names(**values: object) -> set[str]:
        return {
            symbol["symbol"]
            for symbol in (await simulator.get("/api/v3/exchangeInfo", **values))[1]["symbols"]
        }

    assert await names(symbol="BTCUSDT") == {"BTCUSDT"}
    assert await names(symbols='["BTCUSDT","ETHBTC"]') == {"BTCUSDT", "ETHBTC"}
    everything = await names()
    by_status = [await names(symbolStatus=status) for status in ("TRADING", "HALT", "BREAK")]
    assert all(by_status)
    assert set.union(*by_status) == everything
    assert len(everything) == sum(map(len, by_status))
    assert (
        await names(permissions="MARGIN")
        < await names(permissions='["SPOT","MARGIN"]')
        == everything
    )
    assert await names(permissions="LEVERAGED") == set()


async def test_the_24h_ticker_is_the_aggregate_of_the_minutes(simulator: Simulator) -> None:
    opened = RUNNING_MS - 86_400_000 + MINUTE
    rows = [
        *await simulator.klines(startTime=opened, limit=1000),
        *await simulator.klines(startTime=opened + 1000 * MINUTE, limit=1000),
    ]
    _, ticker = await simulator.get("/api/v3/ticker/24hr", symbol="BTCUSDT")
    assert len(rows) == 1440
    assert ticker["openPrice"] == rows[0][1]
    assert ticker["lastPrice"] == rows[-1][4]
    assert Decimal(ticker["highPrice"]) == max(Decimal(row[2]) for row in rows)
    assert Decimal(ticker["volume"]) == sum(Decimal(row[5]) for row in rows)
    assert Decimal(ticker["quoteVolume"]) == sum(Decimal(row[7]) for row in rows)
    assert (
        ticker["count"] == sum(row[8] for row in rows) == ticker["lastId"] - ticker["firstId"] + 1
    )
    assert (await simulator.get("/api/v3/ticker/price", symbol="BTCUSDT"))[1] == {
        "symbol": "BTCUSDT",
        "price": rows[-1][4],
    }


async def test_tickers_of_all_symbols_come_in_the_order_of_exchange_info(
    simulator: Simulator,
) -> None:
    _, info = await simulator.get("/api/v3/exchangeInfo")
    names = [symbol["symbol"] for symbol in info["symbols"]]
    tickers: list[dict[str, str]] = []
    for path, values in (("price", {}), ("24hr", {}), ("24hr", {"type": "MINI"})):
        _, tickers = await simulator.get(f"/api/v3/ticker/{path}", **values)
        assert [ticker["symbol"] for ticker in tickers] == names
        json.dumps(tickers, allow_nan=False)
    largest = max(
        (ticker for ticker in tickers if ticker["symbol"].endswith("USDT")),
        key=lambda ticker: Decimal(ticker["quoteVolume"]),
    )
    assert largest["symbol"] == "BTCUSDT"


async def test_a_symbol_status_filters_tickers_and_contradicts_a_single_one(
    simulator: Simulator,
) -> None:
    _, halted = await simulator.get("/api/v3/ticker/price", symbolStatus="HALT")
    assert 0 < len(halted) < 50
    status, error = await simulator.get(
        "/api/v3/ticker/price", symbol="BTCUSDT", symbolStatus="HALT"
    )
    assert (status, error["code"]) == (400, -1220)


async def test_a_symbol_does_not_exist_before_it_is_listed() -> None:
    async with (
        running(SimulatorSettings(now_ms=1_546_300_800_000, speed=0)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        async with session.get("/api/v3/exchangeInfo") as response:
            names = {symbol["symbol"] for symbol in (await response.json())["symbols"]}
        async with session.get("/api/v3/klines?symbol=SOLUSDT&interval=1d") as response:
            assert (await response.json())["code"] == -1121
    assert "BTCUSDT" in names
    assert "SOLUSDT" not in names
