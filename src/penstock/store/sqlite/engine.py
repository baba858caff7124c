"""SQLite: one file, and one writer connection, which alone checkpoints."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

from penstock.market.collect.page import Flushed
from penstock.runs.events import RowsStored
from penstock.runs.run import Counters
from penstock.store.session.backend import announce, hold, unreachable
from penstock.store.sqlite.failures import examined, unusable
from penstock.store.sqlite.presence import Presence
from penstock.store.sqlite.rows import insert_rows
from penstock.store.statements.candles import COLUMNS, EXACT_COLUMNS, on_conflict

if TYPE_CHECKING:
    import asyncio
    import sqlite3
    from collections.abc import Mapping, Sequence

    from sqlalchemy import URL, Connection, Engine, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

    from penstock.errors import StoreUnavailableError
    from penstock.market.collect.page import CandleFlush, CandlePage
    from penstock.runs.events import Events
    from penstock.store.session.database import DatabaseOptions

_WAL_PAGES = 4_000


class SqliteBackend:
    """The connections to one file; one process at a time may write (penstock.store.owner)."""

    def __init__(self, url: URL, options: DatabaseOptions) -> None:
        # Transactions are begun by us: the driver's own way begins them late and deferred, and a
        # deferred one cannot wait for a lock.
        self.parameters: dict[str, Any] = {
            "isolation_level": None,
            "timeout": options.timeout_s,
            "check_same_thread": False,
        }
        self._timeout_s = options.timeout_s
        self._file = Path(str(url.database))
        self._presence = Presence(self._file)
        self.writer = self._engine(url, options, pool_size=1)
        self.reader = self._engine(url, options, pool_size=options.pool_size)
        self.looker = self._engine(url, options, pool_size=1)
        event.listen(self.writer, "connect", _set_up_writer)
        event.listen(self.writer, "begin", self._begin_writing)
        event.listen(self.writer, "commit", self._presence.check)
        event.listen(self.writer, "checkin", _detach)
        for engine in (self.reader, self.looker):
            event.listen(engine, "connect", _set_up_reader)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    def _engine(self, url: URL, options: DatabaseOptions, *, pool_size: int) -> Engine:
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=options.timeout_s,
            connect_args=self.parameters,
        )
        hold.watch(engine)
        # A missing file is not made again.
        event.listen(engine, "do_connect", self._presence.check)
        event.listen(engine, "begin", self._presence.check)
        event.listen(engine, "handle_error", self._explain)
        return engine

    def _explain(self, failure: ExceptionContext) -> StoreUnavailableError | None:
        return unusable(self._file, failure.original_exception)

    def _begin_writing(self, connection: Connection) -> None:
        """Wait for the lock no longer than is left of the time that the caller may wait."""
        driver: Any = connection.connection.driver_connection
        patience_ms = int(1000 * min(self._timeout_s, hold.patience_s))
        driver.execute(f"PRAGMA busy_timeout = {patience_ms}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        self._presence.note()

    async def listen(self, _events: Events, ready: asyncio.Event) -> None:
        """Nothing to do: no other process writes."""
        ready.set()

    def abandon(self, driver: sqlite3.Connection) -> None:
        """Interrupt the running statement."""
        driver.interrupt()

    def examined(self, connection: Connection, *, within_s: float) -> str:
        return examined(connection, self._file, within_s=within_s)

    def unusable(self, error: Exception) -> str | None:
        return unreachable(error)

    def check(
        self, connection: Connection, tables: Sequence[str], newest: str, *, migrating: bool
    ) -> None:
        """Nothing to ask: who may write the file may do everything."""

    def migration_lock(self, connection: Connection) -> None:
        """Nothing to do: BEGIN IMMEDIATE has locked the file."""

    def merge_candles(self, connection: Connection, run_id: int, flush: CandleFlush) -> Flushed:
        """Write the rows of a run, and announce the series."""
        tally = _tally(connection)
        updated_before = tally.updated
        rows = _parameters(run_id, flush.pages)
        written = insert_rows(connection, _CANDLES, rows, len(COLUMNS), _ON_CONFLICT)
        updated = tally.updated - updated_before
        counters = Counters(
            inserted=written - updated,
            updated=updated,
            unchanged=len(rows) // len(COLUMNS) - written,
        )
        announce(
            connection, *(RowsStored("candle", series_id) for series_id in flush.stored_series)
        )
        return Flushed(counters, _by_series(connection, run_id, flush, written))


class _Tally:
    """Counts updates, which SQLite reports as inserts; a trigger of the connection calls it."""

    def __init__(self) -> None:
        self.updated = 0

    def __call__(self) -> None:
        self.updated += 1


def _tally(connection: Connection) -> _Tally:
    tally = connection.info.get("tally")
    if tally is None:
        tally = connection.info["tally"] = _Tally()
        driver: Any = connection.connection.driver_connection
        driver.create_function("count_update", 0, tally)
        driver.execute(
            "CREATE TEMP TRIGGER candle_updated AFTER UPDATE ON main.candle"
            " BEGIN SELECT count_update(); END"
        )
    return tally


def _by_series(
    connection: Connection, run_id: int, flush: CandleFlush, written: int
) -> Mapping[int, int]:
    """The written rows by series; SQLite is asked only if several series had unwritten rows."""
    sent: Counter[int] = Counter()
    for page in flush.pages:
        sent[page.target.series_id] += len(page)
    # Drop the series that got no rows.
    sent += Counter()
    if written in {0, sent.total()}:
        return sent if written else {}
    if len(sent) == 1:
        return dict.fromkeys(sent, written)
    ranges = [
        (page.target.series_id, page.candles[0].open_time, page.candles[-1].open_time)
        for page in flush.pages
        if page.candles
    ]
    parameters = (json.dumps(ranges), run_id)
    # Pages that overlap count twice, but never for more than was sent.
    return {
        series_id: min(count, sent[series_id])
        for series_id, count in connection.exec_driver_sql(_OF_RUN, parameters)
    }


def _parameters(run_id: int, pages: Sequence[CandlePage]) -> list[object]:
    """The rows of all pages, flat, in the order of COLUMNS."""
    flat: list[object] = []
    for page in pages:
        first, closed_end = (page.target.series_id,), page.closed
        for place, candle in enumerate(page.candles):
            flat += first
            flat += msgspec.structs.astuple(candle)
            flat += (place < closed_end, run_id)
    return flat


def _differs(name: str) -> str:
    if name not in EXACT_COLUMNS:
        return f"candle.{name} IS NOT excluded.{name}"
    differ = f"decimal_differs(candle.{name}, excluded.{name})"
    return f"(candle.{name} IS NOT excluded.{name} AND {differ})"


def _decimal_differs(old: str | None, new: str | None) -> bool:
    """`1.0` and `1.00` are one price; called only if the texts differ."""
    return old is None or new is None or Decimal(old) != Decimal(new)


_OF_RUN = """
SELECT candle.series_id, count(*)
FROM json_each(?) AS flushed CROSS JOIN candle
    ON candle.series_id = json_extract(flushed.value, '$[0]')
    AND candle.open_time BETWEEN json_extract(flushed.value, '$[1]')
        AND json_extract(flushed.value, '$[2]')
WHERE candle.run_id = ?
GROUP BY candle.series_id
"""
_CANDLES = f"candle ({', '.join(COLUMNS)})"
_ON_CONFLICT = on_conflict(_differs)


def _set_up_writer(connection: sqlite3.Connection, _record: object) -> None:
    connection.create_function("decimal_differs", 2, _decimal_differs, deterministic=True)
    # FULL: flushes are few, and with NORMAL a power cut loses what a run reported as written.
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"wal_autocheckpoint = {_WAL_PAGES}",
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _detach(connection: sqlite3.Connection | None, record: ConnectionPoolEntry) -> None:
    """Detach the file that a transaction attached, now that it has ended."""
    if connection is not None and (attached := record.info.pop("attached", None)):
        connection.execute(f"DETACH {attached}")


def _set_up_reader(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in ("query_only = ON", "wal_autocheckpoint = 0", "cache_size = -16000"):
        connection.execute(f"PRAGMA {pragma}")
