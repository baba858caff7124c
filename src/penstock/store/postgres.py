"""PostgreSQL: text COPY of the exchange's own strings into a temporary table, then one set-based statement."""

from __future__ import annotations

import contextlib
import os
import socket
from collections import Counter
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from penstock.core.run import Counters
from penstock.errors import FencedError
from penstock.market.page import Flushed
from penstock.store.backend import Statements, hold
from penstock.store.listen import candles_message
from penstock.store.merge import COLUMNS, EXACT_COLUMNS, on_conflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
    from sqlalchemy.pool import ConnectionPoolEntry

    from penstock.core.run import Run
    from penstock.market.candle import Candle
    from penstock.market.page import CandleFlush, CandlePage

# Any number that no other program is likely to lock in the same database.
_MIGRATION_LOCK = 5_019_477_306_114


class PostgresBackend:
    """The connections to one database; any number of processes may write."""

    def __init__(self, url: URL, *, pool_size: int, timeout_s: float) -> None:
        self.statements = Statements()
        timeout_ms = int(timeout_s * 1000)
        arguments = {
            "connect_timeout": max(2, int(timeout_s)),
            "tcp_user_timeout": timeout_ms,
            "application_name": "penstock",
            "options": f"-c statement_timeout={timeout_ms} -c lock_timeout={timeout_ms} -c idle_in_transaction_session_timeout={2 * timeout_ms}",
        }
        self._create = partial(create_engine, url, max_overflow=0, pool_timeout=timeout_s, connect_args=arguments)
        self.writer = self.reader = self._create(pool_size=pool_size)
        event.listen(self.writer, "do_connect", _connect)
        event.listen(self.writer, "connect", _set_up)
        # In this order: the server may be silent when it is asked whether it is there.
        hold.watch(self.writer)
        event.listen(self.writer, "checkout", self._checked)
        self.statements.watch(self.writer)

    def lone_engine(self) -> Engine:
        """One connection beside the pool, for whoever needs the same one again and again; to be disposed of by him."""
        engine = self._create(pool_size=1)
        event.listen(engine, "do_connect", _connect)
        hold.watch(engine)
        self.statements.watch(engine)
        return engine

    def abandon(self, driver: psycopg.Connection) -> None:
        """See Backend. The server may be silent, so it cannot be asked to cancel: the connection is cut at our end."""
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(driver.fileno())) as mine:
            mine.shutdown(socket.SHUT_RDWR)

    def _checked(self, driver: psycopg.Connection, record: ConnectionPoolEntry, _proxy: object) -> None:
        """Do not hand out a connection that the server has left."""
        if record.info.pop("fresh", False):
            return
        try:
            self.writer.dialect.do_ping(cast("DBAPIConnection", driver))
        except psycopg.Error as error:
            raise DisconnectionError from error

    def migration_lock(self, connection: Connection) -> None:
        """See Backend."""
        # A migration takes as long as the tables are large, and who waits for another process's waits as long.
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        connection.exec_driver_sql("SET LOCAL lock_timeout = DEFAULT")

    def merge_candles(self, connection: Connection, run: Run, flush: CandleFlush) -> Flushed:
        """See Backend."""
        total = Counters()
        written: Counter[int] = Counter()
        for place, rows in enumerate(_rounds(flush.pages)):
            if place:
                connection.exec_driver_sql("TRUNCATE candle_stage")
            if rows:
                self._copy(connection, rows)
            merged = _merge(connection, run, flush, rows=len(rows), asked=Counters() if place else flush.asked)
            total += merged.counters
            written.update(merged.written)
        return Flushed(total, written)

    def _copy(self, connection: Connection, rows: Sequence[str]) -> None:
        self.statements.add()
        driver: Any = connection.connection.driver_connection
        try:
            with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.write("".join(rows))
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            # As SQLAlchemy says it where the driver is not used directly.
            raise OperationalError(_COPY, None, error) from error


def _rounds(pages: Sequence[CandlePage]) -> Iterator[list[str]]:
    """COPY lines; a page that overlaps another goes to a further round, because one INSERT cannot update a row twice."""
    rows: list[str] = []
    again: list[CandlePage] = []
    series_id, newest = 0, 0
    for page in sorted((page for page in pages if page.candles), key=lambda page: (page.target.series_id, page.candles[0].open_time)):
        if page.target.series_id == series_id and page.candles[0].open_time <= newest:
            again.append(page)
            continue
        series_id, newest = page.target.series_id, page.candles[-1].open_time
        rows += (_line(series_id, candle, place < page.closed) for place, candle in enumerate(page.candles))
    yield rows
    if again:
        yield from _rounds(again)


def _line(series_id: int, candle: Candle, closed: bool) -> str:  # noqa: FBT001 - a column like the others
    c = candle
    return (
        f"{series_id}\t{c.open_time}\t{c.open}\t{c.high}\t{c.low}\t{c.close}\t{c.volume}\t{c.close_time}\t{c.quote_volume}\t{c.trades}"
        f"\t{c.taker_base}\t{c.taker_quote}\t{'t' if closed else 'f'}\n"
    )


def _merge(connection: Connection, run: Run, flush: CandleFlush, *, rows: int, asked: Counters) -> Flushed:
    parameters: dict[str, object] = {"run_id": run.id, "fence": run.fence, "rows": rows, "rejected": asked.rejected, "requests": asked.requests}
    parameters |= {
        "progress": flush.progress,
        "message": flush.message,
        "work": Jsonb(None if flush.work is None else asdict(flush.work)),
        "stored": candles_message(flush.stored_series),
    }
    merged = connection.exec_driver_sql(_MERGE, parameters).one_or_none()
    if merged is None:
        message = f"run {run.id} was taken over by another worker"
        raise FencedError(message)
    counters = Counters(inserted=merged.inserted, updated=merged.updated, unchanged=rows - merged.inserted - merged.updated) + asked
    return Flushed(counters, {int(series_id): count for series_id, count in (merged.written or {}).items()})


def _connect(dialect: Dialect, _record: object, arguments: Sequence[Any], options: dict[str, Any]) -> DBAPIConnection:
    """Noted before anything is asked of it, because the server may fall silent at once."""
    driver = dialect.connect(*arguments, **options)
    hold.add(driver)
    return driver


def _set_up(connection: psycopg.Connection, record: ConnectionPoolEntry) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
    connection.commit()
    record.info["fresh"] = True


_STAGED = COLUMNS[:-1]
_TYPES = dict.fromkeys(_STAGED, "bigint") | dict.fromkeys(EXACT_COLUMNS, "numeric") | {"series_id": "integer", "closed": "boolean"}
_STAGE = f"CREATE TEMPORARY TABLE candle_stage ({', '.join(f'{name} {kind}' for name, kind in _TYPES.items())}) ON COMMIT DELETE ROWS"
_COPY = f"COPY candle_stage ({', '.join(_STAGED)}) FROM STDIN"
_READ = {name: f"to_timestamp({name}::float8 / 1000)" for name in ("open_time", "close_time")}
_MERGE = f"""
WITH merged AS (
    INSERT INTO candle ({", ".join(COLUMNS)})
    SELECT {", ".join(_READ.get(name, name) for name in _STAGED)}, %(run_id)s
    FROM candle_stage
    {on_conflict(lambda name: f"candle.{name} IS DISTINCT FROM excluded.{name}")}
    RETURNING candle.series_id, xmax = 0 AS is_new
), of_series AS (
    SELECT series_id, count(*) FILTER (WHERE is_new) AS inserted, count(*) FILTER (WHERE NOT is_new) AS updated FROM merged GROUP BY series_id
), counted AS (
    SELECT coalesce(sum(inserted), 0)::bigint AS inserted, coalesce(sum(updated), 0)::bigint AS updated,
           json_object_agg(series_id, inserted + updated) AS written
    FROM of_series
)
UPDATE run SET
    inserted = run.inserted + counted.inserted,
    updated = run.updated + counted.updated,
    unchanged = run.unchanged + %(rows)s - counted.inserted - counted.updated,
    rejected = run.rejected + %(rejected)s,
    requests = run.requests + %(requests)s,
    progress = %(progress)s, message = %(message)s, work = %(work)s, progress_at = clock_timestamp(), heartbeat_at = clock_timestamp()
FROM counted
WHERE run.id = %(run_id)s AND run.fence = %(fence)s AND run.state = 'running'
RETURNING counted.inserted, counted.updated, counted.written, pg_notify('penstock', %(stored)s)
"""
