"""Collections from the simulator over HTTP: `open_world(...)` gives application and exchange."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from sqlalchemy import select, text

from penstock.app import App, open_app
from penstock.market.collect.coverage import Span, SpanState
from penstock.market.runs.orders import CollectOrder
from penstock.market.tables import candle as candle_table
from penstock.market.tables import coverage, instrument, series
from penstock.market.timeframe import Timeframe
from penstock.script import CollectReport, collect_into
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from penstock.settings import Settings

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# With these settings no run counts as dead on a slow machine, except one without a heartbeat for a
# minute.
CALM: dict[str, Any] = {"heartbeat_s": 10.0, "dead_after_s": 30.0}

# The order of a klines row without its last, unused field.
ROW = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_base",
    "taker_quote",
)


def ms(moment: str) -> int:
    """A moment in UTC, such as 2023-05-17T12:34:30."""
    return int(dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC).timestamp() * 1_000)


# Within a minute, an hour, a day and a week; the clock stands still until a test sets it.
NOW = ms("2023-05-17T12:34:30")


@dataclass(frozen=True)
class Exchange:
    """The simulated exchange."""

    url: str
    session: aiohttp.ClientSession

    async def move_to(self, now_ms: int) -> None:
        await self._admin("PUT", "clock", {"now": now_ms, "speed": 0})

    async def faults(self, *faults: dict[str, Any]) -> None:
        """Set exactly these faults, and reset the count of requests."""
        await self._admin("PUT", "faults", list(faults))
        await self._admin("DELETE", "requests")

    async def asked(self, path: str = "/api/v3/klines") -> list[dict[str, Any]]:
        """The requests to a path since the last reset, each with its time."""
        return [request for request in await self.requests() if request["path"] == path]

    async def requests(self) -> list[dict[str, Any]]:
        """All requests since the last reset, those to CardTrader too."""
        found: list[dict[str, Any]] = (await self._admin("GET", "requests?limit=10000"))["newest"]
        return found

    async def _admin(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        async with self.session.request(
            method, f"{self.url}/simulator/{path}", json=body
        ) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def rows(
        self, symbol: str, timeframe: str, start: int = 0, end: int | None = None
    ) -> list[list[Any]]:
        """All rows of a series in `start ≤ t < end`, page by page; without faults."""
        rows: list[list[Any]] = []
        while True:
            params: dict[str, str | int] = {
                "symbol": symbol,
                "interval": timeframe,
                "limit": 1_000,
                "startTime": start,
            }
            if end is not None:
                params["endTime"] = end - 1
            async with self.session.get(f"{self.url}/api/v3/klines", params=params) as response:
                assert response.status == 200, await response.text()
                page: list[list[Any]] = await response.json()
            rows += [row[:-1] for row in page]
            if len(page) < 1_000:
                return rows
            start = page[-1][0] + 1

    async def first(self, symbol: str, timeframe: str) -> int:
        """The open time of the oldest candle."""
        params: dict[str, str | int] = {
            "symbol": symbol,
            "interval": timeframe,
            "limit": 1,
            "startTime": 0,
        }
        async with self.session.get(f"{self.url}/api/v3/klines", params=params) as response:
            opened: int = (await response.json())[0][0]
            return opened


@dataclass(frozen=True)
class World:
    """An application with its database, and the exchange."""

    app: App
    exchange: Exchange

    async def collect(
        self,
        *symbols: str,
        timeframes: str = "1m",
        limit: int | None = None,
        since: int | None = None,
    ) -> CollectReport:
        return await collect_into(
            self.app,
            CollectOrder(symbols=symbols, timeframes=timeframes.split(), limit=limit, since=since),
        )

    async def read(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        def query(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

        return await self.app.database.read(query)

    async def stored(self, symbol: str = "BTCUSDT", timeframe: str = "1m") -> list[dict[str, Any]]:
        """The candles of a series, in order."""
        query = (
            select(candle_table)
            .join(series, series.c.id == candle_table.c.series_id)
            .join(instrument, instrument.c.id == series.c.instrument_id)
        )
        query = query.where(
            instrument.c.native_symbol == symbol, series.c.timeframe == timeframe
        ).order_by(candle_table.c.open_time)
        return await self.app.database.read(
            lambda connection: [dict(row) for row in connection.execute(query).mappings()]
        )

    async def table(self, symbol: str = "BTCUSDT", timeframe: str = "1m") -> list[list[Any]]:
        """The candles of a series as the exchange sends them."""
        return [[row[name] for name in ROW] for row in await self.stored(symbol, timeframe)]

    async def spans(self, symbol: str = "BTCUSDT", timeframe: str = "1m") -> list[Span]:
        query = select(coverage.c.start_time, coverage.c.end_time, coverage.c.state).join(
            series, series.c.id == coverage.c.series_id
        )
        query = query.join(instrument, instrument.c.id == series.c.instrument_id)
        query = query.where(
            instrument.c.native_symbol == symbol, series.c.timeframe == timeframe
        ).order_by(coverage.c.start_time)
        return await self.app.database.read(
            lambda connection: [
                Span(row.start_time, row.end_time, SpanState(row.state))
                for row in connection.execute(query)
            ]
        )

    async def check_coverage(self, symbol: str = "BTCUSDT", timeframe: str = "1m") -> None:
        """Assert that the STORED spans cover exactly the closed candles."""
        step = Timeframe(timeframe)
        covered = [
            span for span in await self.spans(symbol, timeframe) if span.state is SpanState.STORED
        ]
        closed = [row for row in await self.stored(symbol, timeframe) if row["closed"]]
        named: list[int] = []
        for span in covered:
            at = span.start
            while at < span.end:
                named.append(at)
                at = step.shift(at, 1)
        assert named == [row["open_time"] for row in closed]

    async def last_run(self) -> dict[str, Any]:
        return (await self.read("SELECT * FROM run ORDER BY id DESC LIMIT 1"))[0]

    async def refused(self) -> list[str]:
        """The reasons in quarantine."""
        return [
            row["reason"] for row in await self.read("SELECT reason FROM quarantine ORDER BY id")
        ]


def settings_for(database_url: str, exchange_url: str, **given: Any) -> Settings:
    """Settings with short pauses, and deadlines that a slow machine meets."""
    patient = {"request_deadline_s": 60.0, "request_idle_s": 60.0, "database_timeout_s": 60.0}
    short = {
        "request_attempts": 2,
        "request_longest_pause_s": 3.0,
        "binance_weight_per_minute": 1_000_000,
    }
    return load_settings(
        database_url=database_url,
        **({"binance_url": exchange_url, "cardtrader_url": exchange_url} | patient | short | given),
    )


@contextlib.asynccontextmanager
async def simulated(**settings: Any) -> AsyncIterator[Exchange]:
    """A simulator whose clock stands at NOW."""
    given = {"symbols": 12, "now_ms": NOW, "speed": 0, "limits": False} | settings
    async with running(SimulatorSettings(**given)) as url, aiohttp.ClientSession() as session:
        yield Exchange(url, session)


@contextlib.asynccontextmanager
async def open_world(
    database_url: str, *, simulator: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[World]:
    async with (
        simulated(**(simulator or {})) as exchange,
        open_app(settings_for(database_url, exchange.url, **settings)) as app,
    ):
        yield World(app, exchange)
