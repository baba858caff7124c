"""How complete series are, with their newest spans. From the ledger alone: no candle is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, func, literal, select

from penstock.columns import Timestamp, among, in_ms
from penstock.market.collect.coverage import HELD, SpanState
from penstock.market.queries.gaps import MISSING, NOT_EXPECTED, SeriesFilter
from penstock.market.queries.instruments import exchange_now
from penstock.market.queries.series import newest_from, of_series, per_series
from penstock.market.queries.spans import SPAN_COLUMNS, span_of
from penstock.market.tables import coverage, instrument, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from penstock.market.collect.coverage import Span

# In a page: the fewer series, the more spans of each.
_SPANS_IN_A_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCoverage:
    """A series from the start of the wanted range to the exchange's present.

    `complete` is in percent, None if nothing was expected. `spans` are the newest; `more`: there
    are older ones.
    """

    id: int
    exchange: str
    symbol: str
    timeframe: str
    start: int | None
    end: int | None
    complete: float | None
    spans: Sequence[Span]
    more: bool


class CountedSeries(NamedTuple):
    """All series, and those of them that miss candles which could be there."""

    total: int
    incomplete: int


def series_coverage(
    connection: Connection, wanted: SeriesFilter, *, after_id: int, limit: int
) -> list[SeriesCoverage]:
    """Series after `after_id`, by id, with their newest spans: up to 500 in all."""
    names = series.c.id, instrument.c.exchange, instrument.c.symbol, series.c.timeframe
    listed = wanted.select(connection, *names).where(series.c.id > after_id)
    rows = connection.execute(listed.order_by(series.c.id).limit(limit)).all()
    ids = [series_id for series_id, *_ in rows]
    exchanges = {exchange for _, exchange, *_ in rows}
    now = {exchange: exchange_now(connection, exchange) for exchange in exchanges}
    spans = _newest_spans(connection, ids, wanted, _SPANS_IN_A_PAGE // max(1, len(rows)))
    totals = totals_of(connection, ids, wanted)
    found = []
    # Unpacked, not by name: a row's own dictionary costs an eighth of the page.
    for series_id, exchange, symbol, timeframe in rows:
        total, shown = totals[series_id], spans[series_id]
        running = Timeframe(timeframe).floor(now[exchange])
        start, end, complete = complete_of(total, running, wanted)
        found.append(
            SeriesCoverage(
                id=series_id,
                exchange=exchange,
                symbol=symbol,
                timeframe=timeframe,
                start=start,
                end=end,
                complete=complete,
                spans=shown,
                more=total.spans > len(shown),
            )
        )
    return found


def count_series(connection: Connection) -> CountedSeries:
    """How many series there are."""
    missing = coverage.c.state.in_(MISSING)
    incomplete = select(func.count(coverage.c.series_id.distinct())).where(missing)
    total = select(func.count(), incomplete.scalar_subquery()).select_from(series)
    return CountedSeries(*connection.execute(total).one())


def completeness(connection: Connection, ids: Sequence[int]) -> dict[int, float | None]:
    """How much of each series is held, in percent of what was expected up to its last run."""
    whole = SeriesFilter()
    totals = totals_of(connection, ids, whole)
    return {series_id: complete_of(totals[series_id], 0, whole)[2] for series_id in ids}


def all_series_coverage(
    connection: Connection, wanted: SeriesFilter, *, in_a_page: int
) -> list[SeriesCoverage]:
    """All series, read `in_a_page` at a time: the fewer, the more spans each has."""
    found: list[SeriesCoverage] = []
    while page := series_coverage(
        connection, wanted, after_id=found[-1].id if found else 0, limit=in_a_page
    ):
        found += page
    return found


def _newest_spans(
    connection: Connection, ids: Sequence[int], wanted: SeriesFilter, most: int
) -> defaultdict[int, list[Span]]:
    """The newest `most` spans of each series, in order of time."""
    older = coverage.alias()
    edges = per_series(ids, newest_from(older.c.start_time, older, most, wanted.overlaps(older)))
    newest = (
        select(coverage.c.series_id, *SPAN_COLUMNS)
        .join(edges, edges.c.id == coverage.c.series_id)
        .where(among(coverage.c.series_id, ids), coverage.c.start_time >= edges.c.value)
        .where(wanted.overlaps())
        .order_by(coverage.c.series_id, coverage.c.start_time)
    )
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    for series_id, *span in connection.execute(newest).all():
        spans[series_id].append(span_of(span))
    return spans


class OfState(NamedTuple):
    """All spans of a series in one state.

    Where the first begins and the last ends; of those in the wanted range, their number and length.
    """

    start: int
    end: int
    spans: int
    length: int


@dataclass(slots=True)
class SpanTotals:
    """All spans of a series: where they `begin` and `end`, and what of the wanted range is held.

    `first`: where the first expected span begins. `gone`: the last span says that the series ended.
    `gaps`: those in the wanted range.
    """

    begin: int | None = None
    first: int | None = None
    end: int = 0
    gone: bool = False
    spans: int = 0
    held: int = 0
    gaps: Counter[SpanState] = field(default_factory=Counter)
    not_expected: list[OfState] = field(default_factory=list)

    def add(self, state: str, found: OfState) -> None:
        """Add all spans in one state."""
        self.spans += found.spans
        self.begin = found.start if self.begin is None else min(self.begin, found.start)
        if found.end > self.end:
            self.end, self.gone = found.end, state == SpanState.DELISTED
        if state in NOT_EXPECTED:
            self.not_expected.append(found)
        elif self.first is None or found.start < self.first:
            self.first = found.start
        if state in HELD:
            self.held += found.length
        else:
            self.gaps[SpanState(state)] = found.spans

    def straddles(self) -> bool:
        """Whether unexpected spans of one state lie on both sides of the first expected one."""
        first = self.first
        return first is not None and any(one.start < first < one.end for one in self.not_expected)

    def not_expected_ms(self) -> int:
        """How much of the wanted range after the first expected span is not expected."""
        first = self.end if self.first is None else self.first
        return sum(one.length for one in self.not_expected if one.start > first)


def totals_of(
    connection: Connection, ids: Sequence[int], wanted: SeriesFilter
) -> defaultdict[int, SpanTotals]:
    """By sums, so that a series with a million gaps reads as fast as one without any."""
    in_page = among(coverage.c.series_id, ids)
    sums = _sums(wanted, coverage.c.series_id, coverage.c.state).where(in_page)
    totals: defaultdict[int, SpanTotals] = defaultdict(SpanTotals)
    for series_id, state, *found in connection.execute(sums).all():
        totals[series_id].add(state, OfState(*found))
    if mixed := [series_id for series_id, found in totals.items() if found.straddles()]:
        for series_id, *found in connection.execute(_after_the_first(mixed, wanted)):
            totals[series_id].not_expected = [OfState(*found)]
    return totals


def _after_the_first(ids: Sequence[int], wanted: SeriesFilter) -> Select[Any]:
    """What is not expected of each series after its first expected span."""
    spans = coverage.alias()
    expected = of_series(spans, spans.c.start_time, spans.c.state.not_in(NOT_EXPECTED))
    first = expected.order_by(spans.c.start_time).limit(1)
    firsts = per_series(ids, first.scalar_subquery())
    sums = _sums(wanted, coverage.c.series_id).join(firsts, firsts.c.id == coverage.c.series_id)
    return sums.where(coverage.c.start_time > firsts.c.value, coverage.c.state.in_(NOT_EXPECTED))


def _sums(wanted: SeriesFilter, *keys: ColumnElement[Any]) -> Select[Any]:
    """The keys, then the values of an OfState for them."""
    low: ColumnElement[int] = coverage.c.start_time
    high: ColumnElement[int] = coverage.c.end_time
    if wanted.start is not None:
        start = literal(wanted.start, Timestamp())
        low = case((low < start, start), else_=low)
    if wanted.end is not None:
        end = literal(wanted.end, Timestamp())
        high = case((high > end, end), else_=high)
    within = wanted.overlaps()
    # Summed in the database's own type and converted once: each halves the time.
    length = in_ms(func.sum(high - low).filter(within))
    ends = func.min(coverage.c.start_time), func.max(coverage.c.end_time)
    counts = func.count().filter(within), func.coalesce(length, 0)
    return select(*keys, *ends, *counts).group_by(*keys)


def complete_of(
    totals: SpanTotals, now: int, wanted: SeriesFilter
) -> tuple[int, int, float] | tuple[None, None, None]:
    """Start and end of the expected range, and how much of it is held, in percent.

    A range without a span is missing: it closed after the last run, or a run was interrupted.
    """
    if totals.first is None:
        return None, None, None
    start, end = max(totals.first, wanted.start or 0), max(totals.end, now)
    end = end if wanted.end is None else min(end, wanted.end)
    expected = (min(end, totals.end) if totals.gone else end) - start - totals.not_expected_ms()
    if expected <= 0:
        return None, None, None
    # Rounded down, so that only what is whole counts as 100 %.
    return start, end, 10_000 * totals.held // expected / 100
