"""What is read of a series to check it.

Portable queries are here; those that each database answers best in its own SQL are behind `Checks`.
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
from penstock.market.queries.instruments import instrument_of, instruments
from penstock.market.queries.series import select_series
from penstock.market.tables import candle, coverage, instrument, series
from penstock.market.timeframe import Timeframe
from penstock.market.timeline import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

# Rows of a series that one statement reads.
ROWS = 10_000
_CANDLE = [candle.c[name] for name in Candle.__struct_fields__]

_NOT_WANTED = (SpanState.NOT_COLLECTED, SpanState.NOT_LISTED, SpanState.DELISTED)


@dataclass(frozen=True, slots=True)
class Stored:
    """A series of which something may be stored, and the length of its stored spans together."""

    id: int
    key: SeriesKey
    length: int

    @property
    def weight(self) -> int:
        """About how many candles it has."""
        return self.length // self.key.timeframe.longest_ms + 1


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The rows of a part of a series in numbers.

    `inside`: rows that open in a stored span; `reach`: where the last row ends; `doubtful`: rows
    with values that may be impossible.
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
    """Where a row is, and whether it is final."""

    opened: int
    end: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Unequal:
    """Candles of a series, by open time.

    `opens` are not proved to add up from finer candles, `bare` have no complete set of those.
    """

    opens: Sequence[int]
    bare: Sequence[int]


class Checks(Protocol):
    """Checks in the SQL of one database.

    What they let pass is right; the rest is checked by its values.
    """

    def snapshot(self, connection: Connection) -> None:
        """Make all reads until the end of the transaction see one moment."""

    def facts(
        self,
        connection: Connection,
        one: Stored,
        start: int,
        end: int,
        spans: Sequence[tuple[int, int]],
    ) -> RowCounts:
        """Count the rows in `start ≤ t < end`; `spans` are stored ones."""

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """The rows that `facts` counts as doubtful, at most ROWS of them."""

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """The closed candles in `start ≤ t < end` that may not add up."""


def find_stored(
    connection: Connection,
    *,
    exchange: str | None,
    symbols: Sequence[str] | None,
    timeframes: Sequence[str] | None,
) -> list[Stored]:
    """The stored series by symbol and timeframe.

    InvalidInputError for an unknown symbol, NotFoundError when nothing of it is stored.
    """
    span_length = in_ms(coverage.c.end_time) - in_ms(coverage.c.start_time)
    length = (
        select(func.coalesce(func.sum(span_length), 0))
        .where(coverage.c.series_id == series.c.id, coverage.c.state == SpanState.STORED)
        .correlate(series)
        .scalar_subquery()
    )
    wanted = select_series(
        *instrument.c, series.c.id.label("series_id"), series.c.timeframe, length.label("length")
    )
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
        message = (
            "nothing of that is stored; `penstock series` lists what is,"
            " `penstock collect` collects more"
        )
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
    known = instruments(connection, exchange)
    directory = Directory(known)
    wanted: set[str] = set()
    for name in symbols:
        one, _ = directory.find(name, field="symbols")
        if not any(stored.key.instrument.symbol == one.symbol for stored in found):
            message = f"{name} is not stored in these timeframes; `penstock series` lists what is"
            raise NotFoundError(message)
        wanted.add(one.symbol)
    return [stored for stored in found if stored.key.instrument.symbol in wanted]


def edges(connection: Connection, one: Stored) -> tuple[int, int] | None:
    """Where the first row or stored span of a series starts and the last ends; None without any."""
    # One at a time: each is the end of an index.
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
    """Where the row opens that is `count` rows after the first of the range; None without one."""
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
    """The first `limit` stored spans that overlap the range, in order."""
    found = select(coverage.c.start_time, coverage.c.end_time).where(
        coverage.c.state == SpanState.STORED, *_overlaps(one, start, end)
    )
    return [
        (row[0], row[1])
        for row in connection.execute(found.order_by(coverage.c.start_time).limit(limit))
    ]


def wanted_ranges(
    connection: Connection, one: Stored, start: int, end: int
) -> list[tuple[int, int]]:
    """The parts of the range that somebody asked for and that could have data; joined."""
    found = select(coverage.c.start_time, coverage.c.end_time).where(
        coverage.c.state.not_in(_NOT_WANTED), *_overlaps(one, start, end)
    )
    ranges = connection.execute(found.order_by(coverage.c.start_time))
    return joined((max(low, start), min(high, end)) for low, high in ranges)


def places(connection: Connection, one: Stored, start: int, end: int) -> Iterator[Place]:
    """The rows of the range in order."""
    found = _select_places(one, start, end).order_by(candle.c.open_time)
    return (_place_of(one, row) for row in connection.execute(found))


def before(connection: Connection, one: Stored, at: int) -> Place | None:
    """The last row that opens before `at`."""
    found = _select_places(one, 0, at).order_by(candle.c.open_time.desc()).limit(1)
    row = connection.execute(found).first()
    return None if row is None else _place_of(one, row)


def _select_places(one: Stored, start: int, end: int) -> Select[Any]:
    columns = candle.c.open_time, candle.c.close_time, candle.c.closed
    return select(*columns).where(*_range(one, start, end))


def _place_of(one: Stored, row: Row[Any]) -> Place:
    opened, closes, closed = tuple(row)
    end = closes + 1 if closes > opened else one.key.timeframe.shift(opened, 1)
    return Place(opened, end, bool(closed))


def rows(
    connection: Connection, one: Stored, start: int, end: int, *, limit: int = ROWS
) -> list[tuple[Candle, bool]]:
    """The first `limit` candles of the range in order, and whether each is final."""
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


def _overlaps(one: Stored, start: int, end: int) -> tuple[ColumnElement[bool], ...]:
    return (
        coverage.c.series_id == one.id,
        coverage.c.end_time > literal(start, Timestamp()),
        coverage.c.start_time < literal(end, Timestamp()),
    )
