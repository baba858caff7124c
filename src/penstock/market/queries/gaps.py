"""Gaps with their reasons, and all known spans of a series, read from the ledger alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, literal, select, true, tuple_

from penstock.columns import Timestamp, if_given
from penstock.market.collect.coverage import HELD, SpanState
from penstock.market.queries.instruments import has_name
from penstock.market.queries.series import select_series
from penstock.market.queries.spans import SPAN_COLUMNS, span_of
from penstock.market.tables import coverage, instrument, restatement, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import ColumnElement, Connection, FromClause, Select

    from penstock.market.collect.coverage import Span
    from penstock.market.instrument import SeriesKey

REASONS: Mapping[SpanState, str] = {
    SpanState.UNCONFIRMED: (
        "the exchange sent nothing for this range; it is asked again before this is an outage"
    ),
    SpanState.OUTAGE: (
        "the exchange has no candles here: several answers over a day or more agree,"
        " with candles before and after"
    ),
    SpanState.FAILED: "the exchange could not be asked, or did not answer; the next run asks again",
    SpanState.REJECTED: (
        "the exchange sent an invalid row here; it is in the table quarantine, and asked for again"
    ),
    SpanState.NOT_COLLECTED: "nobody has asked for this range: a limit or an end left it out",
    SpanState.NOT_LISTED: "the symbol was not listed yet",
    SpanState.DELISTED: "the symbol was no longer listed",
}


# A gap for one of these reasons does not count as missing.
NOT_EXPECTED = frozenset(
    {SpanState.OUTAGE, SpanState.NOT_COLLECTED, SpanState.NOT_LISTED, SpanState.DELISTED}
)
# The states that leave a series incomplete.
MISSING = frozenset(SpanState) - HELD - NOT_EXPECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFilter:
    """Which series, and their range `start ≤ t < end`; `symbol` is unified or native."""

    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    start: int | None = None
    end: int | None = None

    def select(self, connection: Connection, *columns: ColumnElement[Any]) -> Select[Any]:
        """A statement that reads columns of these series and their instruments."""
        found = select_series(*columns).where(
            if_given(instrument.c.exchange, self.exchange),
            if_given(series.c.timeframe, self.timeframe),
        )
        return found if self.symbol is None else found.where(has_name(connection, [self.symbol]))

    def overlaps(self, spans: FromClause = coverage) -> ColumnElement[bool]:
        """Whether a span overlaps the wanted range."""
        limits = []
        if self.start is not None:
            limits.append(spans.c.end_time > self.start)
        if self.end is not None:
            limits.append(spans.c.start_time < self.end)
        return and_(true(), *limits)


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap of a series."""

    series_id: int
    exchange: str
    symbol: str
    timeframe: str
    span: Span

    @property
    def candles(self) -> int:
        """How many candles could open in it."""
        return Timeframe(self.timeframe).candles_within(self.span.start, self.span.end)


def list_gaps(
    connection: Connection,
    wanted: SeriesFilter,
    *,
    reason: SpanState | None,
    missing: bool = False,
    after: tuple[int, int] | None,
    limit: int,
) -> list[Gap]:
    """Gaps after `after` (series id, start of the gap), by series and time.

    `missing`: only those whose candles could be there.
    """
    names = coverage.c.series_id, instrument.c.exchange, instrument.c.symbol, series.c.timeframe
    place = coverage.c.series_id, coverage.c.start_time
    found = (
        wanted.select(connection, *names, *SPAN_COLUMNS)
        .join(coverage, coverage.c.series_id == series.c.id)
        .where(wanted.overlaps())
        .where(coverage.c.state == reason if reason else coverage.c.state.not_in(HELD))
    )
    if missing:
        found = found.where(coverage.c.state.in_(MISSING))
    if after is not None:
        found = found.where(
            tuple_(*place) > tuple_(literal(after[0]), literal(after[1], Timestamp()))
        )
    rows = connection.execute(found.order_by(*place).limit(limit))
    return [
        Gap(series_id, exchange, symbol, timeframe, span_of(columns))
        for series_id, exchange, symbol, timeframe, *columns in rows
    ]


def gap_counts(connection: Connection) -> dict[SpanState, int]:
    """How many gaps there are for each reason."""
    state = coverage.c.state
    counted = select(state, func.count()).where(state.not_in(HELD)).group_by(state)
    found = connection.execute(counted)
    return dict.fromkeys(REASONS, 0) | {SpanState(state): count for state, count in found}


def restatements(connection: Connection) -> int:
    """How many closed candles an exchange has ever changed."""
    return int(connection.scalar(select(func.count()).select_from(restatement)) or 0)


def known_spans(
    connection: Connection, keys: Collection[SeriesKey]
) -> Mapping[SeriesKey, list[Span]]:
    """All spans of these series, in no order; empty for a series that was never collected."""
    by_name = {
        (
            key.instrument.exchange,
            key.instrument.market,
            key.instrument.native_symbol,
            key.timeframe.value,
        ): key
        for key in keys
    }
    found = (
        select_series(
            instrument.c.exchange,
            instrument.c.market,
            instrument.c.native_symbol,
            series.c.timeframe,
            *SPAN_COLUMNS,
            rows=coverage,
        )
        .where(instrument.c.native_symbol.in_({key.instrument.native_symbol for key in keys}))
        .where(series.c.timeframe.in_({key.timeframe.value for key in keys}))
    )
    spans: dict[SeriesKey, list[Span]] = {key: [] for key in keys}
    for row in connection.execute(found):
        if (key := by_name.get(tuple(row[:4]))) is not None:
            spans[key].append(span_of(row[4:]))
    return spans
