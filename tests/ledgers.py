"""Ledgers for tests: series with their spans, and the exchange's clock."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from penstock.columns import read_clock
from penstock.market.collect.coverage import HELD, Span, SpanState
from penstock.market.collect.evidence import Evidence
from penstock.market.instrument import Instrument, SeriesKey, Status
from penstock.market.tables import coverage, exchange_clock
from penstock.market.timeframe import Timeframe
from tests.market_builders import opened, unfenced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from tests.market_builders import Opened

HOUR = 3_600_000
DAY = 24 * HOUR
# The exchange's time when a test begins: no hour ends before the test does.
NOON = 1_768_478_400_000
PRESENT = NOON + HOUR // 2
ASKED = Evidence(2, NOON - 3 * HOUR, NOON - HOUR, "binance", NOON + HOUR)


def key(symbol: str, timeframe: str = "1h", *, exchange: str = "binance") -> SeriesKey:
    """A series by its unified symbol."""
    base, quote = symbol.split("/")
    instrument = Instrument(
        exchange=exchange, native_symbol=base + quote, base=base, quote=quote, status=Status.TRADING
    )
    return SeriesKey(instrument, Timeframe(timeframe))


def spans(edges: Sequence[int], *states: str | None, step: int = HOUR) -> list[Span]:
    """Adjacent spans of these states; `edges` count steps before noon, None leaves a space."""
    return [
        span(NOON - before * step, NOON - after * step, state)
        for before, after, state in zip(edges, [*edges[1:], 0], states, strict=True)
        if state is not None
    ]


def span(start: int, end: int, state: str) -> Span:
    """A span; a requested gap has the evidence ASKED."""
    asked = SpanState(state) not in {*HELD, SpanState.NOT_COLLECTED}
    return Span(start, end, SpanState(state), ASKED if asked else None)


def fill(url: str, ledger: Mapping[SeriesKey, Sequence[Span]]) -> None:
    """Write a ledger into a migrated database."""

    async def filled(store: Opened) -> None:
        found = await store.store.open_series(unfenced(store.database), list(ledger))
        rows = [
            _row(series.series_id, span)
            for series, spans in zip(found, ledger.values(), strict=True)
            for span in spans
        ]

        def write(connection: Connection) -> None:
            connection.execute(insert(coverage), rows)
            now = read_clock(connection)
            clocks = [
                {"exchange": name, "ahead_ms": PRESENT - now, "looked_at": now}
                for name in {series.instrument.exchange for series in ledger}
            ]
            connection.execute(insert(exchange_clock), clocks)

        await store.database.write(write)

    change(url, filled)


def change(url: str, how: Callable[[Opened], Awaitable[None]]) -> None:
    """Change a migrated database, also while a loop runs."""

    async def changed() -> None:
        async with opened(url, migrated=False) as store:
            await how(store)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, changed()).result()


def _row(series_id: int, span: Span) -> dict[str, Any]:
    known = span.evidence
    row = {
        "series_id": series_id,
        "start_time": span.start,
        "end_time": span.end,
        "state": span.state.value,
        "run_id": 1,
    }
    asked = (
        (None,) * 5
        if known is None
        else (known.asked, known.first_asked, known.last_asked, known.source, known.due)
    )
    return row | dict(
        zip(("asked", "first_asked", "last_asked", "source", "due_at"), asked, strict=True)
    )
