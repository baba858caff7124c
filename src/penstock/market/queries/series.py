"""Series: what is collected, and by which names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from sqlalchemy import func, literal, or_, select

from penstock.collection.tables import collection_config
from penstock.columns import Timestamp, among, if_given
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import SeriesKey, Status, folded
from penstock.market.queries.instruments import exchange_now, has_name, instrument_of
from penstock.market.tables import candle, coverage, instrument, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import (
        CTE,
        Column,
        ColumnElement,
        Connection,
        FromClause,
        Function,
        ScalarSelect,
        Select,
    )

# By what a series is known to users.
SERIES_NAMES = (
    instrument.c.exchange,
    instrument.c.symbol,
    instrument.c.native_symbol,
    series.c.timeframe,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """A series and what is stored of it: `first` and `newest` are open times, `gaps` is a count."""

    id: int
    exchange: str
    symbol: str
    native_symbol: str
    timeframe: str
    first: int | None
    newest: int | None
    gaps: int


class SeriesName(Protocol):
    """A series as a user names it: `symbol` is unified or native, in any case."""

    @property
    def exchange(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def timeframe(self) -> str: ...


N = TypeVar("N", bound=SeriesName)


def select_series(*columns: ColumnElement[Any], rows: FromClause | None = None) -> Select[Any]:
    """A statement that reads columns of series and their instruments, and of their `rows`."""
    on = instrument.c.id == series.c.instrument_id
    found = select(*columns).select_from(series).join(instrument, on)
    return found if rows is None else found.join(rows, rows.c.series_id == series.c.id)


def of_series(
    rows: FromClause, value: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> Select[Any]:
    """A subquery of a statement over series: a value of the rows of each."""
    own = rows.c.series_id == series.c.id
    return select(value).where(own, *conditions).correlate(series)


def newest_from(
    time: ColumnElement[int], rows: FromClause, most: int, *conditions: ColumnElement[bool]
) -> ColumnElement[int]:
    """The time from which a series has `most` rows; 0 if it has fewer."""
    newest = of_series(rows, time, *conditions).order_by(time.desc())
    edge = newest.offset(most - 1).limit(1).scalar_subquery()
    return func.coalesce(edge, literal(0, Timestamp()))


def list_series(
    connection: Connection, *, after_id: int, limit: int, exchange: str | None, symbol: str | None
) -> list[SeriesRow]:
    """Series after `after_id`, by id; `symbol` is unified or native."""
    gaps = of_series(coverage, func.count(), coverage.c.state != SpanState.STORED)
    edges = open_time(func.min).label("first"), open_time(func.max).label("newest")
    listed = select_series(series.c.id, *SERIES_NAMES, *edges, gaps.label("gaps")).where(
        series.c.id > after_id, if_given(instrument.c.exchange, exchange)
    )
    if symbol is not None:
        listed = listed.where(has_name(connection, [symbol]))
    rows = connection.execute(listed.order_by(series.c.id).limit(limit))
    return [SeriesRow(**row._asdict()) for row in rows]


def open_time(which: Callable[[Column[int]], Function[int]]) -> ScalarSelect[int]:
    """The first or the newest open time of a series, by `func.min` or `func.max`."""
    return of_series(candle, which(candle.c.open_time)).scalar_subquery()


def find_series(connection: Connection, names: Collection[N]) -> dict[N, int]:
    """The ids of the named series; a series that was never collected is left out."""
    named = select_series(series.c.id, *SERIES_NAMES).where(
        has_name(connection, {name.symbol for name in names})
    )
    spelled: defaultdict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    for row in connection.execute(named):
        for written in (row.native_symbol, row.symbol):
            spelled[row.exchange, folded(written), row.timeframe][written] = row.id
    found = {}
    for name in names:
        same = spelled[name.exchange, folded(name.symbol), name.timeframe]
        # As it is written; else in another case, if that can mean one series only.
        meant = {same[name.symbol]} if name.symbol in same else set(same.values())
        if len(meant) == 1:
            found[name] = meant.pop()
    return found


def per_series(ids: Collection[int], value: ColumnElement[Any]) -> CTE:
    """A `value` of each of these series, beside its `id`.

    A subquery in it is read once per series, where PostgreSQL could read it once per row.
    """
    found = select(series.c.id, value.label("value")).where(among(series.c.id, ids))
    return found.cte("per_series").prefix_with("MATERIALIZED", dialect="postgresql")


def recently_collected(connection: Connection, exchange: str, within_ms: int) -> list[SeriesKey]:
    """The series stored up to less than `within_ms` ago, unless delisted."""
    newest = of_series(
        coverage, func.max(coverage.c.end_time), coverage.c.state == SpanState.STORED
    )
    since = exchange_now(connection, exchange) - within_ms
    recent = select_series(*instrument.c, series.c.timeframe).where(
        instrument.c.exchange == exchange,
        newest.scalar_subquery() > since,
        or_(instrument.c.gone_at.is_(None), instrument.c.status != Status.DELISTED),
    )
    rows = connection.execute(recent.order_by(instrument.c.symbol, series.c.id))
    return [SeriesKey(instrument_of(row), Timeframe(row.timeframe)) for row in rows]


def has_config(connection: Connection, exchanges: Collection[str], *, but: int = 0) -> bool:
    """Whether there is a config of one of the exchanges, enabled or not, `but` the one of an id."""
    wanted = select(collection_config.c.id).where(
        collection_config.c.exchange.in_(exchanges), collection_config.c.id != but
    )
    return connection.scalar(wanted.limit(1)) is not None


def configured_series(connection: Connection, exchange: str) -> set[tuple[str, str]]:
    """The series (symbol, timeframe) of an exchange that enabled configs collect."""
    enabled = select(collection_config.c.symbol, collection_config.c.timeframes).where(
        collection_config.c.enabled, collection_config.c.exchange == exchange
    )
    return {
        (row.symbol, timeframe)
        for row in connection.execute(enabled)
        for timeframe in cast("list[str]", row.timeframes)
    }
