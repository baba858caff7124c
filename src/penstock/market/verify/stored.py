"""What is read of a series to check it. Portable queries are here; those that each database answers best in its own SQL are behind `Checks`.

Times are ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import func, literal, select

from penstock.columns import Timestamp, in_ms
from penstock.errors import NotFoundError
from penstock.market.candle import Candle
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import Directory, SeriesKey
from penstock.market.queries import instrument_of, instruments
from penstock.market.tables import candle, coverage, instrument, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

# Rows of a series that are looked at in one statement.
ROWS = 10_000
END_OF_TIME = 253_402_300_799_999
_CANDLE = [candle.c[name] for name in Candle.__struct_fields__]

_NOT_WANTED = (SpanState.NOT_COLLECTED, SpanState.NOT_LISTED, SpanState.DELISTED)


@dataclass(frozen=True, slots=True)
class Stored:
    """A series of which something may be stored, and how long its stored spans are together."""

    id: int
    key: SeriesKey
    length: int

    @property
    def weight(self) -> int:
        """About how many candles it has."""
        return self.length // self.key.timeframe.longest_ms + 1


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of a part of a series in numbers.

    `inside`: rows that open in a stored span; `reach`: where the last one ends; `doubtful`: rows whose values are not plainly possible.
    """

    rows: int
    closed: int
    inside: int
    closed_inside: int
    off_grid: int
    doubtful: int
    reach: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row is."""

    opened: int
    end: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Unequal:
    """Candles of a series, by open time: `opens` are not proved to add up of their finer ones, `bare` have no whole set of those."""

    opens: Sequence[int]
    bare: Sequence[int]


class Checks(Protocol):
    """Checks in the SQL of one database; exact: what they let pass is right, what they do not is looked at by its values."""

    def snapshot(self, connection: Connection) -> None:
        """Let all that is read until the transaction ends be of one moment."""

    def facts(
        self,
        connection: Connection,
        one: Stored,
        start: int,
        end: int,
        spans: Sequence[tuple[int, int]],
    ) -> Facts:
        """Of the rows in `start ≤ t < end`; `spans` are stored ones."""

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """The rows that `facts` calls doubtful, at most ROWS of them."""

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """Of the closed candles in `start ≤ t < end`."""


def find_stored(
    connection: Connection,
    *,
    exchange: str | None,
    symbols: Sequence[str] | None,
    timeframes: Sequence[str] | None,
) -> list[Stored]:
    """The series by symbol and step; InvalidInputError for a symbol that nobody knows, NotFoundError when nothing of it is stored."""
    length = select(
        func.coalesce(func.sum(in_ms(coverage.c.end_time) - in_ms(coverage.c.start_time)), 0)
    )
    length = length.where(
        coverage.c.series_id == series.c.id, coverage.c.state == SpanState.STORED
    ).correlate(series)
    wanted = select(
        instrument,
        series.c.id.label("series_id"),
        series.c.timeframe,
        length.scalar_subquery().label("length"),
    )
    wanted = wanted.join(series, series.c.instrument_id == instrument.c.id)
    if exchange is not None:
        wanted = wanted.where(instrument.c.exchange == exchange)
    if timeframes:
        wanted = wanted.where(series.c.timeframe.in_(timeframes))
    found = [
        Stored(
            row.series_id, SeriesKey(instrument_of(row), Timeframe(row.timeframe)), int(row.length)
        )
        for row in connection.execute(wanted)
    ]
    if symbols:
        found = _named(connection, exchange, symbols, found)
    if not found:
        message = "nothing of that is stored; `penstock series` lists what is, `penstock collect` collects"
        raise NotFoundError(message)
    order = list(Timeframe)
    return sorted(
        found,
        key=lambda one: (
            one.key.instrument.exchange,
            one.key.instrument.symbol,
            order.index(one.key.timeframe),
        ),
    )


def _named(
    connection: Connection, exchange: str | None, symbols: Sequence[str], found: Sequence[Stored]
) -> list[Stored]:
    known, _ = instruments(connection, exchange)
    directory = Directory(known)
    wanted: set[str] = set()
    for name in symbols:
        one, _ = directory.find(name, field="symbols")
        if not any(stored.key.instrument.symbol == one.symbol for stored in found):
            message = (
                f"{name} is not stored in the timeframes asked for; `penstock series` lists what is"
            )
            raise NotFoundError(message)
        wanted.add(one.symbol)
    return [stored for stored in found if stored.key.instrument.symbol in wanted]


def edges(connection: Connection, one: Stored) -> tuple[int, int] | None:
    """Where the first row or stored span of a series begins, and where the last ends; None without any."""
    # One by one: each is the end of an index.
    rows = [
        connection.scalar(select(which(candle.c.open_time)).where(candle.c.series_id == one.id))
        for which in (func.min, func.max)
    ]
    of_series = coverage.c.series_id == one.id, coverage.c.state == SpanState.STORED
    spans = connection.execute(
        select(func.min(coverage.c.start_time), func.max(coverage.c.end_time)).where(*of_series)
    ).one()
    starts = [at for at in (rows[0], spans[0]) if at is not None]
    ends = [
        at
        for at in (None if rows[1] is None else one.key.timeframe.shift(rows[1], 1), spans[1])
        if at is not None
    ]
    return (int(min(starts)), int(max(ends))) if starts else None


def after(connection: Connection, one: Stored, start: int, end: int, count: int) -> int | None:
    """Where the row opens that stands `count` rows behind the first one of the range, None: there is none."""
    found = (
        select(candle.c.open_time)
        .where(*_range(one, start, end))
        .order_by(candle.c.open_time)
        .offset(count)
        .limit(1)
    )
    return connection.scalar(found)


def stored_spans(
    connection: Connection, one: Stored, start: int, end: int, limit: int
) -> list[tuple[int, int]]:
    """The stored spans that overlap the range, in order, at most so many."""
    found = select(coverage.c.start_time, coverage.c.end_time).where(
        coverage.c.series_id == one.id, coverage.c.state == SpanState.STORED
    )
    found = found.where(
        coverage.c.end_time > literal(start, Timestamp()),
        coverage.c.start_time < literal(end, Timestamp()),
    )
    return [
        (row[0], row[1])
        for row in connection.execute(found.order_by(coverage.c.start_time).limit(limit))
    ]


def wanted_ranges(
    connection: Connection, one: Stored, start: int, end: int
) -> list[tuple[int, int]]:
    """The parts of the range that somebody has asked for, whatever came of it, and that could have been there; neighbours as one."""
    found = select(coverage.c.start_time, coverage.c.end_time).where(
        coverage.c.series_id == one.id, coverage.c.state.not_in(_NOT_WANTED)
    )
    found = found.where(
        coverage.c.end_time > literal(start, Timestamp()),
        coverage.c.start_time < literal(end, Timestamp()),
    )
    ranges: list[tuple[int, int]] = []
    for low, high in connection.execute(found.order_by(coverage.c.start_time)):
        begin = ranges.pop()[0] if ranges and ranges[-1][1] == low else max(low, start)
        ranges.append((begin, min(high, end)))
    return ranges


def places(connection: Connection, one: Stored, start: int, end: int) -> Iterator[Place]:
    """The rows of the range in order."""
    found = select(candle.c.open_time, candle.c.close_time, candle.c.closed).where(
        *_range(one, start, end)
    )
    for opened, closes, closed in connection.execute(found.order_by(candle.c.open_time)):
        yield Place(
            opened,
            closes + 1 if closes > opened else one.key.timeframe.shift(opened, 1),
            bool(closed),
        )


def before(connection: Connection, one: Stored, at: int) -> Place | None:
    """The last row that opens before."""
    found = select(candle.c.open_time, candle.c.close_time, candle.c.closed).where(
        *_range(one, 0, at)
    )
    row = connection.execute(found.order_by(candle.c.open_time.desc()).limit(1)).first()
    if row is None:
        return None
    return Place(
        row[0], row[1] + 1 if row[1] > row[0] else one.key.timeframe.shift(row[0], 1), bool(row[2])
    )


def rows(
    connection: Connection, one: Stored, start: int, end: int, *, limit: int = ROWS
) -> list[tuple[Candle, bool]]:
    """The candles of the range in order, and whether each is final; at most so many."""
    found: Select[Any] = (
        select(*_CANDLE, candle.c.closed)
        .where(*_range(one, start, end))
        .order_by(candle.c.open_time)
        .limit(limit)
    )
    return [(Candle(*row[:-1]), bool(row[-1])) for row in connection.execute(found)]


def _range(one: Stored, start: int, end: int) -> tuple[ColumnElement[bool], ...]:
    return (
        candle.c.series_id == one.id,
        candle.c.open_time >= literal(start, Timestamp()),
        candle.c.open_time < literal(end, Timestamp()),
    )
