"""Independent clients read the simulator: ccxt and python-binance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.conftest import NOW_MS

if TYPE_CHECKING:
    from tests.simulator.conftest import Simulator

MINUTE = 60_000
OPEN_MS = NOW_MS - NOW_MS % MINUTE


def ccxt_reads(url: str) -> dict[str, Any]:
    ccxt = pytest.importorskip("ccxt")
    exchange = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}}})
    exchange.urls["api"]["public"] = f"{url}/api/v3"
    return {
        "markets": exchange.load_markets(),
        "newest": exchange.fetch_ohlcv("BTC/USDT", "1m", limit=5),
        "since": exchange.fetch_ohlcv("BTC/USDT", "1h", since=OPEN_MS - 10 * 60 * MINUTE, limit=3),
        "ticker": exchange.fetch_ticker("ETH/USDT"),
        "tickers": exchange.fetch_tickers(["BTC/USDT", "ETH/USDT"]),
        "time": exchange.fetch_time(),
    }


async def test_ccxt_reads_markets_candles_and_tickers(simulator: Simulator) -> None:
    read = await asyncio.to_thread(ccxt_reads, simulator.url)
    assert len(read["markets"]) > 390
    market = read["markets"]["BTC/USDT"]
    assert (market["active"], market["spot"], market["precision"]["price"]) == (True, True, 0.01)
    assert not all(market_info["active"] for market_info in read["markets"].values())
    assert read["newest"] == [
        [row[0], *map(float, row[1:6])] for row in await simulator.klines(limit=5)
    ]
    hours = await simulator.klines(interval="1h", startTime=OPEN_MS - 10 * 60 * MINUTE, limit=3)
    assert read["since"] == [[row[0], *map(float, row[1:6])] for row in hours]
    assert read["ticker"]["last"] == float((await simulator.klines("ETHUSDT", limit=1))[0][4])
    assert set(read["tickers"]) == {"BTC/USDT", "ETH/USDT"}
    assert read["time"] == NOW_MS


def python_binance_reads(url: str) -> dict[str, Any]:
    binance = pytest.importorskip("binance.client")
    client = binance.Client(ping=False)
    client.API_URL = f"{url}/api"
    try:
        with pytest.raises(binance.BinanceAPIException) as refused:
            client.get_klines(symbol="NOSUCH", interval="1m")
        return {
            "ping": client.ping(),
            "info": client.get_exchange_info(),
            "klines": client.get_klines(symbol="BTCUSDT", interval="1m", limit=5),
            "history": client.get_historical_klines(
                "BTCUSDT", "1m", OPEN_MS - 2500 * MINUTE, OPEN_MS - 1
            ),
            "prices": client.get_all_tickers(),
            "refused": refused.value,
        }
    finally:
        client.close_connection()
        client.loop.close()


async def test_python_binance_reads_symbols_candles_and_prices(simulator: Simulator) -> None:
    read = await asyncio.to_thread(python_binance_reads, simulator.url)
    assert read["ping"] == {}
    assert read["klines"] == await simulator.klines(limit=5)
    assert [row[0] for row in read["history"]] == [
        OPEN_MS - step * MINUTE for step in range(2500, 0, -1)
    ]
    assert {price["symbol"] for price in read["prices"]} == {
        symbol["symbol"] for symbol in read["info"]["symbols"]
    }
    assert (read["refused"].status_code, read["refused"].code) == (400, -1121)
