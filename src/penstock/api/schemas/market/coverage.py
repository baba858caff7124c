"""What is known of series, as the API shows it: how complete they are, and their gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape
from penstock.market.collect.coverage import SpanState
from penstock.market.queries.gaps import REASONS
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from penstock.market.collect.coverage import Span
    from penstock.market.queries.coverage import SeriesCoverage
    from penstock.market.queries.gaps import Gap
    from penstock.market.queries.heat import HeatCell, HeatRow

_PRICE = "last"

# Pages have a thousand of these, so their fields are written out: `fields_of` takes twice as long.


class EvidenceShown(Shape):
    """What a gap rests on: how often it was asked for, of whom, when first and last.

    Times are by the exchange's clock.
    """

    asked: int
    first_asked: Moment
    last_asked: Moment
    source: str
    due: Moment | None = Field(description="when it is asked for again; null: only on request")

    @classmethod
    def of(cls, span: Span) -> Self | None:
        """The evidence of a span; None where there is none."""
        known = span.evidence
        if known is None:
            return None
        return cls.made(
            {
                "asked": known.asked,
                "first_asked": iso(known.first_asked),
                "last_asked": iso(known.last_asked),
                "source": known.source,
                "due": iso_or_none(known.due),
            }
        )


class CoverageSpan(Shape):
    """A range of a series in one state."""

    start: Moment
    end: Moment
    state: SpanState
    evidence: EvidenceShown | None

    @classmethod
    def of(cls, span: Span) -> Self:
        """The shape of a span."""
        return cls.made(
            {
                "start": iso(span.start),
                "end": iso(span.end),
                "state": span.state,
                "evidence": EvidenceShown.of(span),
            }
        )


class SeriesComplete(Shape):
    """A series: `complete` is the share of what could be there between `from` and `to`.

    It is in percent and rounded down; null when nothing could be there.
    """

    exchange: str
    symbol: str
    timeframe: str
    price: str
    from_: Moment | None = Field(alias="from")
    to: Moment | None
    complete: float | None
    spans: list[CoverageSpan] = Field(
        description="the newest ones: up to 500 in a page, so fewer series show more of them"
    )
    more_spans: bool

    @classmethod
    def of(cls, row: SeriesCoverage) -> Self:
        """The shape of a series with its spans."""
        return cls.made(
            {
                "exchange": row.exchange,
                "symbol": row.symbol,
                "timeframe": row.timeframe,
                "price": _PRICE,
                "from": iso_or_none(row.start),
                "to": iso_or_none(row.end),
                "complete": row.complete,
                "spans": [CoverageSpan.of(span) for span in row.spans],
                "more_spans": row.more,
            }
        )


class GapItem(Shape):
    """A range that is not there: the reason, in a word and in a sentence, and its evidence."""

    series_id: int
    exchange: str
    symbol: str
    timeframe: str
    price: str
    start: Moment
    end: Moment
    candles: int
    reason: SpanState
    sentence: str
    evidence: EvidenceShown | None

    @classmethod
    def of(cls, gap: Gap) -> Self:
        """The shape of a gap."""
        span = gap.span
        return cls.made(
            {
                "series_id": gap.series_id,
                "exchange": gap.exchange,
                "symbol": gap.symbol,
                "timeframe": gap.timeframe,
                "price": _PRICE,
                "start": iso(span.start),
                "end": iso(span.end),
                "candles": gap.candles,
                "reason": span.state,
                "sentence": REASONS[span.state],
                "evidence": EvidenceShown.of(span),
            }
        )


class CoverageCell(Shape):
    """A day or a month of a series; `complete` is null when nothing could be there."""

    complete: float | None
    share: float = Field(
        description="how much of it is missing; where nothing is, how much is not expected or not"
        " asked for yet, whichever is more: in percent, rounded up"
    )
    reason: SpanState | None = Field(
        description="of most of this share; null: whole, or no run has asked for it yet"
    )
    gaps: int

    @classmethod
    def of(cls, cell: HeatCell) -> Self:
        """The shape of a cell."""
        return cls.made(cell._asdict())


class CoverageRow(Shape):
    """A series in the map: `complete` and `gaps`, by reason, are of all its time."""

    id: int
    exchange: str
    symbol: str
    timeframe: str
    price: str
    complete: float | None
    gaps: dict[SpanState, int]
    cells: list[CoverageCell | None] = Field(
        description="one for each of `starts`; null where nothing is known of the series"
    )

    @classmethod
    def of(cls, row: HeatRow) -> Self:
        """The shape of a series with its cells."""
        return cls.made(
            {
                "id": row.id,
                "exchange": row.exchange,
                "symbol": row.symbol,
                "timeframe": row.timeframe,
                "price": _PRICE,
                "complete": row.complete,
                "gaps": row.gaps,
                "cells": [cell and CoverageCell.of(cell) for cell in row.cells],
            }
        )
