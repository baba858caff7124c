"""What is known of the data: how complete series are, and gaps with their reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Response
from pydantic import Field

from penstock.api.routes.parts import FromQuery, StoreDep
from penstock.api.schemas.cursor import LONGEST, cursor_of, key_of
from penstock.api.schemas.input import LATEST, Cursor, Input, Limit, Name, Time
from penstock.api.schemas.market.coverage import CoverageRow, GapItem, SeriesComplete
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Moment, Page, Shape
from penstock.errors import InvalidInputError
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import parse_timeframes
from penstock.market.queries import gaps as gap_queries
from penstock.market.queries.coverage import series_coverage
from penstock.market.queries.gaps import REASONS, SeriesFilter
from penstock.market.queries.heat import HeatOrder, HeatUnit, heat_map
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.queries.gaps import Gap
    from penstock.market.queries.heat import Heat

router = APIRouter(prefix="/api/v1", tags=["market data"])

# What a cursor may hold: no value that a database cannot store.
_SeriesId = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_Time = Annotated[int, msgspec.Meta(ge=0, lt=LATEST)]


class Filter(Input):
    """Which series, and which part of them."""

    exchange: Name | None = None
    symbol: Name | None = Field(None, description="BTC/USDT or BTCUSDT")
    timeframe: str | None = Field(None, max_length=3, description="1m, 5m, 1h, 1d …")
    start: Time | None = Field(None, description="only what ends after this time")
    end: Time | None = Field(None, description="only what begins before this time")

    def series(self) -> SeriesFilter:
        """The filter of the queries; InvalidInputError for an invalid timeframe."""
        if self.timeframe is not None:
            parse_timeframes([self.timeframe])
        return SeriesFilter(**self.model_dump(include={*Filter.model_fields}))


class CoverageQuery(Filter):
    """A page of series."""

    limit: int = Field(100, ge=1, le=500)
    cursor: Cursor = 0


class CoveragePage(Page):
    """A page of series."""

    items: list[SeriesComplete]
    next_cursor: int | None


@router.get("/coverage", response_model=CoveragePage, responses=documented(422, 503))
async def get_coverage(store: StoreDep, query: FromQuery[CoverageQuery]) -> Response:
    """How complete each series is, and why what is missing is missing; from the ledger."""
    wanted = query.series()
    return await store.answer(
        lambda connection: CoveragePage.of(
            series_coverage(connection, wanted, after_id=query.cursor, limit=query.limit),
            query.limit,
            SeriesComplete.of,
        )
    )


class MapQuery(Input):
    """A page of series, and which part of them."""

    exchange: Name | None = None
    symbol: Name | None = Field(None, description="BTC/USDT or BTCUSDT")
    timeframe: str | None = Field(None, max_length=3, description="1m, 5m, 1h, 1d …")
    unit: HeatUnit = Field(HeatUnit.DAY, description="what a cell stands for, in UTC")
    cells: int = Field(31, ge=1, le=62, description="how many days or months")
    end: Time | None = Field(
        None, description="the last cell begins before this time; at the latest the present one"
    )
    only_gaps: bool = Field(
        default=False, description="only series that miss candles which could be there"
    )
    reason: str | None = Field(None, max_length=20, description="only series with such a gap")
    limit: int = Field(50, ge=1, le=100)
    cursor: int = Field(0, ge=0, lt=2**31, description="the series after the one of this id")

    def order(self) -> HeatOrder:
        """InvalidInputError for a timeframe or a reason that does not exist."""
        if self.timeframe is not None:
            parse_timeframes([self.timeframe])
        return HeatOrder(
            wanted=SeriesFilter(
                exchange=self.exchange, symbol=self.symbol, timeframe=self.timeframe
            ),
            reason=gap_reason(self.reason),
            **self.model_dump(include={"unit", "cells", "end", "only_gaps"}),
        )


class CoverageMap(Shape):
    """A page of the map: `starts` are those of the cells, `end` is that of the last one."""

    unit: HeatUnit
    starts: list[Moment]
    end: Moment
    items: list[CoverageRow]
    next_cursor: int | None


@router.get("/coverage/map", response_model=CoverageMap, responses=documented(422, 503))
async def map_coverage(store: StoreDep, query: FromQuery[MapQuery]) -> Response:
    """How much of each day or month each series has, for a heat map; from the ledger."""
    order = query.order()
    return await store.answer(
        lambda connection: _map_page(
            heat_map(connection, order, after_id=query.cursor, limit=query.limit), query
        )
    )


def _map_page(found: Heat, query: MapQuery) -> CoverageMap:
    *starts, end = map(iso, found.edges)
    rows = found.rows
    return CoverageMap.made(
        {
            "unit": query.unit,
            "starts": starts,
            "end": end,
            "items": [CoverageRow.of(row) for row in rows],
            "next_cursor": rows[-1].id if len(rows) == query.limit else None,
        }
    )


def gap_reason(text: str | None) -> SpanState | None:
    """The reason of that name; InvalidInputError for one that no gap has."""
    if text is None:
        return None
    reasons = [reason.value for reason in REASONS]
    if text not in reasons:
        raise InvalidInputError(
            f"reason: {text!r} is not a reason; use one of {', '.join(reasons)}", field="reason"
        )
    return SpanState(text)


class GapsQuery(Filter):
    """A page of gaps."""

    reason: str | None = Field(
        None,
        max_length=20,
        description="unconfirmed, outage, failed, rejected, not_collected, not_listed or delisted",
    )
    missing: bool = Field(default=False, description="only those whose candles could be there")
    limit: Limit = 100
    cursor: str | None = Field(
        None, max_length=LONGEST, description="`next_cursor` of the page before"
    )


class GapPage(Page):
    """A page of gaps."""

    items: list[GapItem]
    next_cursor: str | None


@router.get("/gaps", response_model=GapPage, responses=documented(422, 503))
async def list_gaps(store: StoreDep, query: FromQuery[GapsQuery]) -> Response:
    """Every gap, by series and time."""
    wanted, reason = query.series(), gap_reason(query.reason)
    after = None if query.cursor is None else key_of(query.cursor, tuple[_SeriesId, _Time])
    return await store.answer(
        lambda connection: gap_page(
            gap_queries.list_gaps(
                connection,
                wanted,
                reason=reason,
                missing=query.missing,
                after=after,
                limit=query.limit,
            ),
            query.limit,
        )
    )


def gap_page(found: Sequence[Gap], limit: int) -> GapPage:
    """The page of GET /gaps; one of fewer than `limit` ends the list."""
    return GapPage.of(
        found, limit, GapItem.of, lambda gap: cursor_of((gap.series_id, gap.span.start))
    )
