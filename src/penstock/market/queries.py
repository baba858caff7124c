"""What can be read of the market domain: the one reader behind the API, the CLI and later the dashboard.

Each function builds its statement and reads it with the connection it is given. Times are ms, numbers the exchange's strings.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from sqlalchemy import and_, bindparam, collate, desc, func, literal, or_, select

from penstock.collection.tables import collection_config
from penstock.columns import Timestamp, among, read_clock
from penstock.errors import NotFoundError
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import Directory, Instrument, Status, folded
from penstock.market.tables import candle, coverage, exchange_clock, instrument, series

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from sqlalchemy import CTE, Column, ColumnElement, Connection, Function, Row, ScalarSelect

    from penstock.market.configured import Configured
    from penstock.market.timeframe import Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleQuery:
    """Candles of one series that open in `start ≤ t < end`; the newest `limit` of them, or with `oldest_first` the oldest.

    `symbol` is unified or native.
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


def instruments(
    connection: Connection, exchange: str | None, *, names: Collection[str] | None = None
) -> tuple[list[Instrument], int]:
    """What is known of an exchange (None: of any), all or what has one of the names in whatever case, and when that was last looked up (0: never)."""
    wanted = (
        select(instrument)
        if exchange is None
        else select(instrument).where(instrument.c.exchange == exchange)
    )
    if names is not None:
        wanted = wanted.where(called(connection, names))
    rows = connection.execute(wanted).all()
    return [instrument_of(row) for row in rows], max((row.seen_at for row in rows), default=0)


def unified(connection: Connection, name: str) -> str | None:
    """The one symbol that a native name, or one in another case, stands for."""
    known, _ = instruments(connection, None, names=[name])
    exact = next((one.symbol for one in known if name in {one.symbol, one.native_symbol}), None)
    return exact or (known[0].symbol if len(known) == 1 else None)


def instrument_of(row: Row[Any]) -> Instrument:
    """The instrument that a row with its columns stands for."""
    return Instrument(
        exchange=row.exchange,
        market=row.market,
        native_symbol=row.native_symbol,
        base=row.base,
        quote=row.quote,
        status=Status(row.status),
        gone=row.gone_at is not None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFilter:
    """Which instruments: those of which a name `begins` so, in whatever case of its ASCII letters."""

    exchange: str | None = None
    begins: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """An instrument, when it was last in the exchange's list, and since when it is not."""

    id: int
    instrument: Instrument
    seen_at: int
    gone_at: int | None


def symbols(
    connection: Connection, wanted: SymbolFilter, *, after_id: int, limit: int
) -> list[SymbolRow]:
    """Instruments in order of their id, those behind `after_id`."""
    found = select(instrument).where(instrument.c.id > after_id)
    if wanted.exchange is not None:
        found = found.where(instrument.c.exchange == wanted.exchange)
    if wanted.status is not None:
        found = found.where(instrument.c.status == wanted.status)
    if wanted.begins is not None:
        found = found.where(
            or_(
                *(
                    name.startswith(folded(wanted.begins), autoescape=True)
                    for name in _folded_names(connection)
                )
            )
        )
    rows = connection.execute(found.order_by(instrument.c.id).limit(limit))
    return [SymbolRow(row.id, instrument_of(row), row.seen_at, row.gone_at) for row in rows]


def called(connection: Connection, names: Collection[str]) -> ColumnElement[bool]:
    """Whether an instrument has one of the names in whatever case of its ASCII letters."""
    asked = {folded(name) for name in names}
    return or_(*(name.in_(asked) for name in _folded_names(connection)))


def _folded_names(connection: Connection) -> list[ColumnElement[str]]:
    """Both names of an instrument as `folded` gives them."""
    # SQLite knows no other letters, and this collation of PostgreSQL does not either.
    collation = "BINARY" if connection.dialect.name == "sqlite" else "C"
    return [
        func.upper(collate(column, collation))
        for column in (instrument.c.symbol, instrument.c.native_symbol)
    ]


def of_each_series(ids: Collection[int], value: ColumnElement[Any]) -> CTE:
    """A `value` of each of these series, beside its `id`. A subquery in it is read once a series, where PostgreSQL may read it once a row."""
    found = select(series.c.id, value.label("value")).where(among(series.c.id, ids))
    return found.cte("of_each_series").prefix_with("MATERIALIZED", dialect="postgresql")


def candles(connection: Connection, query: CandleQuery) -> Sequence[StoredCandle]:
    """Stored candles in ascending order; InvalidInputError for an unknown symbol, NotFoundError for a series that was never collected."""
    parameters = {
        "exchange": query.exchange,
        "name": query.symbol.strip(),
        "timeframe": query.timeframe.value,
        "start": 0 if query.start is None else query.start,
        "end": _END_OF_TIME if query.end is None else query.end,
        "limit": query.limit,
    }
    statement = _OLDEST_FIRST if query.oldest_first else _NEWEST_FIRST
    rows: Sequence[Any] = connection.execute(statement, parameters).all()
    if not rows and connection.execute(_SERIES_ID, parameters).first() is None:
        # Most users write a name as it is; only who does not waits for it to be looked up.
        parameters["name"] = _written(connection, query)
        rows = connection.execute(statement, parameters).all()
        if not rows:
            _require_series(connection, query, parameters)
    return rows if query.oldest_first else rows[::-1]


def _written(connection: Connection, query: CandleQuery) -> str:
    """The name of the series as it is written; InvalidInputError for one that the exchange does not have."""
    known, _ = instruments(connection, query.exchange, names=[query.symbol])
    if not known:
        known, _ = instruments(connection, query.exchange)
    if not known:
        message = f"nothing was collected from {query.exchange} yet; to begin: penstock collect {query.symbol} -t {query.timeframe}"
        raise NotFoundError(message)
    return Directory(known).find(query.symbol)[1]


def _require_series(connection: Connection, query: CandleQuery, parameters: dict[str, Any]) -> None:
    if connection.execute(_SERIES_ID, parameters).first() is None:
        name = parameters["name"]
        message = f"{name} was never collected in {query.timeframe}; to collect it: penstock collect {name} -t {query.timeframe}"
        raise NotFoundError(message)


# Built once: composing a statement takes longer than reading the rows of a page.
_END_OF_TIME = 253_402_300_799_999
_SERIES_ID = (
    select(series.c.id)
    .join(instrument, instrument.c.id == series.c.instrument_id)
    .where(
        instrument.c.exchange == bindparam("exchange"), series.c.timeframe == bindparam("timeframe")
    )
    .where(
        or_(
            instrument.c.symbol == bindparam("name"),
            instrument.c.native_symbol == bindparam("name"),
        )
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """A series and what is stored of it; `first` and `newest` are open times, `gaps` known ranges that are missing."""

    id: int
    exchange: str
    symbol: str
    native_symbol: str
    timeframe: str
    first: int | None
    newest: int | None
    gaps: int


def series_list(
    connection: Connection, *, after_id: int, limit: int, exchange: str | None, symbol: str | None
) -> list[SeriesRow]:
    """Series in order of their id, those behind `after_id`; `symbol` is unified or native."""
    gaps = (
        select(func.count())
        .where(coverage.c.series_id == series.c.id, coverage.c.state != SpanState.STORED)
        .scalar_subquery()
    )
    wanted = (
        select(
            series.c.id,
            instrument.c.exchange,
            instrument.c.symbol,
            instrument.c.native_symbol,
            series.c.timeframe,
        )
        .add_columns(
            _edge(func.min).label("first"), _edge(func.max).label("newest"), gaps.label("gaps")
        )
        .join(instrument, instrument.c.id == series.c.instrument_id)
        .where(series.c.id > after_id)
        .order_by(series.c.id)
        .limit(limit)
    )
    if exchange is not None:
        wanted = wanted.where(instrument.c.exchange == exchange)
    if symbol is not None:
        wanted = wanted.where(called(connection, [symbol]))
    return [SeriesRow(**row._asdict()) for row in connection.execute(wanted)]


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


class SeriesName(Protocol):
    """A series as somebody calls it: `symbol` is unified or native, in whatever case."""

    @property
    def exchange(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def timeframe(self) -> str: ...


N = TypeVar("N", bound=SeriesName)


@dataclass(frozen=True, slots=True)
class Lookup(Generic[N]):
    """Series as they were looked up: ids by name, the newest candles by id, and what the exchanges of unknown names list."""

    ids: Mapping[N, int]
    candles: Mapping[int, list[StoredCandle]]
    listed: Mapping[str, list[Instrument]]


def look_up(
    connection: Connection,
    names: Collection[N],
    series_ids: Collection[int],
    *,
    checked: Collection[N],
    most: int,
) -> Lookup[N]:
    """Series by name or id, with their newest candles; of the `checked` names it can be told whether they will ever be collected."""
    ids = find_series(connection, names) if names else {}
    wanted = {*series_ids, *ids.values()}
    exchanges = {name.exchange for name in checked if name not in ids}
    return Lookup(
        ids,
        newest_candles(connection, wanted, most) if wanted else {},
        {exchange: instruments(connection, exchange)[0] for exchange in exchanges},
    )


def find_series(connection: Connection, names: Collection[N]) -> dict[N, int]:
    """The ids of those that were ever collected."""
    wanted = (
        select(
            series.c.id,
            instrument.c.exchange,
            instrument.c.symbol,
            instrument.c.native_symbol,
            series.c.timeframe,
        )
        .join(instrument, instrument.c.id == series.c.instrument_id)
        .where(called(connection, {name.symbol for name in names}))
    )
    ids: dict[tuple[str, str, str], int] = {}
    spelled: defaultdict[tuple[str, str, str], set[int]] = defaultdict(set)
    for row in connection.execute(wanted):
        for written in (row.native_symbol, row.symbol):
            ids[row.exchange, written, row.timeframe] = row.id
            spelled[row.exchange, folded(written), row.timeframe].add(row.id)
    # As it is written, else in another case, if that can mean one series only.
    exact = {name: ids.get((name.exchange, name.symbol, name.timeframe)) for name in names}
    other = {name: spelled[name.exchange, folded(name.symbol), name.timeframe] for name in names}
    return {
        name: found or next(iter(other[name]))
        for name, found in exact.items()
        if found or len(other[name]) == 1
    }


def newest_candles(
    connection: Connection, series_ids: Collection[int], most: int
) -> dict[int, list[StoredCandle]]:
    """The newest candles of each series, at most so many, in ascending order."""
    older = candle.alias()
    edge = (
        select(older.c.open_time)
        .where(older.c.series_id == series.c.id)
        .order_by(desc(older.c.open_time))
        .offset(most - 1)
        .limit(1)
    )
    since = candle.c.open_time >= func.coalesce(
        edge.correlate(series).scalar_subquery(), literal(0, Timestamp())
    )
    columns = [column for column in candle.c if column.name != "run_id"]
    wanted = (
        select(*columns)
        .select_from(series)
        .join(candle, and_(candle.c.series_id == series.c.id, since))
        .where(series.c.id.in_(series_ids))
    )
    found: dict[int, list[StoredCandle]] = {series_id: [] for series_id in series_ids}
    for row in connection.execute(wanted.order_by(candle.c.series_id, candle.c.open_time)):
        one: Any = row
        found[row.series_id].append(one)
    return found


def latest_prices(connection: Connection, *, limit: int) -> list[PriceRow]:
    """One row for each instrument, by symbol."""
    newest = select(
        series.c.id, series.c.instrument_id, series.c.timeframe, _edge(func.max).label("open_time")
    ).subquery()
    at_newest = and_(candle.c.series_id == newest.c.id, candle.c.open_time == newest.c.open_time)
    wanted = (
        select(
            instrument.c.exchange,
            instrument.c.symbol,
            instrument.c.native_symbol,
            newest.c.timeframe,
        )
        .add_columns(candle.c.close.label("price"), candle.c.open_time, candle.c.closed)
        .select_from(newest)
        .join(instrument, instrument.c.id == newest.c.instrument_id)
        .join(candle, at_newest)
        .order_by(instrument.c.symbol, instrument.c.exchange, candle.c.open_time)
    )
    by_instrument = {(row.exchange, row.native_symbol): row for row in connection.execute(wanted)}
    return [PriceRow(**row._asdict()) for row in by_instrument.values()][:limit]


def _edge(which: Callable[[Column[int]], Function[int]]) -> ScalarSelect[int]:
    return (
        select(which(candle.c.open_time)).where(candle.c.series_id == series.c.id).scalar_subquery()
    )


def collected_lately(
    connection: Connection, exchange: str, within_ms: int
) -> list[tuple[Instrument, str]]:
    """The instruments and timeframes of which something is stored that is no older than so much of the exchange's time, but for what is gone."""
    newest = select(func.max(coverage.c.end_time)).where(
        coverage.c.series_id == series.c.id, coverage.c.state == SpanState.STORED
    )
    since = literal(present(connection, exchange) - within_ms, Timestamp())
    wanted = select(instrument, series.c.timeframe).join(
        series, series.c.instrument_id == instrument.c.id
    )
    wanted = wanted.where(
        instrument.c.exchange == exchange, newest.correlate(series).scalar_subquery() > since
    )
    wanted = wanted.where(
        or_(instrument.c.gone_at.is_(None), instrument.c.status != Status.DELISTED)
    )
    return [
        (instrument_of(row), row.timeframe)
        for row in connection.execute(wanted.order_by(instrument.c.symbol, series.c.id))
    ]


def present(connection: Connection, exchange: str) -> int:
    """The exchange's present: the database's clock, and what the exchange's was ahead of it when it was looked at last."""
    ahead = connection.scalar(
        select(exchange_clock.c.ahead_ms).where(exchange_clock.c.exchange == exchange)
    )
    return read_clock(connection) + (ahead or 0)


def configured_symbols(connection: Connection, configured: Configured) -> list[str]:
    """What is collected when nothing is named: the configured symbols, else those traded most as of the last symbol refresh."""
    if configured.symbols:
        return list(configured.symbols)
    traded = (
        instrument.c.exchange == configured.exchange,
        instrument.c.quote == configured.quote,
        instrument.c.status == Status.TRADING,
    )
    most = select(instrument.c.symbol).where(*traded, instrument.c.quote_volume_24h.is_not(None))
    most = most.order_by(desc(instrument.c.quote_volume_24h), instrument.c.symbol).limit(
        configured.most_traded
    )
    return list(connection.scalars(most))


def trading_symbols(connection: Connection, exchange: str, *, limit: int) -> list[str]:
    """What can be collected, as of the last symbol refresh, by name."""
    trading = select(instrument.c.symbol).where(
        instrument.c.exchange == exchange, instrument.c.status == Status.TRADING
    )
    return list(connection.scalars(trading.order_by(instrument.c.symbol).limit(limit)))


def collected(connection: Connection, exchange: str) -> set[tuple[str, str]]:
    """The series (symbol, timeframe) of an exchange that enabled configs collect."""
    enabled = select(collection_config.c.symbol, collection_config.c.timeframes).where(
        collection_config.c.enabled, collection_config.c.exchange == exchange
    )
    return {
        (row.symbol, timeframe)
        for row in connection.execute(enabled)
        for timeframe in cast("list[str]", row.timeframes)
    }
