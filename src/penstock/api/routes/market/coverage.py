"""What is known of the data: how complete series are, gaps with their reasons, symbols."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.api.schemas.cursor import LONGEST, cursor_of, key_of
from penstock.api.schemas.name import Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.times import LATEST, ms
from penstock.api.state import CurrentState
from penstock.errors import InvalidInputError
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import parse_timeframes
from penstock.market.queries.coverage import series_coverage
from penstock.market.queries.gaps import REASONS, SeriesFilter, list_gaps
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.collect.coverage import Span
    from penstock.market.queries.coverage import SeriesCoverage
    from penstock.market.queries.gaps import Gap

router = APIRouter(prefix="/api/v1", tags=["market data"])

_PRICE = "last"
# What a cursor may hold: nothing that a database does not know.
_SeriesId = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_Time = Annotated[int, msgspec.Meta(ge=0, lt=LATEST)]


class Filter(BaseModel):
    """Which series, and which part of them."""

    model_config = ConfigDict(extra="forbid")

    exchange: Name | None = None
    symbol: Name | None = Field(None, description="BTC/USDT or BTCUSDT")
    timeframe: str | None = Field(None, max_length=3, description="1m, 5m, 1h, 1d …")
    start: dt.datetime | None = Field(None, description="only what lies behind this time")
    end: dt.datetime | None = Field(None, description="only what lies before this time")

    def series(self) -> SeriesFilter:
        """As the queries take it; InvalidInputError for a timeframe or a time that is none."""
        (timeframe,) = parse_timeframes([self.timeframe]) if self.timeframe is not None else (None,)
        return SeriesFilter(
            exchange=self.exchange,
            symbol=self.symbol,
            timeframe=None if timeframe is None else timeframe.value,
            start=None if self.start is None else ms(self.start, field="start"),
            end=None if self.end is None else ms(self.end, field="end"),
        )


class CoverageQuery(Filter):
    """A page of series."""

    limit: int = Field(100, ge=1, le=500)
    cursor: int = Field(0, ge=0, lt=2**31, description="`next_cursor` of the page before")


class Evidence(BaseModel):
    """What a gap rests on: how often it was asked for, when first and last by the exchange's clock, and of whom."""

    asked: int
    first_asked: dt.datetime
    last_asked: dt.datetime
    source: str
    due: dt.datetime | None = Field(
        description="when it is asked for again; null: only when somebody wants it"
    )


class CoverageSpan(BaseModel):
    """A range of a series in one state."""

    start: dt.datetime
    end: dt.datetime
    state: SpanState
    evidence: Evidence | None


class SeriesComplete(BaseModel):
    """A series: `complete` is the share of what could be there between `from` and `to`, in percent and rounded down."""

    exchange: str
    symbol: str
    timeframe: str
    price: str
    from_: dt.datetime | None = Field(alias="from")
    to: dt.datetime | None
    complete: float | None
    spans: list[CoverageSpan] = Field(
        description="the newest: up to 500 in a page, so that of few series there are many"
    )
    more_spans: bool


class CoveragePage(BaseModel):
    """A page of series."""

    items: list[SeriesComplete]
    next_cursor: int | None


@router.get("/coverage", response_model=CoveragePage, responses=documented(422, 503))
async def coverage(state: CurrentState, query: Annotated[CoverageQuery, Query()]) -> Response:
    """How complete each series is, and why what is missing is missing; from the ledger."""
    wanted = query.series()
    return await state.app.database.read(
        lambda connection: coverage_page(
            series_coverage(connection, wanted, after_id=query.cursor, limit=query.limit),
            query.limit,
        )
    )


def coverage_page(found: Sequence[SeriesCoverage], limit: int) -> Response:
    """The answer of GET /coverage; a page of so many ends the list when it is not full."""
    items = [
        {
            "exchange": one.exchange,
            "symbol": one.symbol,
            "timeframe": one.timeframe,
            "price": _PRICE,
            "from": iso_or_none(one.start),
            "to": iso_or_none(one.end),
            "complete": one.complete,
            "spans": [span_fields(span) for span in one.spans],
            "more_spans": one.more,
        }
        for one in found
    ]
    return _json({"items": items, "next_cursor": found[-1].id if len(found) == limit else None})


def span_fields(span: Span) -> dict[str, Any]:
    """The fields of a CoverageSpan, JSON values only."""
    return {
        "start": iso(span.start),
        "end": iso(span.end),
        "state": span.state.value,
        "evidence": _evidence_fields(span),
    }


def _evidence_fields(span: Span) -> dict[str, Any] | None:
    known = span.evidence
    if known is None:
        return None
    asked = {
        "asked": known.asked,
        "first_asked": iso(known.first_asked),
        "last_asked": iso(known.last_asked),
    }
    return {**asked, "source": known.source, "due": iso_or_none(known.due)}


class GapsQuery(Filter):
    """A page of gaps."""

    reason: str | None = Field(
        None,
        max_length=20,
        description="unconfirmed, outage, failed, rejected, not_collected, not_listed or delisted",
    )
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(
        None, max_length=LONGEST, description="`next_cursor` of the page before"
    )

    def of_reason(self) -> SpanState | None:
        """InvalidInputError for a reason that no gap has."""
        if self.reason is None:
            return None
        reasons = [one.value for one in REASONS]
        if self.reason not in reasons:
            message = f"reason: {self.reason!r} is none; use one of {', '.join(reasons)}"
            raise InvalidInputError(message, field="reason")
        return SpanState(self.reason)


class GapItem(BaseModel):
    """A range that is not there: why, in a word and in a sentence, and what that rests on."""

    exchange: str
    symbol: str
    timeframe: str
    price: str
    start: dt.datetime
    end: dt.datetime
    candles: int
    reason: SpanState
    sentence: str
    evidence: Evidence | None


class GapPage(BaseModel):
    """A page of gaps."""

    items: list[GapItem]
    next_cursor: str | None


@router.get("/gaps", response_model=GapPage, responses=documented(422, 503))
async def gaps(state: CurrentState, query: Annotated[GapsQuery, Query()]) -> Response:
    """Every gap, by series and time."""
    wanted, reason = query.series(), query.of_reason()
    after = None if query.cursor is None else key_of(query.cursor, tuple[_SeriesId, _Time])
    return await state.app.database.read(
        lambda connection: gap_page(
            list_gaps(connection, wanted, reason=reason, after=after, limit=query.limit),
            query.limit,
        )
    )


def gap_page(found: Sequence[Gap], limit: int) -> Response:
    """The same of GET /gaps."""
    following = (
        cursor_of((found[-1].series_id, found[-1].span.start)) if len(found) == limit else None
    )
    return _json({"items": [gap_fields(gap) for gap in found], "next_cursor": following})


def gap_fields(gap: Gap) -> dict[str, Any]:
    """The fields of a GapItem, JSON values only."""
    return {
        "exchange": gap.exchange,
        "symbol": gap.symbol,
        "timeframe": gap.timeframe,
        "price": _PRICE,
        "start": iso(gap.span.start),
        "end": iso(gap.span.end),
        "candles": gap.candles,
        "reason": gap.span.state.value,
        "sentence": REASONS[gap.span.state],
        "evidence": _evidence_fields(gap.span),
    }


def _json(answer: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
