"""The merge compared with raw loads and with the first designs, on the same rows, in turn.

Each way is timed from parsed candles to the last commit, into empty tables. The merge includes
coverage, the run's counters and the fence, and uses a thread as in production.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from benchmarks.baselines import bulk_save, row_by_row, timed
from benchmarks.limits import RAW_TABLE, raw_copy, raw_insert
from benchmarks.places import POSTGRESQL, SQLITE, driver_url
from benchmarks.report import Figure, median_of
from benchmarks.rows import make_rows, open_run
from penstock.runs.run import Counters
from penstock.store.connect import connect, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from benchmarks.places import Places
    from benchmarks.rows import Rows
    from benchmarks.sizes import Sizes
    from penstock.store.session.database import Database

# Multiples of the raw time.
_MOST_TIMES = {POSTGRESQL: 2.5, SQLITE: 1.5}
_RAW = {POSTGRESQL: "raw COPY", SQLITE: "raw executemany"}

Samples = defaultdict[str, list[float]]


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Seconds of each way, and the merge as a multiple of the raw load."""
    rows = make_rows(sizes.merge_rows)
    yield from _figures(SQLITE, asyncio.run(_on_sqlite(places, rows, sizes)), rows, sizes)
    yield from _figures(POSTGRESQL, asyncio.run(_on_postgres(places, rows, sizes)), rows, sizes)


async def _on_sqlite(places: Places, rows: Rows, sizes: Sizes) -> Samples:
    """Each sample gets a copy of a migrated file."""
    samples: Samples = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=places.folder) as name:
        folder = Path(name)
        empty, used = folder / "empty.db", folder / "used.db"
        async with places.migrated(SQLITE) as made:
            await made.close()
            shutil.copy(str(made.url.database), empty)
        for turn in range(sizes.merge_rounds):
            database = connect(parse_url(f"sqlite:///{_renewed(empty, used)}"))
            await _ours(database, rows, samples)
            await database.close()
            samples["raw"].append(raw_insert(_renewed(empty, used), rows))
            if turn < sizes.slow_rounds:
                url = parse_url(f"sqlite:///{_renewed(empty, used)}")
                samples["bulk_save_objects"].append(timed(url, rows, bulk_save))
                _renewed(empty, used)
                samples["row by row"].append(timed(url, rows.first(sizes.slow_rows), row_by_row))
    return samples


def _renewed(empty: Path, used: Path) -> Path:
    for suffix in ("", "-wal", "-shm"):
        used.with_name(used.name + suffix).unlink(missing_ok=True)
    shutil.copy(empty, used)
    return used


async def _on_postgres(places: Places, rows: Rows, sizes: Sizes) -> Samples:
    """The tables are emptied before each sample."""
    samples: Samples = defaultdict(list)
    async with places.migrated(POSTGRESQL) as database:
        await database.write(
            lambda connection: _execute(
                connection, f"CREATE TABLE {RAW_TABLE} (LIKE candle INCLUDING ALL)"
            )
        )
        with psycopg.connect(driver_url(database)) as driver:
            for turn in range(sizes.merge_rounds):
                await _empty(database)
                await _ours(database, rows, samples)
                await _empty(database)
                whole, copied = raw_copy(driver, rows)
                samples["raw"].append(whole)
                samples["raw, text ready"].append(copied)
                if turn < sizes.slow_rounds:
                    await _empty(database)
                    samples["bulk_save_objects"].append(timed(database.url, rows, bulk_save))
                    await _empty(database)
                    samples["row by row"].append(
                        timed(database.url, rows.first(sizes.slow_rows), row_by_row)
                    )
    return samples


async def _empty(database: Database) -> None:
    await database.write(
        lambda connection: _execute(connection, f"TRUNCATE candle, {RAW_TABLE}, coverage")
    )


def _execute(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


async def _ours(database: Database, rows: Rows, samples: Samples) -> None:
    """The first merge writes all rows; a second one of the same rows writes none."""
    opened = await open_run(database, rows.keys)
    for way, written in (("ours", rows.count), ("ours, unchanged", 0)):
        flushes = opened.flushes(rows)
        total = Counters()
        started = time.perf_counter()
        for flush in flushes:
            total += (await opened.store.flush(opened.context, flush)).counters
        samples[way].append(time.perf_counter() - started)
        if total.written != written:
            message = f"{way}: {total.written} rows written, not {written}"
            raise RuntimeError(message)


def _figures(kind: str, samples: Samples, rows: Rows, sizes: Sizes) -> Iterator[Figure]:
    many, few = rows.count, sizes.slow_rows
    ratio = statistics.median(samples["ours"]) / statistics.median(samples["raw"])
    pairs = [ours / raw for ours, raw in zip(samples["ours"], samples["raw"], strict=True)]
    name = f"merge ÷ {_RAW[kind]}"
    yield Figure(
        name=name,
        database=kind,
        unit="×",
        samples=pairs,
        value=ratio,
        limit=_MOST_TIMES[kind],
        note=f"{many:,} rows; ratio of medians",
    )
    yield median_of(f"{name}, pair by pair", kind, "×", pairs)
    yield median_of("merge, all rows new", kind, "s", samples["ours"])
    yield median_of("merge, no row changed", kind, "s", samples["ours, unchanged"])
    yield median_of(_RAW[kind], kind, "s", samples["raw"])
    if "raw, text ready" in samples:
        yield median_of(
            f"{_RAW[kind]} of text that is ready", kind, "s", samples["raw, text ready"]
        )
    yield from _rates(kind, samples, {"ours": many, "bulk_save_objects": many, "row by row": few})


def _rates(
    kind: str, samples: Mapping[str, Sequence[float]], counts: Mapping[str, int]
) -> Iterator[Figure]:
    """Rows per second of the merge and of the first designs."""
    ours = counts["ours"] / statistics.median(samples["ours"])
    for way, count in counts.items():
        rates = [count / seconds for seconds in samples[way]]
        times = ours / statistics.median(rates)
        faster = "" if way == "ours" else f"; ours is {times:.0f} × as fast"
        note = f"{count:,} rows{faster}"
        yield median_of(f"rows a second, {way}", kind, "/s", rates, note=note)
