"""Market data: candles, series, the newest prices."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from penstock.api.routes.parts import FromQuery, StoreDep
from penstock.api.schemas.answer import answer
from penstock.api.schemas.input import Cursor, Input, Limit, Name, Time
from penstock.api.schemas.market.candle import COLUMNS, CandleShown
from penstock.api.schemas.market.series import Price, RecentShown, SeriesShown
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page, Shape
from penstock.market.instrument import parse_timeframes
from penstock.market.queries import candles as candle_queries
from penstock.market.queries import series as series_queries
from penstock.market.queries.candles import CandleQuery
from penstock.market.queries.recent import SeriesSearch, recent_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.queries.candles import StoredCandle

router = APIRouter(prefix="/api/v1", tags=["market data"])

_MOST_PRICES = 10_000


class CandlesQuery(Input):
    """Which candles: without `start` the newest, with it the oldest from there on.

    They are always in ascending order.
    """

    symbol: Name = Field(description="BTC/USDT or BTCUSDT")
    timeframe: str = Field(max_length=3, description="1m, 5m, 1h, 1d …")
    exchange: Name = "binance"
    start: Time | None = Field(None, description="candles that open at this time or later")
    end: Time | None = Field(None, description="candles that open before this time")
    limit: int = Field(500, ge=1, le=5_000)
    cursor: str | None = Field(
        None,
        pattern=r"^(after|before):[0-9]{1,14}$",
        description="`next_cursor` of the page before",
    )
    format: Literal["json", "csv"] = "json"


class Candles(Shape):
    """A page of a series."""

    exchange: str
    symbol: str
    timeframe: str
    candles: list[CandleShown]
    next_cursor: str | None = Field(
        description="`cursor` of the next page in the same direction; null at the end"
    )


@router.get(
    "/candles",
    response_model=Candles,
    responses={200: {"content": {"text/csv": {}}}, **documented(404, 422, 503)},
)
async def get_candles(store: StoreDep, query: FromQuery[CandlesQuery]) -> Response:
    """Stored candles of one series, as JSON or CSV."""
    wanted = _wanted(query)
    return await store.composed(
        lambda connection: candle_queries.read_candles(connection, wanted),
        lambda rows: _page(rows, query, wanted),
    )


def _page(rows: Sequence[StoredCandle], query: CandlesQuery, wanted: CandleQuery) -> Response:
    following = _next_cursor(rows, wanted)
    if query.format == "csv":
        return Response(
            _csv(rows),
            media_type="text/csv",
            headers={"X-Next-Cursor": following} if following else None,
        )
    candles = [CandleShown.of(row) for row in rows]
    return answer(Candles.made(Candles.fields_of(query, candles=candles, next_cursor=following)))


def _wanted(query: CandlesQuery) -> CandleQuery:
    (timeframe,) = parse_timeframes([query.timeframe])
    start, end = query.start, query.end
    oldest_first = start is not None
    if query.cursor is not None:
        direction, _, at = query.cursor.partition(":")
        oldest_first = direction == "after"
        start, end = (int(at) + 1, end) if oldest_first else (start, int(at))
    return CandleQuery(
        exchange=query.exchange,
        symbol=query.symbol,
        timeframe=timeframe,
        limit=query.limit,
        start=start,
        end=end,
        oldest_first=oldest_first,
    )


def _next_cursor(rows: Sequence[StoredCandle], wanted: CandleQuery) -> str | None:
    if len(rows) < wanted.limit:
        return None
    return f"after:{rows[-1].open_time}" if wanted.oldest_first else f"before:{rows[0].open_time}"


def _csv(rows: Sequence[StoredCandle]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row in rows:
        writer.writerow(vars(CandleShown.of(row)) | {"closed": "true" if row.closed else "false"})
    return text.getvalue()


class SeriesQuery(Input):
    """Which series, a page at a time."""

    exchange: Name | None = None
    symbol: Name | None = Field(None, description="BTC/USDT or BTCUSDT")
    limit: Limit = 100
    cursor: Cursor = 0


class SeriesPage(Page):
    """A page of series."""

    series: list[SeriesShown]
    next_cursor: int | None


@router.get("/series", response_model=SeriesPage, responses=documented(422, 503))
async def list_series(store: StoreDep, query: FromQuery[SeriesQuery]) -> Response:
    """Every series that was ever collected."""
    return await store.answer(
        lambda connection: SeriesPage.of(
            series_queries.list_series(
                connection,
                after_id=query.cursor,
                limit=query.limit,
                exchange=query.exchange,
                symbol=query.symbol,
            ),
            query.limit,
            SeriesShown.of,
        )
    )


class SearchQuery(Input):
    """Which series, a page at a time."""

    q: Name | None = Field(None, min_length=1, description="a part of a symbol, such as BTC")
    exchange: Name | None = None
    timeframe: str | None = Field(None, max_length=3, description="1m, 5m, 1h, 1d …")
    limit: Limit = 50
    cursor: Cursor = 0


class RecentPage(Page):
    """A page of series with their newest prices."""

    items: list[RecentShown]
    next_cursor: int | None


@router.get("/series/recent", response_model=RecentPage, responses=documented(422, 503))
async def list_recent_series(store: StoreDep, query: FromQuery[SearchQuery]) -> Response:
    """Series with their newest price, the closes before it, and how complete they are."""
    wanted = SeriesSearch(part=query.q, exchange=query.exchange, timeframe=query.timeframe)
    return await store.answer(
        lambda connection: RecentPage.of(
            recent_series(connection, wanted, after_id=query.cursor, limit=query.limit),
            query.limit,
            RecentShown.of,
        )
    )


class Prices(Shape):
    """The newest price of each symbol in the store."""

    prices: list[Price]


@router.get(
    "/data-collector/latest-prices",
    tags=["data collector"],
    response_model=Prices,
    responses=documented(503),
)
async def get_latest_prices(store: StoreDep) -> Response:
    """The newest price of each symbol, from the store alone."""
    return await store.answer(
        lambda connection: Prices(
            prices=[
                Price.of(row)
                for row in candle_queries.newest_prices(connection, limit=_MOST_PRICES)
            ]
        )
    )
