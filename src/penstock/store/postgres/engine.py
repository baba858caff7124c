"""PostgreSQL: COPY of the exchange's own strings into a temporary table, then one statement."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DisconnectionError, OperationalError

from penstock.loop import cut_socket
from penstock.market.collect.page import Flushed
from penstock.runs.run import Counters
from penstock.store.postgres.listen import listen, stored_message
from penstock.store.postgres.rights import check_rights
from penstock.store.postgres.words import in_words
from penstock.store.session.backend import hold, unreachable
from penstock.store.statements.candles import COLUMNS, EXACT_COLUMNS, on_conflict

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
    from sqlalchemy.pool import ConnectionPoolEntry

    from penstock.market.candle import Candle
    from penstock.market.collect.page import CandleFlush, CandlePage
    from penstock.runs.events import Events
    from penstock.store.session.database import DatabaseOptions

# Any number that no other program is likely to lock in the same database.
_MIGRATION_LOCK = 5_019_477_306_114


class PostgresBackend:
    """The connections to one database; any number of processes may write."""

    def __init__(self, url: URL, options: DatabaseOptions) -> None:
        self._url = url
        timeout_ms = int(options.timeout_s * 1000)
        self.parameters: dict[str, Any] = {
            "connect_timeout": max(2, int(options.timeout_s)),
            "tcp_user_timeout": timeout_ms,
            "application_name": "penstock",
            # With the encoding of a database, text might come as bytes.
            "client_encoding": "utf8",
            "options": f"{_options(url)} -c statement_timeout={timeout_ms}"
            f" -c lock_timeout={timeout_ms}"
            f" -c idle_in_transaction_session_timeout={2 * timeout_ms}",
        }
        self._timeout_s = options.timeout_s
        self.writer = self.reader = self.engine(options.pool_size)
        self.looker = self.engine()
        event.listen(self.writer, "connect", _fresh)
        # After `hold.watch`: the server may be silent when it is asked whether it is there.
        for engine in (self.writer, self.looker):
            event.listen(engine, "checkout", self._checked)

    def engine(self, pool_size: int = 1) -> Engine:
        """A separate engine; its creator disposes of it."""
        engine = create_engine(
            self._url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=self._timeout_s,
            connect_args=self.parameters,
        )
        event.listen(engine, "do_connect", _connect)
        hold.watch(engine)
        return engine

    async def listen(self, events: Events, ready: asyncio.Event) -> None:
        """Listen to the channel of all processes."""
        await listen(self._url, events, ready)

    def abandon(self, driver: psycopg.Connection) -> None:
        """Cut the connection at our end: a silent server cannot be asked to cancel."""
        with contextlib.suppress(OSError, psycopg.Error):
            cut_socket(driver.fileno())

    def _checked(
        self, driver: psycopg.Connection, record: ConnectionPoolEntry, _proxy: object
    ) -> None:
        """Do not hand out a connection that the server has left."""
        if record.info.pop("fresh", False):
            return
        try:
            self.writer.dialect.do_ping(cast("DBAPIConnection", driver))
        except psycopg.Error as error:
            raise DisconnectionError from error

    def examined(
        self,
        connection: Connection,  # noqa: ARG002 - the port's form
        *,
        within_s: float,  # noqa: ARG002 - the port's form
    ) -> str:
        """Nothing: the server watches over its own files."""
        return ""

    def unusable(self, error: Exception) -> str | None:
        said = getattr(error, "orig", error)
        words = in_words(said, self._url) if isinstance(said, psycopg.Error) else None
        return words or unreachable(error)

    def check(
        self, connection: Connection, tables: Sequence[str], newest: str, *, migrating: bool
    ) -> None:
        check_rights(connection, tables, newest, migrating=migrating)

    def migration_lock(self, connection: Connection) -> None:
        # A migration takes as long as the tables are large, and so does waiting for another one.
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        connection.exec_driver_sql("SET LOCAL lock_timeout = DEFAULT")

    def merge_candles(self, connection: Connection, run_id: int, flush: CandleFlush) -> Flushed:
        total = Counters()
        written: Counter[int] = Counter()
        # Only here, so that a role that may not write can read.
        connection.exec_driver_sql(_STAGE)
        for place, rows in enumerate(_rounds(flush.pages)):
            if place:
                connection.exec_driver_sql("TRUNCATE candle_stage")
            copy_rows(connection, _COPY, ["".join(rows).replace("\tNone", "\t\\N")])
            merged = _merge(connection, run_id, flush, rows=len(rows))
            total += merged.counters
            written.update(merged.written)
        return Flushed(total, written)


def copy_rows(connection: Connection, statement: str, pieces: Iterable[str | bytes]) -> None:
    """COPY all pieces by one statement; errors are those of SQLAlchemy."""
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for piece in pieces:
                copy.write(piece)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise OperationalError(statement, None, error) from error


def _rounds(pages: Sequence[CandlePage]) -> Iterator[list[str]]:
    """COPY lines, in rounds without overlaps: one INSERT cannot update a row twice."""
    rows: list[str] = []
    again: list[CandlePage] = []
    series_id, newest = 0, 0
    for page in sorted(
        (page for page in pages if page.candles),
        key=lambda page: (page.target.series_id, page.candles[0].open_time),
    ):
        if page.target.series_id == series_id and page.candles[0].open_time <= newest:
            again.append(page)
            continue
        series_id, newest = page.target.series_id, page.candles[-1].open_time
        rows += (
            _line(series_id, candle, place < page.closed)
            for place, candle in enumerate(page.candles)
        )
    if rows:
        yield rows
    if again:
        yield from _rounds(again)


def _line(series_id: int, candle: Candle, closed: bool) -> str:  # noqa: FBT001 - a column
    c = candle
    return (
        f"{series_id}\t{c.open_time}\t{c.open}\t{c.high}\t{c.low}\t{c.close}\t{c.volume}"
        f"\t{c.close_time}\t{c.quote_volume}\t{c.trades}"
        f"\t{c.taker_base}\t{c.taker_quote}\t{'t' if closed else 'f'}\n"
    )


def _merge(connection: Connection, run_id: int, flush: CandleFlush, *, rows: int) -> Flushed:
    merged, _ = connection.exec_driver_sql(
        _MERGE, {"run_id": run_id, "stored": stored_message("candle", flush.stored_series)}
    ).one()
    of_series: dict[str, tuple[int, int]] = merged or {}
    inserted = sum(new for new, _ in of_series.values())
    updated = sum(changed for _, changed in of_series.values())
    counters = Counters(inserted=inserted, updated=updated, unchanged=rows - inserted - updated)
    return Flushed(
        counters, {int(series_id): sum(counts) for series_id, counts in of_series.items()}
    )


def _connect(
    dialect: Dialect, _record: object, arguments: Sequence[Any], options: dict[str, Any]
) -> DBAPIConnection:
    """Noted before anything is asked of it, because the server may fall silent at once."""
    driver = dialect.connect(*arguments, **options)
    hold.add(driver)
    return driver


def _fresh(_driver: object, record: ConnectionPoolEntry) -> None:
    record.info["fresh"] = True


def _options(url: URL) -> str:
    """The options for the session that the user gives, as libpq takes them."""
    return str(url.query.get("options", os.environ.get("PGOPTIONS", "")))


_STAGED = COLUMNS[:-1]
_TYPES = (
    dict.fromkeys(_STAGED, "bigint")
    | dict.fromkeys(EXACT_COLUMNS, "numeric")
    | {"series_id": "integer", "closed": "boolean"}
)
_DECLARED = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
_STAGE = f"""
CREATE TEMPORARY TABLE IF NOT EXISTS candle_stage ({_DECLARED}) ON COMMIT DELETE ROWS"""
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
    SELECT series_id, count(*) FILTER (WHERE is_new) AS inserted,
        count(*) FILTER (WHERE NOT is_new) AS updated
    FROM merged GROUP BY series_id
)
SELECT json_object_agg(series_id, json_build_array(inserted, updated)),
    pg_notify('penstock', %(stored)s)
FROM of_series
"""
