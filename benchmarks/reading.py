"""Reads of the newest 500 candles of one series among 5,000,000 stored ones.

The rows are stored as collections leave them: the history of each series together, as a backfill
writes it, then the newest 500 of all series minute by minute, as cycles write them. PostgreSQL
keeps that order, so there the rows to read are far apart.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import psycopg

from benchmarks.noise import sample_ms
from benchmarks.places import KINDS, POSTGRESQL, driver_url
from benchmarks.report import Figure, median_of, percentile
from benchmarks.rows import make_keys, open_run
from penstock.market.queries.candles import CandleQuery, read_candles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes
    from penstock.market.instrument import SeriesKey
    from penstock.store.session.database import Database

_NEWEST = 500
_P99_LIMIT_MS = 5.0
_FIRST_MS = 1_700_000_040_000
_COLUMNS = (
    "series_id, open_time, close_time, open, high, low, close, volume, "
    "quote_volume, taker_base, taker_quote, trades, run_id, closed"
)
# Digits like an exchange's, from series s and step n, in the order of the columns.
_WHOLE = (
    "s*97 + n%100",
    "s*97 + 101",
    "s*97",
    "s*97 + n%90",
    "n%9000",
    "s*97*(n%9000)",
    "n%4000",
    "s*97*(n%4000)",
)
_FRACTION = "(s*7919 + n*104729) % 100000000"
_SQLITE_NUMBERS = ", ".join(f"printf('%d.%08d', {whole}, {_FRACTION})" for whole in _WHOLE)
# The driver takes a single % for a parameter.
_POSTGRES_NUMBERS = ", ".join(f"{whole} + {_FRACTION} * 0.00000001" for whole in _WHOLE).replace(
    "%", "%%"
)
_SQLITE_FILL = f"""
WITH RECURSIVE series(s) AS (SELECT 1 UNION ALL SELECT s + 1 FROM series WHERE s < :series),
steps(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM steps WHERE n < :last)
INSERT INTO candle ({_COLUMNS})
SELECT s, {_FIRST_MS} + n * 60000, {_FIRST_MS} + n * 60000 + 59999,
    {_SQLITE_NUMBERS}, n % 5000, 1, 1
FROM series CROSS JOIN steps
"""
_POSTGRES_FILL = f"""
INSERT INTO candle ({_COLUMNS})
SELECT s, to_timestamp(({_FIRST_MS} + n * 60000) / 1000.0),
    to_timestamp(({_FIRST_MS} + n * 60000 + 59999) / 1000.0),
    {_POSTGRES_NUMBERS}, n %% 5000, 1, true
FROM generate_series(1::bigint, %(series)s) AS s
CROSS JOIN generate_series(%(first)s::bigint, %(last)s) AS n
ORDER BY
"""


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Milliseconds of a read, on each database."""
    for kind in KINDS:
        filled, reads, work = asyncio.run(_reads(places, kind, sizes))
        rows = sizes.stored_series * sizes.stored_each
        note = f"of {rows:,} in {sizes.stored_series} series, through Database.read"
        value = percentile(reads, 99)
        yield Figure(
            name=f"newest {_NEWEST}, p99",
            database=kind,
            unit="ms",
            samples=reads,
            value=value,
            limit=_P99_LIMIT_MS,
            note=note,
        )
        yield median_of(f"newest {_NEWEST}, median", kind, "ms", reads)
        value = percentile(work, 99)
        yield Figure(
            name="fixed work meanwhile, p99",
            database=kind,
            unit="ms",
            samples=work,
            value=value,
            note="the machine's noise",
        )
        yield median_of(
            "filling that table", kind, "s", [filled], note="by SQL, not Penstock's work"
        )


async def _reads(places: Places, kind: str, sizes: Sizes) -> tuple[float, list[float], list[float]]:
    async with places.migrated(kind) as database:
        keys = make_keys(sizes.stored_series)
        opened = await open_run(database, keys)
        if {target.series_id for target in opened.targets} != set(range(1, len(keys) + 1)):
            message = "the series of an empty database are not numbered from 1"
            raise RuntimeError(message)
        started = time.perf_counter()
        if kind == POSTGRESQL:
            await asyncio.to_thread(_fill_postgres, driver_url(database), sizes)
        else:
            await database.write(lambda connection: _fill_sqlite(connection, sizes))
        filled = time.perf_counter() - started
        chance = random.Random(11)
        reads, work = [], []
        for _ in range(sizes.reads):
            reads.append(await _read(database, chance.choice(keys)))
            work.append(sample_ms())
        return filled, reads, work


async def _read(database: Database, key: SeriesKey) -> float:
    query = CandleQuery(
        exchange=key.instrument.exchange,
        symbol=key.instrument.symbol,
        timeframe=key.timeframe,
        limit=_NEWEST,
    )
    started = time.perf_counter()
    rows = await database.read(lambda connection: read_candles(connection, query))
    elapsed_ms = (time.perf_counter() - started) * 1000
    if len(rows) != _NEWEST:
        message = f"{key} gave {len(rows)} rows"
        raise RuntimeError(message)
    return elapsed_ms


def _fill_sqlite(connection: Connection, sizes: Sizes) -> None:
    parameters = {"series": sizes.stored_series, "first": 0, "last": sizes.stored_each - 1}
    connection.exec_driver_sql(_SQLITE_FILL, parameters)


def _fill_postgres(url: str, sizes: Sizes) -> None:
    border = sizes.stored_each - _NEWEST
    with psycopg.connect(url, autocommit=True) as connection:
        for first, last, order in (
            (0, border - 1, "s, n"),
            (border, sizes.stored_each - 1, "n, s"),
        ):
            connection.execute(
                _POSTGRES_FILL + order,
                {"series": sizes.stored_series, "first": first, "last": last},
            )
        connection.execute("VACUUM (ANALYZE) candle")
