"""Pages of `GET /coverage` and `GET /gaps` over 10,000 series of few and of many spans."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, text

from benchmarks.places import KINDS
from benchmarks.report import median_of
from benchmarks.rows import make_keys, open_run
from penstock.api.routes.market.coverage import CoveragePage, gap_page
from penstock.api.schemas.answer import answer
from penstock.api.schemas.market.coverage import SeriesComplete
from penstock.market.queries.coverage import series_coverage
from penstock.market.queries.gaps import SeriesFilter, list_gaps
from penstock.market.tables import coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import Response
    from sqlalchemy import Connection

    from benchmarks.places import Places
    from benchmarks.report import Figure
    from benchmarks.sizes import Sizes
    from penstock.store.session.database import Database

_SERIES_PAGE, _GAPS_PAGE = 500, 1_000
_LIMIT_MS = 50.0
_FEW_SPANS, _MANY_SPANS = 4, 20
_HOUR_MS = 3_600_000
_FIRST_MS = 1_700_000_000_000 - 1_700_000_000_000 % _HOUR_MS
_ROWS_AT_ONCE = 20_000


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Milliseconds of a page, on each database."""
    for kind, spans in itertools.product(KINDS, (_FEW_SPANS, _MANY_SPANS)):
        series, found = asyncio.run(_pages(places, kind, sizes, spans))
        note = f"of {sizes.ledger_series:,} series with {spans} spans each"
        yield median_of(
            f"GET /coverage, a page of {_SERIES_PAGE} series",
            kind,
            "ms",
            series,
            limit=_LIMIT_MS,
            note=note,
        )
        yield median_of(f"GET /gaps, a page of {_GAPS_PAGE:,} gaps", kind, "ms", found, note=note)


async def _pages(
    places: Places, kind: str, sizes: Sizes, spans: int
) -> tuple[list[float], list[float]]:
    async with places.migrated(kind) as database:
        ids = [
            target.series_id
            for target in (await open_run(database, make_keys(sizes.ledger_series))).targets
        ]
        for at in range(0, len(ids), _ROWS_AT_ONCE // spans):
            rows = [
                row
                for series_id in ids[at : at + _ROWS_AT_ONCE // spans]
                for row in _spans(series_id, spans)
            ]
            await database.write(
                lambda connection, rows=rows: connection.execute(  # type: ignore[misc]
                    insert(coverage), rows
                )
            )
        await database.write(lambda connection: connection.execute(text("ANALYZE")))
        # A service has no garbage from filling the tables.
        gc.collect()
        gc.freeze()
        chance = random.Random(7)
        after = [
            chance.choice(ids[: max(1, len(ids) - _SERIES_PAGE)]) - 1
            for _ in range(sizes.ledger_reads)
        ]
        series = [await _timed(database, _coverage(at)) for at in after]
        return series, [await _timed(database, _gaps(at)) for at in after]


def _spans(series_id: int, spans: int) -> Iterator[dict[str, Any]]:
    """Alternating spans of ten stored days and a missing hour."""
    at = _FIRST_MS
    for place in range(spans):
        end = at + (240 if place % 2 == 0 else 1) * _HOUR_MS
        span = {"series_id": series_id, "start_time": at, "end_time": end, "run_id": 1}
        if place % 2 == 0:
            asked: dict[str, Any] = dict.fromkeys(
                ("asked", "first_asked", "last_asked", "source", "due_at")
            )
            yield span | {"state": "stored"} | asked
        else:
            yield span | {
                "state": "outage",
                "asked": 4,
                "first_asked": end,
                "last_asked": end + 24 * _HOUR_MS,
                "source": "binance",
                "due_at": None,
            }
        at = end


def _coverage(after: int) -> Callable[[Connection], Response]:
    return lambda connection: answer(
        CoveragePage.of(
            series_coverage(connection, SeriesFilter(), after_id=after, limit=_SERIES_PAGE),
            _SERIES_PAGE,
            SeriesComplete.of,
        )
    )


def _gaps(after: int) -> Callable[[Connection], Response]:
    return lambda connection: answer(
        gap_page(
            list_gaps(connection, SeriesFilter(), reason=None, after=(after, 0), limit=_GAPS_PAGE),
            _GAPS_PAGE,
        )
    )


async def _timed(database: Database, page: Callable[[Connection], Response]) -> float:
    started = time.perf_counter()
    await database.read(page)
    return (time.perf_counter() - started) * 1000
