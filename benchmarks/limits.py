"""Raw loads of the same rows into an identical empty table, as the reference of the merge.

A raw load takes the same parsed candles, renders them for its database and commits as often as the
merge: once per 10,000 rows. It checks, merges and counts nothing.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import time
from typing import TYPE_CHECKING

import msgspec

from benchmarks.rows import ROWS_IN_A_FLUSH, ROWS_IN_A_PAGE
from penstock.store.statements.candles import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import psycopg

    from benchmarks.rows import Rows
    from penstock.market.candle import Candle

RAW_TABLE = "raw_candle"
_COLUMNS = ", ".join(COLUMNS)
_COPY = f"COPY {RAW_TABLE} ({_COLUMNS}) FROM STDIN"
_INSERT = f"INSERT INTO candle ({_COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS))})"
# As penstock.store.sqlite.engine for its writer.
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "wal_autocheckpoint = 4000",
    "cache_size = -16000",
)


def raw_copy(connection: psycopg.Connection, rows: Rows) -> tuple[float, float]:
    """Seconds from parsed candles to the last commit, and the part of COPY and commit."""
    started, copied = time.perf_counter(), 0.0
    times: dict[int, str] = {}
    for pages in _transactions(rows):
        text = "".join(
            _line(series_id, candle, times, closed=place < len(page) - 1)
            for series_id, page in pages
            for place, candle in enumerate(page)
        )
        begun = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(text)
        connection.commit()
        copied += time.perf_counter() - begun
    return time.perf_counter() - started, copied


def raw_insert(file: Path, rows: Rows) -> float:
    """Seconds from parsed candles to the last commit."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        started = time.perf_counter()
        for pages in _transactions(rows):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, _tuples(pages))
            connection.execute("COMMIT")
        return time.perf_counter() - started
    finally:
        connection.close()


def _transactions(rows: Rows) -> Iterator[list[tuple[int, Sequence[Candle]]]]:
    """Series ids and pages, grouped by transaction."""
    pages = list(enumerate(rows.candles, start=1))
    step = ROWS_IN_A_FLUSH // ROWS_IN_A_PAGE
    for first in range(0, len(pages), step):
        yield pages[first : first + step]


def _tuples(pages: Sequence[tuple[int, Sequence[Candle]]]) -> Iterator[tuple[object, ...]]:
    for series_id, page in pages:
        newest = len(page) - 1
        for place, candle in enumerate(page):
            yield (series_id, *msgspec.structs.astuple(candle), place < newest, 1)


def _line(series_id: int, candle: Candle, times: dict[int, str], *, closed: bool) -> str:
    c = candle
    opens = times.get(c.open_time) or _timestamp(c.open_time, times)
    closes = times.get(c.close_time) or _timestamp(c.close_time, times)
    values = (
        *(series_id, opens, c.open, c.high, c.low, c.close, c.volume, closes, c.quote_volume),
        *(c.trades, c.taker_base, c.taker_quote, "t" if closed else "f", 1),
    )
    return "\t".join(map(str, values)) + "\n"


def _timestamp(at_ms: int, times: dict[int, str]) -> str:
    """The text of a time, cached because every symbol has the same times."""
    text = times[at_ms] = dt.datetime.fromtimestamp(at_ms / 1000, tz=dt.UTC).isoformat(
        timespec="milliseconds"
    )
    return text
