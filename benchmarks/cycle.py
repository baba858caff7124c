"""A cycle of 50 symbols × 6 timeframes × 100 candles, from another process to committed rows."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.exchange import MINUTE_MS, exchange
from benchmarks.places import KINDS
from benchmarks.report import median_of, worst_of
from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.foreground import foreground
from penstock.market.collect.result import CollectResult
from penstock.market.instrument import Status
from penstock.market.runs.orders import CollectOrder
from penstock.settings import load_settings
from tests.statements import statements_sent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.exchange import Exchange
    from benchmarks.places import Places
    from benchmarks.report import Figure
    from benchmarks.sizes import Sizes
    from penstock.app import App
    from penstock.settings import Settings

TIMEFRAMES = ("1m", "5m", "15m", "1h", "4h", "1d")
_CANDLES = 100
_LATENCY_MS = 50
_NEXT_CYCLES = 2
_MOST_STATEMENTS = 20
# The limit of each case: seconds of App.collect.
_LIMITS = {
    "cold": 3.0,
    "next": 1.5,
    f"cold, {_LATENCY_MS} ms a request": 4.0,
    "cold, exchange warm": 3.0,
}


@dataclass(frozen=True, slots=True)
class _Cycle:
    """A cycle as measured from outside, and as reported."""

    seconds: float
    reported: float
    statements: int
    written: int
    rows: int


def settings_for(database_url: str, exchange_url: str) -> Settings:
    """A user's settings without the weight limit, which is off in the simulator too."""
    return load_settings(
        database_url=database_url, binance_url=exchange_url, binance_weight_per_minute=10**9
    )


async def listed(app: App, count: int) -> list[str]:
    """The first symbols quoted in USDT."""
    instruments = await (await app.of(MarketParts).sources.get("binance")).instruments()
    found = [
        listed.symbol
        for listed in instruments
        if listed.quote == "USDT" and listed.status is Status.TRADING
    ][:count]
    if len(found) < count:
        message = f"the simulator lists {len(found)} symbols, not {count}"
        raise RuntimeError(message)
    return found


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Seconds and statements of every case, on both databases in turn."""
    cycles: defaultdict[tuple[str, str], list[_Cycle]] = defaultdict(list)
    for _ in range(sizes.cycle_rounds):
        for kind in KINDS:
            for case, cycle in _round(places, kind, sizes.cycle_symbols):
                cycles[kind, case].append(cycle)
    for kind in KINDS:
        for case, limit in _LIMITS.items():
            yield from _figures(kind, case, limit, cycles[kind, case])


def _round(places: Places, kind: str, symbols: int) -> Iterator[tuple[str, _Cycle]]:
    """Each case once, cold cycles on a new database.

    Except where the case says so, the exchange is new too and has generated no candle yet.
    """
    with exchange() as simulator:
        with places.fresh(kind) as url:
            first, *more = asyncio.run(_cycles(url, simulator, symbols, more=_NEXT_CYCLES))
        yield "cold", first
        yield from (("next", cycle) for cycle in more)
        with places.fresh(kind) as url:
            yield "cold, exchange warm", asyncio.run(_cycles(url, simulator, symbols, more=0))[0]
    with exchange() as simulator, places.fresh(kind) as url:
        simulator.delay(_LATENCY_MS)
        yield (
            f"cold, {_LATENCY_MS} ms a request",
            asyncio.run(_cycles(url, simulator, symbols, more=0))[0],
        )


async def _cycles(url: str, simulator: Exchange, symbols: int, *, more: int) -> list[_Cycle]:
    """A cycle into the empty database, then `more` cycles one minute apart."""
    async with open_app(settings_for(url, simulator.url)) as app:
        order = CollectOrder(
            symbols=await listed(app, symbols), timeframes=TIMEFRAMES, limit=_CANDLES
        )
        cycles = [await _cycle(app, order)]
        if cycles[0].written < 0.9 * symbols * len(TIMEFRAMES) * _CANDLES:
            message = f"the cold cycle wrote {cycles[0].written} candles only"
            raise RuntimeError(message)
        for _ in range(more):
            await asyncio.to_thread(simulator.move_on, MINUTE_MS)
            cycles.append(await _cycle(app, order))
        return cycles


async def _cycle(app: App, order: CollectOrder) -> _Cycle:
    started = time.perf_counter()
    submission = await app.of(MarketParts).runs.submission(order)
    async with foreground(app) as here:
        ordered = time.perf_counter()
        with statements_sent() as sent:
            result = await here.outcome(await here.submit(submission))
    ended = time.perf_counter()
    if not isinstance(result, CollectResult):
        raise TypeError
    if result.failures or result.rejected:
        message = f"the cycle has failures: {dict(result.failures)} {dict(result.rejected)}"
        raise RuntimeError(message)
    counters = result.counters
    return _Cycle(
        ended - started,
        ended - ordered,
        len(sent),
        counters.written,
        counters.written + counters.unchanged,
    )


def _figures(kind: str, case: str, limit: float, cycles: list[_Cycle]) -> Iterator[Figure]:
    written, rows = cycles[-1].written, cycles[-1].rows
    note = f"{rows:,} candles answered, {written:,} new or changed"
    yield median_of(
        f"cycle {case}", kind, "s", [cycle.seconds for cycle in cycles], limit=limit, note=note
    )
    yield median_of(
        f"cycle {case}, as reported",
        kind,
        "s",
        [cycle.reported for cycle in cycles],
        note="without looking up the symbols",
    )
    if case in {"cold", "next"}:
        yield worst_of(
            f"cycle {case}, statements",
            kind,
            "",
            [float(cycle.statements) for cycle in cycles],
            limit=_MOST_STATEMENTS,
        )
