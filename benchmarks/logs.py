"""Reads of an execution log with 1,000,000 rows of a month: lists, statistics, reports."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.places import KINDS, POSTGRESQL
from benchmarks.report import Figure, median_of, percentile
from penstock.runs import execution_logs as logs
from penstock.runs.execution_logs import LogList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes
    from penstock.store.session.database import Database

_LIST_LIMIT_MS = 50.0
_STATS_LIMIT_MS = 200.0
_MONTH_MS = 30 * 86_400_000
_COLUMNS = (
    "run_id, job_name, job_type, symbol, exchange, started_at, finished_at, duration_seconds, "
    "status, records_collected, metadata"
)
# Row n of a month: 100 symbols, 20 jobs, one in 97 a symbol refresh, one in 50 failed; four rows
# start at the same time.
_VALUES = """n / 4, 'collect_data_' || (n % 20),
    CASE n % 97 WHEN 0 THEN 'symbol_refresh' ELSE 'data_collection' END,
    CASE n % 97 WHEN 0 THEN NULL ELSE 'S' || (n % 100) || '/USDT' END, 'binance',
    {start}, {start}, n % 9 + 0.5,
    CASE n % 50 WHEN 7 THEN 'failed' ELSE 'success' END, n % 600,
    '{{"timeframes": ["1m", "1h"]}}'"""
_START_MS = "{first} + n / 4 * 4 * {step}"
_SQLITE_VALUES = _VALUES.format(start=_START_MS)
# The driver takes a single % for a parameter.
_POSTGRES_VALUES = _VALUES.format(start=f"to_timestamp(({_START_MS}) / 1000.0)").replace("%", "%%")
_INSERT = f"INSERT INTO job_execution_logs ({_COLUMNS}) "
_FILL = {
    "sqlite": (
        "WITH RECURSIVE steps(n) AS "
        "(SELECT {begin} UNION ALL SELECT n + 1 FROM steps WHERE n < {end} - 1) "
        f"{_INSERT} SELECT {_SQLITE_VALUES} FROM steps"
    ),
    "postgresql": (
        f"{_INSERT} SELECT {_POSTGRES_VALUES}::jsonb "
        "FROM generate_series({begin}::bigint, {end} - 1) AS n"
    ),
}
# Rows per statement, so that each ends within the deadline of any statement.
_AT_ONCE = 50_000
_NOW = int(time.time() * 1000)
_LISTS = {
    "newest 100": LogList(limit=100),
    "by job name": LogList(limit=100, job_name="collect_data_7"),
    "by a rare job type": LogList(limit=100, job_type="symbol_refresh"),
    "by symbol": LogList(limit=100, symbol="S42/USDT"),
    "by status": LogList(limit=100, status="failed"),
    "by symbol and status": LogList(limit=100, symbol="S7/USDT", status="failed"),
    "of a week": LogList(limit=100, start=_NOW - 14 * 86_400_000, end=_NOW - 7 * 86_400_000),
    "deep, by cursor": LogList(limit=100, before=(_NOW - 20 * 86_400_000, 10**12)),
    "deep, 1,000 rows": LogList(limit=1_000, before=(_NOW - 20 * 86_400_000, 10**12)),
    "skipping 10,000": LogList(limit=100, skip=10_000),
}


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Milliseconds of each read, on each database."""
    for kind in KINDS:
        for (name, limit), samples in asyncio.run(_measured(places, kind, sizes)).items():
            note = f"of {sizes.log_rows:,} rows, p95"
            value = percentile(samples, 95)
            yield Figure(
                name=f"logs, {name}",
                database=kind,
                unit="ms",
                samples=samples,
                value=value,
                limit=limit,
                note=note,
            )
            yield median_of(f"logs, {name}, median", kind, "ms", samples)


async def _measured(
    places: Places, kind: str, sizes: Sizes
) -> dict[tuple[str, float | None], list[float]]:
    async with places.migrated(kind) as database:
        for begin in range(0, sizes.log_rows, _AT_ONCE):
            end = min(begin + _AT_ONCE, sizes.log_rows)
            await database.write(
                partial(_fill, begin=begin, end=end, step=_MONTH_MS // sizes.log_rows),
                hurried=False,
            )
        if kind == POSTGRESQL:
            await database.write(
                lambda connection: connection.exec_driver_sql("ANALYZE job_execution_logs"),
                hurried=False,
            )
        return {
            key: [await _read(database, read) for _ in range(sizes.log_reads)]
            for key, read in _reads().items()
        }


def _reads() -> Mapping[tuple[str, float | None], Callable[[Connection], object]]:
    lists: dict[tuple[str, float | None], Callable[[Connection], object]]
    lists = {
        (name, _LIST_LIMIT_MS): partial(logs.log_rows, query=query)
        for name, query in _LISTS.items()
    }
    return {
        **lists,
        # Rows this deep should be read by cursor.
        ("skipping 100,000", None): partial(logs.log_rows, query=LogList(limit=100, skip=100_000)),
        ("statistics of 24 h", _STATS_LIMIT_MS): lambda connection: logs.log_stats(
            connection, hours=24
        ),
        ("statistics of a month", None): lambda connection: logs.log_stats(connection, hours=720),
        ("top symbols of 7 days", None): lambda connection: logs.top_symbols(
            connection, days=7, limit=10
        ),
        ("records per day", None): lambda connection: logs.records_per_day(connection, days=7),
    }


async def _read(database: Database, read: Callable[[Connection], object]) -> float:
    started = time.perf_counter()
    await database.read(read)
    return (time.perf_counter() - started) * 1000


def _fill(connection: Connection, *, begin: int, end: int, step: int) -> None:
    statement = _FILL[connection.dialect.name]
    for name, value in {
        "first": _NOW - _MONTH_MS,
        "step": step,
        "begin": begin,
        "end": end,
    }.items():
        statement = statement.replace(f"{{{name}}}", str(value))
    connection.exec_driver_sql(statement)
