"""The raw way of each database, which the merge is measured against: the same rows into an identical empty table, and nothing else.

A raw load takes the same parsed candles, renders them as its database wants them and commits as often as the merge does: once for every
10,000 rows. It checks nothing, merges nothing and counts nothing.
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
# Those of penstock.store.sqlite.engine for its writer.
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "wal_autocheckpoint = 4000",
    "cache_size = -16000",
)


def raw_copy(connection: psycopg.Connection, rows: Rows) -> tuple[float, float]:
    """Seconds from parsed candles to the last commit, and those of them that COPY and commit took."""
    started, copied = time.perf_counter(), 0.0
    times: dict[int, str] = {}
    for pages in _transactions(rows):
        text = "".join(
            _line(series_id, candle, place < len(page) - 1, times)
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
    """Series ids and their pages, as many as go into one transaction."""
    pages = list(enumerate(rows.candles, start=1))
    step = ROWS_IN_A_FLUSH // ROWS_IN_A_PAGE
    for first in range(0, len(pages), step):
        yield pages[first : first + step]


def _tuples(pages: Sequence[tuple[int, Sequence[Candle]]]) -> Iterator[tuple[object, ...]]:
    for series_id, page in pages:
        newest = len(page) - 1
        for place, candle in enumerate(page):
            yield (series_id, *msgspec.structs.astuple(candle), place < newest, 1)


def _line(series_id: int, candle: Candle, closed: bool, times: dict[int, str]) -> str:  # noqa: FBT001 - a column like the others
    c = candle
    opens = times.get(c.open_time) or _timestamp(c.open_time, times)
    closes = times.get(c.close_time) or _timestamp(c.close_time, times)
    return (
        f"{series_id}\t{opens}\t{c.open}\t{c.high}\t{c.low}\t{c.close}\t{c.volume}\t{closes}\t{c.quote_volume}\t{c.trades}"
        f"\t{c.taker_base}\t{c.taker_quote}\t{'t' if closed else 'f'}\t1\n"
    )


def _timestamp(at_ms: int, times: dict[int, str]) -> str:
    """The text of a time, kept: the same ones come with every symbol."""
    text = times[at_ms] = dt.datetime.fromtimestamp(at_ms / 1000, tz=dt.UTC).isoformat(
        timespec="milliseconds"
    )
    return text
