"""Two baselines: how the first designs wrote candles with SQLAlchemy's ORM.

Each commits pages of 100 rows. Both get the strings and the PRAGMAs that the merge gets; the first
designs also built a Decimal of each value.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session, registry

from penstock.columns import metadata
from penstock.market.tables import candle as candles

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from sqlalchemy import URL, Engine

    from benchmarks.rows import Rows
    from penstock.market.candle import Candle


class StoredCandle:
    """A row of the candle table as an object."""

    def __init__(self, **values: object) -> None:
        for name, value in values.items():
            setattr(self, name, value)


registry(metadata=metadata).map_imperatively(StoredCandle, candles)


def row_by_row(session: Session, series_id: int, page: Sequence[Candle]) -> None:
    """A SELECT for each row, then an INSERT or an UPDATE."""
    for place, candle in enumerate(page):
        values = _values(series_id, candle, closed=place < len(page) - 1)
        this = select(StoredCandle).where(
            candles.c.series_id == series_id, candles.c.open_time == candle.open_time
        )
        known = session.scalars(this).one_or_none()
        if known is None:
            session.add(StoredCandle(**values))
            session.flush()
        else:
            known.__init__(**values)  # type: ignore[misc]


def bulk_save(session: Session, series_id: int, page: Sequence[Candle]) -> None:
    """A SELECT … IN for each page, then bulk_save_objects of the new rows."""
    opens = [candle.open_time for candle in page]
    query = select(candles.c.open_time).where(
        candles.c.series_id == series_id, candles.c.open_time.in_(opens)
    )
    known = set(session.scalars(query))
    new = [
        StoredCandle(**_values(series_id, candle, closed=place < len(page) - 1))
        for place, candle in enumerate(page)
        if candle.open_time not in known
    ]
    session.bulk_save_objects(new)


def timed(url: URL, rows: Rows, write: Callable[[Session, int, Sequence[Candle]], None]) -> float:
    """Seconds from parsed candles to the last commit."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up)
    try:
        return _written(engine, rows, write)
    finally:
        engine.dispose()


def _written(
    engine: Engine, rows: Rows, write: Callable[[Session, int, Sequence[Candle]], None]
) -> float:
    with Session(engine) as session:
        session.connection()
        started = time.perf_counter()
        for series_id, page in enumerate(rows.candles, start=1):
            write(session, series_id, page)
            session.commit()
        return time.perf_counter() - started


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 4000",
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _values(series_id: int, candle: Candle, *, closed: bool) -> dict[str, object]:
    values: dict[str, object] = msgspec.structs.asdict(candle)
    return values | {"series_id": series_id, "closed": closed, "run_id": 1}
