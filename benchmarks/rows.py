"""Parsed candles as in a cycle: pages of 100 rows of one series each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.market.candle import Candle
from penstock.market.collect.coverage import Look, SpanState
from penstock.market.collect.page import CandleFlush, CandlePage, SeriesTarget
from penstock.market.instrument import Instrument, SeriesKey, Status
from penstock.market.timeframe import Timeframe
from penstock.runs.context import RunContext, Shown
from penstock.runs.run import Submission
from penstock.store.write.candles import SqlCandleStore
from tests.dispatches import ledger_over, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.store.session.database import Database

ROWS_IN_A_PAGE = 100
ROWS_IN_A_FLUSH = 10_000
_TIMEFRAMES = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1)
_NOW_MS = 1_748_788_230_000


@dataclass(frozen=True, slots=True)
class Rows:
    """The candles of each series, and the series."""

    keys: Sequence[SeriesKey]
    candles: Sequence[Sequence[Candle]]

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(map(len, self.candles))

    def first(self, rows: int) -> Rows:
        """The first series with `count` rows together."""
        pages = -(-rows // ROWS_IN_A_PAGE)
        return Rows(self.keys[:pages], self.candles[:pages])


def make_rows(count: int) -> Rows:
    """Deterministic random walks with an exchange's digits; each newest candle is open."""
    chance = random.Random(7)
    keys = make_keys(count // ROWS_IN_A_PAGE)
    return Rows(keys, [_walk(chance, key.timeframe) for key in keys])


def make_keys(count: int) -> list[SeriesKey]:
    """Series of invented coins, six timeframes each."""
    return [_key(number) for number in range(count)]


def _key(number: int) -> SeriesKey:
    symbol, timeframe = divmod(number, len(_TIMEFRAMES))
    base = f"COIN{symbol}"
    instrument = Instrument(
        exchange="binance",
        native_symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        status=Status.TRADING,
    )
    return SeriesKey(instrument, _TIMEFRAMES[timeframe])


def _walk(chance: random.Random, timeframe: Timeframe) -> list[Candle]:
    newest = timeframe.floor(_NOW_MS)
    opens = [timeframe.shift(newest, place - ROWS_IN_A_PAGE + 1) for place in range(ROWS_IN_A_PAGE)]
    cents = chance.randrange(100, 9_000_000)
    return [
        _candle(chance, opened, timeframe.shift(opened, 1) - 1, cents + chance.randrange(-50, 50))
        for opened in opens
    ]


def _candle(chance: random.Random, opened: int, closed: int, cents: int) -> Candle:
    volume, taker = chance.randrange(10**9, 10**13), chance.randrange(10**8, 10**12)
    return Candle(
        open_time=opened,
        open=_text(cents * 10**6),
        high=_text((cents + 12) * 10**6),
        low=_text((cents - 9) * 10**6),
        close=_text((cents + 3) * 10**6),
        volume=_text(volume),
        close_time=closed,
        quote_volume=_text(volume * cents // 100),
        trades=chance.randrange(1, 50_000),
        taker_base=_text(taker),
        taker_quote=_text(taker * cents // 100),
    )


def _text(units: int) -> str:
    """A number with eight decimals, as Binance writes it."""
    return f"{units // 10**8}.{units % 10**8:08d}"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A started run with open series."""

    store: SqlCandleStore
    context: RunContext
    targets: Sequence[SeriesTarget]

    def flushes(self, rows: Rows) -> list[CandleFlush]:
        """The rows as a run passes them to the store, with their coverage."""
        pages = [
            self._page(target, candles)
            for target, candles in zip(self.targets, rows.candles, strict=True)
        ]
        step = ROWS_IN_A_FLUSH // ROWS_IN_A_PAGE
        groups = [pages[first : first + step] for first in range(0, len(pages), step)]
        return [
            CandleFlush(
                pages=group,
                coverage=[
                    (page.target.series_id, page.target.coverage.changes()) for page in group
                ],
                shown=Shown(100, "merged"),
            )
            for group in groups
        ]

    @staticmethod
    def _page(target: SeriesTarget, candles: Sequence[Candle]) -> CandlePage:
        target.coverage.mark(candles[0].open_time, candles[-1].open_time, SpanState.STORED)
        look = Look(candles[-1].close_time, "binance")
        return CandlePage(
            target=target, candles=candles, closed=len(candles) - 1, look=look, last=True
        )


async def open_run(database: Database, keys: Sequence[SeriesKey]) -> OpenRun:
    """Start a run over these series."""
    store = SqlCandleStore(database)
    ledger = ledger_over(database)
    task_id = await ledger.submit(Submission(kind="data_collection", params={}))
    (run,) = await take(ledger, task_id=task_id)
    context = RunContext(run, ledger)
    return OpenRun(store, context, await store.open_series(context, keys))
