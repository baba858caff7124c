"""The checks of verify in the SQL of each database. Nothing is rounded: what passes is right.

PostgreSQL compares and adds `numeric`. SQLite keeps the exchange's text and has no exact type, so
there a statement proves what it can with integers; the rest is compared value by value.
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
    """Checks on SQLite."""

    def snapshot(self, _connection: Connection) -> None:
        """A transaction of SQLite sees one moment."""

    def facts(
        self,
        connection: Connection,
        one: Stored,
        start: int,
        end: int,
        spans: Sequence[tuple[int, int]],
    ) -> RowCounts:
        """Count the rows of a part."""
        inside = (
            " OR ".join(f"open_time >= {low:d} AND open_time < {high:d}" for low, high in spans)
            or "0"
        )
        step = one.key.timeframe
        columns = _counts(inside, _off_grid(step), _SQLITE_SOUND, "coalesce(max(close_time), 0)")
        statement = f"SELECT {columns} FROM candle WHERE {_SQLITE_RANGE}"
        found = connection.exec_driver_sql(
            statement.replace(":longest", str(step.longest_ms)), (one.id, start, end)
        ).one()
        return RowCounts(*map(int, found))

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """The rows with values that may be impossible."""
        statement = f"""
            SELECT {", ".join(_FIELDS)} FROM candle
            WHERE {_SQLITE_RANGE} AND NOT ({_SQLITE_SOUND}) ORDER BY open_time LIMIT {ROWS}"""
        found = connection.exec_driver_sql(
            statement.replace(":longest", str(one.key.timeframe.longest_ms)), (one.id, start, end)
        )
        return [Candle(*row) for row in found]

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """The closed candles that may not add up."""
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
            # A sum is too long for an integer of SQLite: none is proved.
            if "overflow" not in str(error):
                raise
            found = connection.exec_driver_sql(
                _SQLITE_SUMS.format(proved="0", **given), (start, end)
            ).all()
        return _unequal(found)

    @staticmethod
    def _closed(connection: Connection, one: Stored, start: int, end: int) -> list[int]:
        statement = (
            f"SELECT open_time FROM candle WHERE {_SQLITE_RANGE} AND closed ORDER BY open_time"
        )
        return [row[0] for row in connection.exec_driver_sql(statement, (one.id, start, end))]


class PostgresChecks:
    """Checks on PostgreSQL."""

    def snapshot(self, connection: Connection) -> None:
        """Set the isolation, and no nested loops, since both sides of joins are long."""
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
        """Count the rows of a part."""
        inside = (
            " OR ".join(
                f"open_time >= {_at(low)} AND open_time < {_at(high)}" for low, high in spans
            )
            or "false"
        )
        step = one.key.timeframe
        reach = f"coalesce(max({_epoch_ms('close_time')}), 0)"
        columns = _counts(inside, _postgres_off_grid(step), _POSTGRES_SOUND, reach)
        statement = f"SELECT {columns} FROM candle WHERE {_postgres_range(one, start, end)}"
        found = connection.exec_driver_sql(
            statement.replace(":longest", str(step.longest_ms))
        ).one()
        return RowCounts(*map(int, found))

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """The rows with values that may be impossible."""
        columns = ", ".join(_POSTGRES_READ.get(name, name + "::text") for name in _FIELDS)
        statement = f"""
            SELECT {columns} FROM candle
            WHERE {_postgres_range(one, start, end)} AND NOT ({_POSTGRES_SOUND})
            ORDER BY open_time LIMIT {ROWS}"""
        found = connection.exec_driver_sql(
            statement.replace(":longest", str(one.key.timeframe.longest_ms))
        )
        return [Candle(*row) for row in found]

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """The closed candles that may not add up."""
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
    """The checks of a database."""
    return SqliteChecks() if dialect == "sqlite" else PostgresChecks()


def _unequal(found: Sequence[Any]) -> Unequal:
    """From rows with an open time, and whether the finer candles are complete."""
    return Unequal(
        [int(row[0]) for row in found if row[1]], [int(row[0]) for row in found if not row[1]]
    )


def _counts(inside: str, off_grid: str, sound: str, reach: str) -> str:
    """The columns of RowCounts, by the conditions of a database."""
    conditions = ("closed", inside, f"closed AND ({inside})", off_grid, f"NOT ({sound})")
    counts = (f"count(*) FILTER (WHERE {condition})" for condition in conditions)
    return f"count(*), {', '.join(counts)}, {reach} + 1"


def _off_grid(step: Timeframe) -> str:
    """Whether a row is off the grid; longer timeframes are checked row by row."""
    return f"open_time % {min(step.longest_ms, Timeframe.D1.longest_ms)} <> 0"


# A number is at least '0' as text and at most the largest as a number; other text is greater.
def _number(name: str) -> str:
    return f"{name} >= '0' AND {name} <= CAST({_MOST} AS REAL)"


# Numbers a trillionth apart as doubles are in that order; closer ones must be the same text. Other
# text is greater than each, so open and close, at most high, are numbers.
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
_SQLITE_RANGE = "series_id = ? AND open_time >= ? AND open_time < ?"
_SQLITE_FIRST = (
    f"SELECT {', '.join(_AMOUNTS)} FROM candle WHERE {_SQLITE_RANGE} ORDER BY open_time LIMIT 1"
)
# The candles that are not proved. A subquery for each reads its rows by key, so nothing is sorted.
_SQLITE_SUMS = """
    SELECT c.open_time, coalesce((SELECT {whole} FROM candle AS b WHERE {of_c}), 0)
    FROM candle AS c
    WHERE c.series_id = {coarse} AND c.closed AND c.open_time >= ? AND c.open_time < ?
    AND NOT coalesce((SELECT {whole} AND {proved} FROM candle AS b WHERE {of_c}), 0)
    ORDER BY c.open_time"""
_OF_C = "b.series_id = {fine} AND b.open_time >= c.open_time AND b.open_time < c.open_time + {step}"
# More decimals do not add up in an integer of SQLite.
_MOST_DECIMALS = 15
_MOST_INTEGER = 9_000_000_000_000_000_000


def _proved(decimals: Sequence[int]) -> str:
    """That candle c adds up from all its b.

    Each amount has as many decimals as the first one, so that both of its parts are integers.
    """
    if max(decimals) > _MOST_DECIMALS:
        return "0"
    counts = list(zip(_AMOUNTS, decimals, strict=True))
    others = "CASE WHEN b.{0} <> c.{0} THEN b.{0} END"
    highest = f"max(CAST({others.format('high')} AS REAL)) * 1.000000000001"
    lowest = f"min(CAST({others.format('low')} AS REAL))"
    parts = [
        "max(CASE WHEN b.open_time = c.open_time THEN b.open = c.open END)",
        "max(CASE WHEN b.close_time = c.close_time THEN b.close = c.close END)",
        "sum(b.trades) = c.trades",
        # Some are the same text, and the others clearly lower, or higher.
        "sum(b.high = c.high) > 0",
        f"coalesce({highest} < CAST(c.high AS REAL), 1)",
        "sum(b.low = c.low) > 0",
        f"coalesce(CAST(c.low AS REAL) * 1.000000000001 < {lowest}, 1)",
        f"min({' AND '.join(_has_decimals(f'b.{name}', count) for name, count in counts)})",
    ]
    for name, count in counts:
        parts += [_has_decimals(f"c.{name}", count), *_adds_up(name, count)]
    return " AND ".join(parts)


def _has_decimals(value: str, count: int) -> str:
    return f"substr({value}, -{count + 1}, 1) = '.'" if count else f"instr({value}, '.') = 0"


def _adds_up(name: str, decimals: int) -> list[str]:
    """That an amount is the sum, with the fractions' carry."""
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
    shortest = min(step.longest_ms, Timeframe.D1.longest_ms)
    return f"mod({_epoch_ms('open_time')}, {shortest}) <> 0"


def _epoch_ms(column: str) -> str:
    return f"CAST(date_part('epoch', {column}) * 1000 AS bigint)"


_POSTGRES_READ = {name: _epoch_ms(name) for name in ("open_time", "close_time")} | {
    "trades": "trades"
}
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
_SUMMED = ("open", "high", "low", "close", "trades", *_AMOUNTS)
_POSTGRES_SUMS = f"""
    WITH fine AS (
        SELECT *, date_bin(interval '{{step}} milliseconds', open_time, {_EPOCH}) AS place
        FROM candle WHERE {{of_fine}}
    ), sums AS (
        SELECT place, count(*) = {{times}} AND bool_and(closed) AS whole,
               max(open) FILTER (WHERE open_time = place) AS open,
               max(close) FILTER (
                   WHERE open_time = place + interval '{{step}} milliseconds'
                       - interval '{{fine_step}} milliseconds'
               ) AS close,
               max(high) AS high, min(low) AS low, sum(trades) AS trades,
               {", ".join(f"sum({name}) AS {name}" for name in _AMOUNTS)}
        FROM fine GROUP BY place
    )
    SELECT {_epoch_ms("c.open_time")}, coalesce(sums.whole, false)
    FROM candle AS c LEFT JOIN sums ON c.open_time = sums.place
    WHERE c.closed AND {{of_coarse}} AND NOT coalesce(
        sums.whole AND {" AND ".join(f"c.{name} = sums.{name}" for name in _SUMMED)}, false
    )
    ORDER BY c.open_time"""
