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

_AMOUNTS = ("volume", "quote_volume", "taker_base", "taker_quote")
_MOST = "1e24"


class _SqlChecks:
    """What the databases say alike, with the words of each."""

    # The columns of a Candle.
    candle: str
    # That the values of a row are possible, in a timeframe of at most `longest` ms.
    sound: str
    # That a row does not open at a multiple of `step` ms.
    off_grid: str
    # When the last row closes.
    closes: str

    def facts(
        self,
        connection: Connection,
        one: Stored,
        start: int,
        end: int,
        spans: Sequence[tuple[int, int]],
    ) -> RowCounts:
        """Count the rows of a part."""
        inside = " OR ".join(self._within(*span) for span in spans) or "1 = 0"
        longest = one.key.timeframe.longest_ms
        # Longer timeframes are checked row by row.
        off_grid = self.off_grid.format(step=min(longest, Timeframe.D1.longest_ms))
        doubtful = f"NOT ({self.sound.format(longest=longest)})"
        conditions = ("closed", inside, f"closed AND ({inside})", off_grid, doubtful)
        counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in conditions)
        found = connection.exec_driver_sql(f"""
            SELECT count(*), {counts}, coalesce({self.closes}, 0) + 1
            FROM candle WHERE {self._range(one, start, end)}""").one()
        return RowCounts(*map(int, found))

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """The rows with values that may be impossible."""
        sound = self.sound.format(longest=one.key.timeframe.longest_ms)
        found = connection.exec_driver_sql(f"""
            SELECT {self.candle} FROM candle
            WHERE {self._range(one, start, end)} AND NOT ({sound})
            ORDER BY open_time LIMIT {ROWS}""")
        return [Candle(*row) for row in found]

    def _range(self, one: Stored, start: int, end: int) -> str:
        return f"series_id = {one.id:d} AND {self._within(start, end)}"

    def _within(self, start: int, end: int) -> str:
        return f"open_time >= {self._at(start)} AND open_time < {self._at(end)}"

    @staticmethod
    def _at(at: int) -> str:
        """A time as a value of SQL."""
        return f"{at:d}"


# A number is at least '0' as text and at most the largest as a number; other text is greater.
def _number(name: str) -> str:
    return f"{name} >= '0' AND {name} <= CAST({_MOST} AS REAL)"


# Numbers a trillionth apart as doubles are in that order; closer ones must be the same text. Other
# text is greater than each, so open and close, at most high, are numbers.
def _between(name: str) -> str:
    above = f"{name} = low OR {name} > CAST(CAST(low AS REAL) * 1.000000000001 AS REAL)"
    below = f"{name} = high OR {name} < CAST(CAST(high AS REAL) * 0.999999999999 AS REAL)"
    return f"({above}) AND ({below})"


class SqliteChecks(_SqlChecks):
    """Checks on SQLite."""

    candle = ", ".join(Candle.__struct_fields__)
    sound = " AND ".join(
        [
            "close_time - open_time BETWEEN 0 AND {longest}",
            "trades >= 0",
            *(_number(name) for name in ("low", "high", *_AMOUNTS)),
            _between("open"),
            _between("close"),
        ]
    )
    off_grid = "open_time % {step} <> 0"
    closes = "max(close_time)"

    def snapshot(self, _connection: Connection) -> None:
        """A transaction of SQLite sees one moment."""

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """The closed candles that may not add up."""
        first = connection.exec_driver_sql(f"""
            SELECT {", ".join(_AMOUNTS)} FROM candle
            WHERE {self._range(fine, start, end)} ORDER BY open_time LIMIT 1""").first()
        of_coarse = self._range(coarse, start, end)
        if first is None:
            opens = f"SELECT open_time FROM candle WHERE {of_coarse} AND closed ORDER BY open_time"
            return Unequal((), list(connection.exec_driver_sql(opens).scalars()))
        step, fine_step = (one.key.timeframe.longest_ms for one in (coarse, fine))

        def unproved(proved: str) -> Unequal:
            statement = _SQLITE_SUMS.format(
                whole=f"count(*) = {step // fine_step} AND min(b.closed)",
                proved=proved,
                of_c=_OF_C.format(fine=fine.id, step=step),
                of_coarse=of_coarse,
            )
            return _unequal(connection.exec_driver_sql(statement).all())

        try:
            return unproved(_proved([len((value or "").partition(".")[2]) for value in first]))
        except OperationalError as error:
            # A sum is too long for an integer of SQLite: none is proved.
            if "overflow" not in str(error):
                raise
            return unproved("0")


# The candles that are not proved. A subquery for each reads its rows by key, so nothing is sorted.
_SQLITE_SUMS = """
    SELECT c.open_time, coalesce((SELECT {whole} FROM candle AS b WHERE {of_c}), 0)
    FROM candle AS c
    WHERE {of_coarse} AND closed
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


def _epoch_ms(column: str) -> str:
    return f"CAST(date_part('epoch', {column}) * 1000 AS bigint)"


_READ = {"trades": "trades"} | {name: _epoch_ms(name) for name in ("open_time", "close_time")}


class PostgresChecks(_SqlChecks):
    """Checks on PostgreSQL."""

    candle = ", ".join(_READ.get(name, f"{name}::text") for name in Candle.__struct_fields__)
    sound = " AND ".join(
        [
            "close_time BETWEEN open_time AND open_time + interval '{longest} milliseconds'",
            "trades >= 0",
            f"low >= 0 AND high <= {_MOST}",
            "low <= open AND open <= high AND low <= close AND close <= high",
            *(f"{name} >= 0 AND {name} <= {_MOST}" for name in _AMOUNTS),
        ]
    )
    off_grid = f"mod({_epoch_ms('open_time')}, {{step}}) <> 0"
    closes = f"max({_epoch_ms('close_time')})"

    def snapshot(self, connection: Connection) -> None:
        """Set the isolation, and no nested loops, since both sides of joins are long."""
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.exec_driver_sql("SET LOCAL enable_nestloop = off")

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """The closed candles that may not add up."""
        step, fine_step = (one.key.timeframe.longest_ms for one in (coarse, fine))
        statement = _POSTGRES_SUMS.format(
            step=step,
            fine_step=fine_step,
            times=step // fine_step,
            of_fine=self._range(fine, start, end),
            of_coarse=self._range(coarse, start, end),
        )
        return _unequal(connection.exec_driver_sql(statement).all())

    @staticmethod
    def _at(at: int) -> str:
        return f"to_timestamp({at:d} / 1000.0)"


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


def checks_of(dialect: str) -> Checks:
    """The checks of a database."""
    return SqliteChecks() if dialect == "sqlite" else PostgresChecks()


def _unequal(found: Sequence[Any]) -> Unequal:
    """From rows with an open time, and whether the finer candles are complete."""
    return Unequal(
        [int(row[0]) for row in found if row[1]], [int(row[0]) for row in found if not row[1]]
    )
