"""Candles of one series, and the newest ones of many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import and_, bindparam, desc, func, or_, select

from penstock.errors import NotFoundError
from penstock.market.instrument import Directory
from penstock.market.queries.instruments import instruments
from penstock.market.queries.series import (
    SERIES_NAMES,
    newest_from,
    open_time,
    select_series,
)
from penstock.market.tables import candle, instrument, series
from penstock.market.timeline import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from penstock.market.timeframe import Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleQuery:
    """Candles of one series that open in `start ≤ t < end`: the newest `limit` of them.

    With `oldest_first` the oldest. `symbol` is unified or native.
    """

    exchange: str
    symbol: str
    timeframe: Timeframe
    limit: int
    start: int | None = None
    end: int | None = None
    oldest_first: bool = False


class StoredCandle(Protocol):
    """A row of the candle table as it is read."""

    open_time: int
    close_time: int
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    quote_volume: str | None
    taker_base: str | None
    taker_quote: str | None
    trades: int | None
    closed: bool

    def _asdict(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """The newest price of an instrument: the close of its newest candle, open or closed."""

    exchange: str
    symbol: str
    native_symbol: str
    timeframe: str
    price: str
    open_time: int
    closed: bool


def read_candles(connection: Connection, query: CandleQuery) -> Sequence[StoredCandle]:
    """Stored candles in ascending order.

    InvalidInputError for an unknown symbol, NotFoundError for a series that was never collected.
    """
    parameters = {
        "exchange": query.exchange,
        "name": query.symbol.strip(),
        "timeframe": query.timeframe.value,
        "start": query.start or 0,
        "end": END_OF_TIME if query.end is None else query.end,
        "limit": query.limit,
    }
    statement = _OLDEST_FIRST if query.oldest_first else _NEWEST_FIRST
    rows: Sequence[Any] = connection.execute(statement, parameters).all()
    if not rows and connection.execute(_SERIES_ID, parameters).first() is None:
        # Most users spell a name correctly; only the others wait for the lookup.
        name = _written_name(connection, query)
        if name == parameters["name"]:
            raise NotFoundError(
                f"{name} was never collected in {query.timeframe};"
                f" to collect it: penstock collect {name} -t {query.timeframe}"
            )
        return read_candles(connection, replace(query, symbol=name))
    return rows if query.oldest_first else rows[::-1]


def _written_name(connection: Connection, query: CandleQuery) -> str:
    """The symbol in the exchange's spelling; InvalidInputError for one that it does not list."""
    known = instruments(connection, query.exchange, names=[query.symbol])
    known = known or instruments(connection, query.exchange)
    if not known:
        raise NotFoundError(
            f"nothing was collected from {query.exchange} yet;"
            f" to begin: penstock collect {query.symbol} -t {query.timeframe}"
        )
    return Directory(known).find(query.symbol)[1]


# Built once: composing a statement takes longer than reading the rows of a page.
_SERIES_ID = (
    select_series(series.c.id)
    .where(
        instrument.c.exchange == bindparam("exchange"),
        series.c.timeframe == bindparam("timeframe"),
        or_(
            instrument.c.symbol == bindparam("name"),
            instrument.c.native_symbol == bindparam("name"),
        ),
    )
    .limit(1)
)
_CANDLES = (
    select(*[column for column in candle.c if column.name not in {"series_id", "run_id"}])
    .where(candle.c.series_id == _SERIES_ID.scalar_subquery())
    .where(candle.c.open_time >= bindparam("start"), candle.c.open_time < bindparam("end"))
    .limit(bindparam("limit"))
)
_OLDEST_FIRST = _CANDLES.order_by(candle.c.open_time)
_NEWEST_FIRST = _CANDLES.order_by(desc(candle.c.open_time))


def newest_candles(
    connection: Connection, series_ids: Collection[int], most: int
) -> dict[int, list[StoredCandle]]:
    """The newest `most` candles of each series, in ascending order."""
    older = candle.alias()
    since = candle.c.open_time >= newest_from(older.c.open_time, older, most)
    columns = [column for column in candle.c if column.name != "run_id"]
    newest = (
        select(*columns)
        .select_from(series)
        .join(candle, and_(candle.c.series_id == series.c.id, since))
        .where(series.c.id.in_(series_ids))
    )
    found: dict[int, list[Any]] = {series_id: [] for series_id in series_ids}
    for row in connection.execute(newest.order_by(candle.c.series_id, candle.c.open_time)):
        found[row.series_id].append(row)
    return found


def newest_prices(connection: Connection, *, limit: int) -> list[PriceRow]:
    """One price for each instrument, by symbol."""
    newest = select(
        series.c.id, series.c.instrument_id, series.c.timeframe, open_time(func.max).label("at")
    ).subquery()
    *names, _ = SERIES_NAMES
    prices = (
        select(
            *names,
            newest.c.timeframe,
            candle.c.close.label("price"),
            candle.c.open_time,
            candle.c.closed,
        )
        .select_from(newest)
        .join(instrument, instrument.c.id == newest.c.instrument_id)
        .join(candle, and_(candle.c.series_id == newest.c.id, candle.c.open_time == newest.c.at))
        .order_by(instrument.c.symbol, instrument.c.exchange, candle.c.open_time)
    )
    by_instrument = {(row.exchange, row.native_symbol): row for row in connection.execute(prices)}
    return [PriceRow(**row._asdict()) for row in by_instrument.values()][:limit]
