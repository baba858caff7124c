"""What is read of a series to check it.

Portable queries are here; those that each database answers best in its own SQL are behind `Checks`.
Times are ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import func, select

from penstock.columns import if_given, in_ms
from penstock.errors import NotFoundError
from penstock.market.candle import Candle
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import Directory, SeriesKey
from penstock.market.queries.instruments import instrument_of, instruments
from penstock.market.queries.series import of_series, select_series
from penstock.market.tables import candle, coverage, instrument, series
from penstock.market.timeframe import Timeframe
from penstock.market.timeline import TimeRange, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Column, Connection, Row, Select

    from penstock.market.verify.order import VerifyOrder

# Rows of a series that one statement reads.
ROWS = 10_000
_CANDLE = [candle.c[name] for name in Candle.__struct_fields__]
_PLACE = candle.c.open_time, candle.c.close_time, candle.c.closed

_NOT_WANTED = (SpanState.NOT_COLLECTED, SpanState.NOT_LISTED, SpanState.DELISTED)


@dataclass(frozen=True, slots=True)
class Stored:
    """A series of which something may be stored, and the length of its stored spans together."""

    id: int
    key: SeriesKey
    length: int

    @property
    def timeframe(self) -> Timeframe:
        """That of its candles."""
        return self.key.timeframe

    @property
    def weight(self) -> int:
        """About how many candles it has."""
        return self.length // self.timeframe.longest_ms + 1


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
        spans: Sequence[TimeRange],
    ) -> RowCounts:
        """Count the rows in `start ≤ t < end`; `spans` are stored ones."""

    def doubtful(self, connection: Connection, one: Stored, start: int, end: int) -> list[Candle]:
        """The rows that `facts` counts as doubtful, at most ROWS of them."""

    def unequal(
        self, connection: Connection, coarse: Stored, fine: Stored, start: int, end: int
    ) -> Unequal:
        """The closed candles in `start ≤ t < end` that may not add up."""


def find_stored(connection: Connection, order: VerifyOrder) -> list[Stored]:
    """The stored series of an order by symbol and timeframe.

    InvalidInputError for an unknown symbol, NotFoundError when nothing of it is stored.
    """
    length = of_series(
        coverage,
        func.coalesce(in_ms(func.sum(coverage.c.end_time - coverage.c.start_time)), 0),
        coverage.c.state == SpanState.STORED,
    )
    statement = select_series(
        *instrument.c, series.c.id.label("series_id"), series.c.timeframe, length.label("length")
    ).where(if_given(instrument.c.exchange, order.exchange))
    if order.timeframes:
        statement = statement.where(series.c.timeframe.in_(order.timeframes))
    found = [
        Stored(
            row.series_id, SeriesKey(instrument_of(row), Timeframe(row.timeframe)), int(row.length)
        )
        for row in connection.execute(statement)
    ]
    if order.symbols:
        found = _named(connection, order.exchange, order.symbols, found)
    if not found:
        raise NotFoundError(
            "nothing of that is stored; `penstock series` lists what is,"
            " `penstock collect` collects more"
        )
    return sorted(
        found,
        key=lambda stored: (
            stored.key.instrument.exchange,
            stored.key.instrument.symbol,
            stored.timeframe.longest_ms,
        ),
    )


def _named(
    connection: Connection, exchange: str | None, symbols: Sequence[str], found: Sequence[Stored]
) -> list[Stored]:
    directory = Directory(instruments(connection, exchange))
    stored_symbols = {stored.key.instrument.symbol for stored in found}
    wanted: set[str] = set()
    for name in symbols:
        named, _ = directory.find(name, field="symbols")
        if named.symbol not in stored_symbols:
            raise NotFoundError(
                f"{name} is not stored in these timeframes; `penstock series` lists what is"
            )
        wanted.add(named.symbol)
    return [stored for stored in found if stored.key.instrument.symbol in wanted]


def edges(connection: Connection, stored: Stored) -> TimeRange | None:
    """Where the first row or stored span of a series starts and the last ends; None without any."""
    # One at a time: each is the end of an index.
    first, last = (
        connection.scalar(select(which(candle.c.open_time)).where(candle.c.series_id == stored.id))
        for which in (func.min, func.max)
    )
    of_stored = coverage.c.series_id == stored.id, coverage.c.state == SpanState.STORED
    span = func.min(coverage.c.start_time), func.max(coverage.c.end_time)
    low, high = connection.execute(select(*span).where(*of_stored)).one()
    found = [] if low is None else [(low, high)]
    if first is not None:
        found.append((first, stored.timeframe.shift(last, 1)))
    return (min(start for start, _ in found), max(end for _, end in found)) if found else None


def after(connection: Connection, stored: Stored, start: int, end: int, count: int) -> int | None:
    """Where the row opens that is `count` rows after the first of the range; None without one."""
    found = _select(stored, start, end, candle.c.open_time).offset(count).limit(1)
    opened: int | None = connection.scalar(found)
    return opened


def stored_spans(
    connection: Connection, stored: Stored, start: int, end: int, limit: int
) -> list[TimeRange]:
    """The first `limit` stored spans that overlap the range, in order."""
    found = _select_spans(stored, start, end).where(coverage.c.state == SpanState.STORED)
    return [(low, high) for low, high in connection.execute(found.limit(limit))]


def wanted_ranges(connection: Connection, stored: Stored, start: int, end: int) -> list[TimeRange]:
    """The requested parts of the range that could have data; joined."""
    found = _select_spans(stored, start, end).where(coverage.c.state.not_in(_NOT_WANTED))
    ranges = connection.execute(found)
    return joined((max(low, start), min(high, end)) for low, high in ranges)


def places(connection: Connection, stored: Stored, start: int, end: int) -> Iterator[Place]:
    """The rows of the range in order."""
    found = connection.execute(_select(stored, start, end, *_PLACE))
    return (_place_of(stored, row) for row in found)


def before(connection: Connection, stored: Stored, at: int) -> Place | None:
    """The last row that opens before `at`."""
    found = _select(stored, 0, at, *_PLACE, newest_first=True).limit(1)
    row = connection.execute(found).first()
    return None if row is None else _place_of(stored, row)


def _place_of(stored: Stored, row: Row[Any]) -> Place:
    opened, closes, closed = tuple(row)
    end = closes + 1 if closes > opened else stored.timeframe.shift(opened, 1)
    return Place(opened, end, bool(closed))


def rows(
    connection: Connection, stored: Stored, start: int, end: int, *, limit: int = ROWS
) -> list[tuple[Candle, bool]]:
    """The first `limit` candles of the range in order, and whether each is final."""
    found = _select(stored, start, end, *_CANDLE, candle.c.closed).limit(limit)
    return [(Candle(*values), bool(closed)) for *values, closed in connection.execute(found)]


def _select(
    stored: Stored, start: int, end: int, *columns: Column[Any], newest_first: bool = False
) -> Select[Any]:
    """The rows that open in the range, in order."""
    opened = candle.c.open_time
    return (
        select(*columns)
        .where(
            candle.c.series_id == stored.id,
            opened >= start,
            opened < end,
        )
        .order_by(opened.desc() if newest_first else opened)
    )


def _select_spans(stored: Stored, start: int, end: int) -> Select[Any]:
    """The spans that overlap the range, in order."""
    return (
        select(coverage.c.start_time, coverage.c.end_time)
        .where(
            coverage.c.series_id == stored.id,
            coverage.c.end_time > start,
            coverage.c.start_time < end,
        )
        .order_by(coverage.c.start_time)
    )
