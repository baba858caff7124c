"""The checks of verify in the SQL of each database. Nothing is rounded: what a statement lets pass is right, exactly.

PostgreSQL compares and adds `numeric`. SQLite keeps the exchange's text and has no exact type, so there a statement proves what it can with
integers, and leaves what it cannot prove to be compared value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError

from penstock.market.candle import Candle
from penstock.market.timeframe import Timeframe
from penstock.market.verify.stored import ROWS, RowCounts, Unequal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from penstock.market.verify.stored import Checks, Stored

_FIELDS = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_base",
    "taker_quote",
)
_AMOUNTS = ("volume", "quote_volume", "taker_base", "taker_quote")
_MOST = "1e24"


class SqliteChecks:
    """See Checks."""

    def snapshot(self, _connection: Connection) -> None:
        """A transaction of SQLite is one."""

    def facts(
        self,
        connection: Connection,
        one: Stored,
        start: int,
        end: int,
        spans: Sequence[tuple[int, int]],
    ) -> RowCounts:
        """See Checks."""
        inside = (
            " OR ".join(f"open_time >= {low:d} AND open_time < {high:d}" for low, high in spans)
            or "0"
        )
        step = one.key.timeframe
        statement = f"""
            SELECT count(*), count(*) FILTER (WHERE closed), count(*) FILTER (WHERE {inside}), count(*) FILTER (WHERE closed AND ({inside})),
                   count(*) FILTER (WHERE {_off_grid(step)}), count(*) FILTER (WHERE NOT ({_SQLITE_SOUND})), coalesce(max(close_time), 0) + 1
            FROM candle WHERE series_id = ? AND open_time >= ? AND open_time < ?"""
        found = connection.exec_driver_sql(
            statement.replace(":longest", str(step.longest_ms)), (one.id, start, end)
        ).one()
        return RowCounts(*map(int, found))

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """See Checks."""
        statement = f"""
            SELECT {", ".join(_FIELDS)} FROM candle
            WHERE series_id = ? AND open_time >= ? AND open_time < ? AND NOT ({_SQLITE_SOUND}) ORDER BY open_time LIMIT {ROWS}"""
        found = connection.exec_driver_sql(
            statement.replace(":longest", str(one.key.timeframe.longest_ms)), (one.id, start, end)
        )
        return [Candle(*row) for row in found]

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """See Checks."""
        first = connection.exec_driver_sql(_SQLITE_FIRST, (fine.id, start, end)).first()
        if first is None:
            return Unequal((), self._closed(connection, coarse, start, end))
        step, fine_step = (one.key.timeframe.longest_ms for one in (coarse, fine))
        decimals = [len((value or "").partition(".")[2]) for value in first]
        whole = f"count(*) = {step // fine_step} AND min(b.closed)"
        given = {"whole": whole, "of_c": _OF_C.format(fine=fine.id, step=step), "coarse": coarse.id}
        try:
            found = connection.exec_driver_sql(
                _SQLITE_SUMS.format(proved=_proved(decimals), **given), (start, end)
            ).all()
        except OperationalError as error:
            # A sum of theirs is longer than an integer of SQLite: none is proved.
            if "overflow" not in str(error):
                raise
            found = connection.exec_driver_sql(
                _SQLITE_SUMS.format(proved="0", **given), (start, end)
            ).all()
        return _unequal(found)

    @staticmethod
    def _closed(connection: Connection, one: Stored, start: int, end: int) -> list[int]:
        statement = "SELECT open_time FROM candle WHERE series_id = ? AND closed AND open_time >= ? AND open_time < ? ORDER BY open_time"
        return [row[0] for row in connection.exec_driver_sql(statement, (one.id, start, end))]


class PostgresChecks:
    """See Checks."""

    def snapshot(self, connection: Connection) -> None:
        """Asked for ahead of the first statement. Both sides of each join are long, also where PostgreSQL has not counted a table's rows yet."""
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")

    def facts(
        self,
        connection: Connection,
        one: Stored,
        start: int,
        end: int,
        spans: Sequence[tuple[int, int]],
    ) -> RowCounts:
        """See Checks."""
        inside = (
            " OR ".join(
                f"open_time >= {_at(low)} AND open_time < {_at(high)}" for low, high in spans
            )
            or "false"
        )
        step = one.key.timeframe
        statement = f"""
            SELECT count(*), count(*) FILTER (WHERE closed), count(*) FILTER (WHERE {inside}), count(*) FILTER (WHERE closed AND ({inside})),
                   count(*) FILTER (WHERE {_postgres_off_grid(step)}),
                   count(*) FILTER (WHERE NOT ({_POSTGRES_SOUND})),
                   coalesce(max(CAST(date_part('epoch', close_time) * 1000 AS bigint)), 0) + 1
            FROM candle WHERE {_postgres_range(one, start, end)}"""
        found = connection.exec_driver_sql(
            statement.replace(":longest", str(step.longest_ms))
        ).one()
        return RowCounts(*map(int, found))

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """See Checks."""
        statement = f"""
            SELECT {", ".join(_POSTGRES_READ.get(name, name + "::text") for name in _FIELDS)} FROM candle
            WHERE {_postgres_range(one, start, end)} AND NOT ({_POSTGRES_SOUND}) ORDER BY open_time LIMIT {ROWS}"""
        return [
            Candle(*row)
            for row in connection.exec_driver_sql(
                statement.replace(":longest", str(one.key.timeframe.longest_ms))
            )
        ]

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """See Checks."""
        step, fine_step = (one.key.timeframe.longest_ms for one in (coarse, fine))
        statement = _POSTGRES_SUMS.format(
            step=step,
            fine_step=fine_step,
            times=step // fine_step,
            of_fine=_postgres_range(fine, start, end),
            of_coarse=_postgres_range(coarse, start, end),
        )
        return _unequal(connection.exec_driver_sql(statement).all())


def checks_of(dialect: str) -> Checks:
    """Those of a database."""
    return SqliteChecks() if dialect == "sqlite" else PostgresChecks()


def _unequal(found: Sequence[Any]) -> Unequal:
    """Of rows with an open time and whether the set of finer candles is whole."""
    return Unequal(
        [int(row[0]) for row in found if row[1]], [int(row[0]) for row in found if not row[1]]
    )


def _off_grid(step: Timeframe) -> str:
    """Whether a row is plainly off the grid; longer steps are looked at row by row."""
    return f"open_time % {min(step.longest_ms, Timeframe.D1.longest_ms)} <> 0"


# A number is no less than '0' as text and no more than the largest as a number: what is no number is more than each of them.
def _number(name: str) -> str:
    return f"{name} >= '0' AND {name} <= CAST({_MOST} AS REAL)"


# Two that are a trillionth apart as doubles are in that order; closer ones are in it if they are the same text. Here too what is no number is
# more than each, so that open and close, which are no more than high, are numbers.
def _between(name: str) -> str:
    above = f"{name} = low OR {name} > CAST(CAST(low AS REAL) * 1.000000000001 AS REAL)"
    below = f"{name} = high OR {name} < CAST(CAST(high AS REAL) * 0.999999999999 AS REAL)"
    return f"({above}) AND ({below})"


_SQLITE_SOUND = " AND ".join(
    [
        "close_time - open_time BETWEEN 0 AND :longest",
        "trades >= 0",
        *(_number(name) for name in ("low", "high", *_AMOUNTS)),
        _between("open"),
        _between("close"),
    ]
)
_SQLITE_FIRST = f"SELECT {', '.join(_AMOUNTS)} FROM candle WHERE series_id = ? AND open_time >= ? AND open_time < ? ORDER BY open_time LIMIT 1"
# One row for each candle that is not proved. A subquery for each of them reads the finer rows in the order of their key, so nothing is sorted.
_SQLITE_SUMS = """
    SELECT c.open_time, coalesce((SELECT {whole} FROM candle AS b WHERE {of_c}), 0)
    FROM candle AS c
    WHERE c.series_id = {coarse} AND c.closed AND c.open_time >= ? AND c.open_time < ?
    AND NOT coalesce((SELECT {whole} AND {proved} FROM candle AS b WHERE {of_c}), 0)
    ORDER BY c.open_time"""
_OF_C = "b.series_id = {fine} AND b.open_time >= c.open_time AND b.open_time < c.open_time + {step}"
# More digits than this do not add up in an integer of SQLite.
_MOST_DECIMALS = 15
_MOST_INTEGER = 9_000_000_000_000_000_000


def _proved(decimals: Sequence[int]) -> str:
    """That candle c adds up of all its b: each amount has as many decimals as the first one, so that both of its parts are integers."""
    if max(decimals) > _MOST_DECIMALS:
        return "0"
    parts = [
        "max(CASE WHEN b.open_time = c.open_time THEN b.open = c.open END)",
        "max(CASE WHEN b.close_time = c.close_time THEN b.close = c.close END)",
        "sum(b.trades) = c.trades",
        # Some are the same text, and the others plainly lower, or higher.
        "sum(b.high = c.high) > 0",
        "coalesce(max(CAST(CASE WHEN b.high <> c.high THEN b.high END AS REAL)) * 1.000000000001 < CAST(c.high AS REAL), 1)",
        "sum(b.low = c.low) > 0",
        "coalesce(CAST(c.low AS REAL) * 1.000000000001 < min(CAST(CASE WHEN b.low <> c.low THEN b.low END AS REAL)), 1)",
        f"min({' AND '.join(_has_decimals(f'b.{name}', count) for name, count in zip(_AMOUNTS, decimals, strict=True))})",
    ]
    for name, count in zip(_AMOUNTS, decimals, strict=True):
        parts += [_has_decimals(f"c.{name}", count), *_adds_up(name, count)]
    return " AND ".join(parts)


def _has_decimals(value: str, count: int) -> str:
    return f"substr({value}, -{count + 1}, 1) = '.'" if count else f"instr({value}, '.') = 0"


def _adds_up(name: str, decimals: int) -> list[str]:
    """That an amount is the sum: what the fractions make above one is carried."""
    whole, ones = f"CAST(c.{name} AS INTEGER)", f"sum(CAST(b.{name} AS INTEGER))"
    fits = f"{whole} < {_MOST_INTEGER}"
    if not decimals:
        return [fits, f"{ones} = {whole}"]
    fraction, unit = f"sum(CAST(substr(b.{name}, -{decimals}) AS INTEGER))", 10**decimals
    carried = f"{ones} + {fraction} / {unit} = {whole}"
    return [fits, carried, f"{fraction} % {unit} = CAST(substr(c.{name}, -{decimals}) AS INTEGER)"]


def _at(at: int) -> str:
    return f"to_timestamp({at:d} / 1000.0)"


def _postgres_range(one: Stored, start: int, end: int) -> str:
    return f"series_id = {one.id:d} AND open_time >= {_at(start)} AND open_time < {_at(end)}"


def _postgres_off_grid(step: Timeframe) -> str:
    return f"mod(CAST(date_part('epoch', open_time) * 1000 AS bigint), {min(step.longest_ms, Timeframe.D1.longest_ms)}) <> 0"


_POSTGRES_READ = {
    name: f"CAST(date_part('epoch', {name}) * 1000 AS bigint)"
    for name in ("open_time", "close_time")
} | {"trades": "trades"}
_POSTGRES_SOUND = " AND ".join(
    [
        "close_time BETWEEN open_time AND open_time + interval ':longest milliseconds'",
        "trades >= 0",
        "low >= 0",
        f"high <= {_MOST}",
        *(
            f"{low} <= {high}"
            for low, high in (
                ("low", "open"),
                ("open", "high"),
                ("low", "close"),
                ("close", "high"),
            )
        ),
        *(f"{name} >= 0 AND {name} <= {_MOST}" for name in _AMOUNTS),
    ]
)
_EPOCH = "timestamptz '1970-01-01 00:00:00+00'"
_POSTGRES_SUMS = f"""
    WITH sums AS (
        SELECT place, count(*) = {{times}} AND bool_and(closed) AS whole,
               max(open) FILTER (WHERE open_time = place) AS open,
               max(close) FILTER (WHERE open_time = place + interval '{{step}} milliseconds' - interval '{{fine_step}} milliseconds') AS close,
               max(high) AS high, min(low) AS low, sum(trades) AS trades,
               {", ".join(f"sum({name}) AS {name}" for name in _AMOUNTS)}
        FROM (SELECT *, date_bin(interval '{{step}} milliseconds', open_time, {_EPOCH}) AS place FROM candle WHERE {{of_fine}}) AS b
        GROUP BY place
    )
    SELECT CAST(date_part('epoch', c.open_time) * 1000 AS bigint), coalesce(sums.whole, false)
    FROM candle AS c LEFT JOIN sums ON c.open_time = sums.place
    WHERE c.closed AND {{of_coarse}} AND NOT coalesce(
        sums.whole AND {" AND ".join(f"c.{name} = sums.{name}" for name in ("open", "high", "low", "close", "trades", *_AMOUNTS))}, false
    )
    ORDER BY c.open_time"""
