"""What is known of series, as the API shows it: how complete they are, and their gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape
from penstock.market.collect.coverage import SpanState
from penstock.market.queries.gaps import REASONS
from penstock.moment import iso_or_none

if TYPE_CHECKING:
    from penstock.market.collect.coverage import Span
    from penstock.market.queries.coverage import SeriesCoverage
    from penstock.market.queries.gaps import Gap

_PRICE = "last"


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
        return None if span.evidence is None else cls.made(cls.fields_of(span.evidence))


class CoverageSpan(Shape):
    """A range of a series in one state."""

    start: Moment
    end: Moment
    state: SpanState
    evidence: EvidenceShown | None

    @classmethod
    def of(cls, span: Span) -> Self:
        """The shape of a span."""
        return cls.made(cls.fields_of(span, evidence=EvidenceShown.of(span)))


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
        return cls.made(
            cls.fields_of(
                gap,
                price=_PRICE,
                start=gap.span.start,
                end=gap.span.end,
                reason=gap.span.state,
                sentence=REASONS[gap.span.state],
                evidence=EvidenceShown.of(gap.span),
            )
        )
