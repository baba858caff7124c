"""A third source, a small exchange unlike Binance, declared in this file by an entry point.

It keeps only the newest candles, sends them newest first, leaves quiet minutes out, flags what is
closed, sends only a volume of each, and counts requests.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from penstock.http.client import HttpClient, HttpHabits
from penstock.http.governor import Governor
from penstock.http.source import HttpSource
from penstock.market.candle import Candle
from penstock.market.instrument import Instrument, Status
from penstock.market.source import Declaration, Limit, PageAnswer, PageRequest, Quiet, SourceConfig
from penstock.market.timeframe import Timeframe
from tests.acceptance.plugged import commands, get, installed, until_ended
from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

# ── The source: everything that its package would contain

EXCHANGE = "tiny"
_MINUTE = 60_000
_HISTORY = 60
_PAGE = 20


class Row(msgspec.Struct, array_like=True):
    """Open time in seconds, prices, volume, and whether the candle is closed."""

    opened: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    closed: bool


class TinySource(HttpSource):
    """A market source with a fixed page size, over a server of the test."""

    declaration = Declaration(
        name=EXCHANGE,
        page_limit=_PAGE,
        limit=Limit(amount=300, window_s=10),
        timeframes=frozenset({Timeframe.M1}),
        history=_HISTORY,
        newest_first=True,
        quiet=Quiet.ABSENT,
        columns=frozenset({"volume"}),
    )
    real_time = False
    pages_per_minute = 1_800

    def __init__(self, config: SourceConfig) -> None:
        governor = Governor(config.limit_per_window or self.declaration.limit.amount, config.budget)
        url = config.base_url or "https://tiny.example"
        super().__init__(HttpClient(url, governor, config.http, HttpHabits()))

    async def server_time(self) -> int:
        return (
            await self._http.get("/time", {}, weight=1, decode=msgspec.json.Decoder(int).decode)
            * 1_000
        )

    async def instruments(self) -> Sequence[Instrument]:
        names = await self._http.get(
            "/list", {}, weight=1, decode=msgspec.json.Decoder(list[str]).decode
        )
        split = [(name, *name.split("-")) for name in names]
        return [
            Instrument(
                exchange=EXCHANGE, native_symbol=name, base=base, quote=quote, status=Status.TRADING
            )
            for name, base, quote in split
        ]

    async def volumes(self) -> Mapping[str, float]:
        return {}

    async def candles(self, request: PageRequest) -> PageAnswer:
        edges = {
            "from": (request.start or 0) // 1_000,
            "to": 2**40 if request.end is None else request.end // 1_000,
            "limit": request.limit,
        }
        params = {name: str(value) for name, value in edges.items()}
        rows = await self._http.get(
            "/candles", params, weight=1, decode=msgspec.json.Decoder(list[Row]).decode
        )
        closed = [row.opened * 1_000 for row in rows if row.closed]
        return PageAnswer(
            [_candle(row) for row in rows], closed_before=max(closed, default=-_MINUTE) + _MINUTE
        )


def _candle(row: Row) -> Candle:
    opened = row.opened * 1_000
    return Candle(
        open_time=opened,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        close_time=opened + _MINUTE - 1,
        quote_volume=None,
        trades=None,
        taker_base=None,
        taker_quote=None,
    )


# ── What Penstock provides for it

_NOW_S = 1_768_478_430
_NOON = 1_768_478_400_000
_QUIET = {20, 21, 40}


def opens(ago: int) -> int:
    """The open time, in seconds, of the candle this many minutes before the running one."""
    return _NOON // 1_000 - 60 * ago


@dataclass
class Tiny:
    """The exchange's server."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        if request.path != "/candles":
            return web.json_response(_NOW_S if request.path == "/time" else ["BTC-EUR"])
        low, high, limit = (int(request.query[name]) for name in ("from", "to", "limit"))
        rows = [
            self.row(ago)
            for ago in range(_HISTORY)
            if ago not in _QUIET and low <= opens(ago) < high
        ]
        return web.json_response(rows[:limit])

    @staticmethod
    def row(ago: int) -> list[Any]:
        return [
            opens(ago),
            f"{100 + ago}.5",
            f"{102 + ago}",
            f"{99 + ago}.25",
            f"{101 + ago}",
            f"{ago}.75",
            ago > 0,
        ]


@contextlib.asynccontextmanager
async def tiny_open() -> AsyncIterator[Tiny]:
    tiny, app = Tiny(), web.Application()
    app.router.add_get("/{path:.*}", tiny.answer)
    async with served(app) as tiny.url:
        yield tiny


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return installed(tmp_path, "penstock.sources", EXCHANGE, f"{__name__}:TinySource")


async def test_it_is_collected_completely_and_nothing_is_invented(
    database_url: str, package: Path, tmp_path: Path
) -> None:
    async with tiny_open() as tiny:
        penstock = commands(package, tmp_path, database_url=database_url, tiny_url=tiny.url)
        since = ("--since", "2026-01-15T10:00")
        code, said = await penstock(
            "collect", "BTC/EUR", "-t", "1m", "--exchange", EXCHANGE, *since, "--json"
        )
        assert code == 0, said
        # The oldest candle may be gone when it is requested.
        there = _HISTORY - 1 - len(_QUIET)
        assert (json.loads(said)["candles_written"], json.loads(said)["failures"]) == (there, {})
        code, said = await penstock("coverage", "BTC/EUR", "--exchange", EXCHANGE, "--json")
        assert code == 0, said
        [series] = json.loads(said)
        spans = [(span["state"], minutes(span)) for span in series["spans"]]
        assert [span for span in spans if span[0] != "stored"] == [
            ("not_collected", 62),
            ("no_trades", 1),
            ("no_trades", 2),
        ]
        async with penstock.serving() as session:
            rows = (
                await get(
                    session, f"/api/v1/candles?symbol=BTC-EUR&timeframe=1m&exchange={EXCHANGE}"
                )
            )["candles"]
            assert len(rows) == there
            assert set(rows[-1]) == {
                "open_time",
                "close_time",
                "open",
                "high",
                "low",
                "close",
                "volume",
                "closed",
            }
            assert [(row["open"], row["closed"]) for row in rows[-2:]] == [
                ("101.5", True),
                ("100.5", False),
            ]
        code, said = await penstock(
            "verify", "BTC/EUR", "--exchange", EXCHANGE, "--against", "rest", "--json"
        )
        assert code == 0, said


def minutes(span: Mapping[str, str]) -> int:
    start, end = (dt.datetime.fromisoformat(span[name]) for name in ("start", "end"))
    return int((end - start).total_seconds() // 60)


async def test_it_is_configured_and_limited_like_any_other(
    sqlite_database: str, package: Path, tmp_path: Path
) -> None:
    async with tiny_open() as tiny:
        penstock = commands(
            package,
            tmp_path,
            database_url=sqlite_database,
            tiny_url=tiny.url,
            binance_url=tiny.url,
            scheduler_delay_s="3600",
        )
        async with penstock.serving() as session:
            configs = "/api/v1/admin/data-collection/configs"
            added = {
                "symbol": "BTC-EUR",
                "exchange": EXCHANGE,
                "timeframes": ["1m"],
                "interval_minutes": 60,
            }
            async with session.post(configs, json=added) as answer:
                config = await answer.json()
            assert (answer.status, config["symbol"]) == (201, "BTC/EUR")
            async with session.post(configs, json=added | {"exchange": "huge"}) as answer:
                refused = (await answer.json())["detail"]
            assert (
                refused == "exchange: unknown exchange 'huge'; use one of binance, cardtrader, tiny"
            )
            async with session.post(f"{configs}/{config['id']}/trigger") as answer:
                task_id = (await answer.json())["task_id"]
            assert (await until_ended(session, task_id))["status"] == "completed"
            async with session.get("/metrics") as answer:
                metrics = await answer.text()
            assert f'provider="{tiny.url}"' in metrics, "the source has its own budget"
