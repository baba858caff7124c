"""What is known of the data: completeness and spans of series, gaps with their reasons. From the ledger alone: no candle is counted.

Times are ms.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, case, desc, func, literal, select, true, tuple_

from penstock.columns import Timestamp, among, in_ms
from penstock.market.collect.coverage import HELD, SpanState
from penstock.market.ledger import SPAN_COLUMNS, span_of
from penstock.market.queries import called, of_each_series, present
from penstock.market.tables import coverage, instrument, restatement, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, Select

    from penstock.market.collect.coverage import Span
    from penstock.market.instrument import SeriesKey

# What nobody can expect to be there.
NOT_EXPECTED = frozenset(
    {SpanState.OUTAGE, SpanState.NOT_COLLECTED, SpanState.NOT_LISTED, SpanState.DELISTED}
)
# In a page: of fewer series there are more spans of each.
_SPANS_IN_A_PAGE = 500

REASONS: Mapping[SpanState, str] = {
    SpanState.UNCONFIRMED: "the exchange was asked and sent nothing; it is asked again before this is believed",
    SpanState.OUTAGE: "the exchange has no candle here: several answers over a day or more agree, with candles before and after",
    SpanState.FAILED: "the exchange could not be asked, or did not answer; the next run asks again",
    SpanState.REJECTED: "the exchange sent a row here that cannot be right; it stands in the table quarantine and is asked for again",
    SpanState.NOT_COLLECTED: "nobody has asked for this range: a limit or an end left it out",
    SpanState.NOT_LISTED: "the symbol was not listed yet",
    SpanState.DELISTED: "the symbol was not listed any more",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFilter:
    """Which series: `symbol` is unified or native; what lies in `start ≤ t < end` of them."""

    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCoverage:
    """A series: `start` is where the wanted range begins and `end` the exchange's present; `complete` is in percent, None: nothing was expected.

    `spans` are the newest ones, `more` says that there are older ones.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A gap, and how many candles could have opened in it."""

    series_id: int
    exchange: str
    symbol: str
    timeframe: str
    span: Span
    candles: int


def series_coverage(
    connection: Connection, wanted: SeriesFilter, *, after_id: int, limit: int
) -> list[SeriesCoverage]:
    """Series in order of their id, those behind `after_id`; each with its newest spans, up to 500 in a page."""
    listed = _of(
        connection,
        select(series.c.id, instrument.c.exchange, instrument.c.symbol, series.c.timeframe),
        wanted,
    )
    rows = connection.execute(
        listed.where(series.c.id > after_id).order_by(series.c.id).limit(limit)
    ).all()
    ids = [series_id for series_id, *_ in rows]
    clocks = {
        exchange: present(connection, exchange)
        for exchange in {exchange for _, exchange, *_ in rows}
    }
    presents = {
        (exchange, timeframe): Timeframe(timeframe).floor(clocks[exchange])
        for _, exchange, _, timeframe in rows
    }
    spans = _spans(connection, ids, wanted, _SPANS_IN_A_PAGE // max(1, len(rows)))
    totals = _totals(connection, ids, wanted)
    found = []
    for series_id, exchange, symbol, timeframe in rows:
        shown, total = spans[series_id], totals[series_id]
        start, end, complete = _complete(total, presents[exchange, timeframe], wanted)
        one = SeriesCoverage(
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
        found.append(one)
    return found


def all_series_coverage(
    connection: Connection, wanted: SeriesFilter, *, in_a_page: int
) -> list[SeriesCoverage]:
    """All of them; the fewer are read at a time, the more spans each has."""
    found: list[SeriesCoverage] = []
    while page := series_coverage(
        connection, wanted, after_id=found[-1].id if found else 0, limit=in_a_page
    ):
        found += page
    return found


def gaps(
    connection: Connection,
    wanted: SeriesFilter,
    *,
    reason: SpanState | None,
    after: tuple[int, int] | None,
    limit: int,
) -> list[Gap]:
    """Gaps by series and time; `after` is the id of the series and the start of the gap ahead of the first one."""
    columns = (
        coverage.c.series_id,
        instrument.c.exchange,
        instrument.c.symbol,
        series.c.timeframe,
        *SPAN_COLUMNS,
    )
    found = _of(connection, select(*columns), wanted).join(
        coverage, coverage.c.series_id == series.c.id
    )
    found = found.where(
        _in_range(wanted), coverage.c.state == reason if reason else coverage.c.state.not_in(HELD)
    )
    if after is not None:
        found = found.where(
            tuple_(coverage.c.series_id, coverage.c.start_time)
            > tuple_(literal(after[0]), literal(after[1], Timestamp()))
        )
    rows = connection.execute(
        found.order_by(coverage.c.series_id, coverage.c.start_time).limit(limit)
    )
    return [
        Gap(
            series_id=series_id,
            exchange=exchange,
            symbol=symbol,
            timeframe=timeframe,
            span=(span := span_of(columns)),
            candles=Timeframe(timeframe).candles_within(span.start, span.end),
        )
        for series_id, exchange, symbol, timeframe, *columns in rows
    ]


def known_spans(
    connection: Connection, keys: Collection[SeriesKey]
) -> Mapping[SeriesKey, list[Span]]:
    """All spans of these series, in no order; none for a series that was never collected."""
    asked = {
        (
            key.instrument.exchange,
            key.instrument.market,
            key.instrument.native_symbol,
            key.timeframe.value,
        ): key
        for key in keys
    }
    found = select(
        instrument.c.exchange,
        instrument.c.market,
        instrument.c.native_symbol,
        series.c.timeframe,
        *SPAN_COLUMNS,
    )
    found = (
        found.select_from(coverage)
        .join(series, series.c.id == coverage.c.series_id)
        .join(instrument, instrument.c.id == series.c.instrument_id)
    )
    found = found.where(
        instrument.c.native_symbol.in_({key.instrument.native_symbol for key in keys})
    )
    spans: dict[SeriesKey, list[Span]] = {key: [] for key in keys}
    for row in connection.execute(
        found.where(series.c.timeframe.in_({key.timeframe.value for key in keys}))
    ):
        if (key := asked.get(tuple(row[:4]))) is not None:
            spans[key].append(span_of(row[4:]))
    return spans


def gap_counts(connection: Connection) -> dict[SpanState, int]:
    """How many gaps there are of each reason."""
    counted = (
        select(coverage.c.state, func.count())
        .where(coverage.c.state.not_in(HELD))
        .group_by(coverage.c.state)
    )
    return dict.fromkeys(REASONS, 0) | {
        SpanState(state): count for state, count in connection.execute(counted)
    }


def restatements(connection: Connection) -> int:
    """How many closed candles were ever changed by an exchange."""
    return int(connection.scalar(select(func.count()).select_from(restatement)) or 0)


def _of(connection: Connection, columns: Select[Any], wanted: SeriesFilter) -> Select[Any]:
    found = columns.select_from(series).join(instrument, instrument.c.id == series.c.instrument_id)
    if wanted.exchange is not None:
        found = found.where(instrument.c.exchange == wanted.exchange)
    if wanted.symbol is not None:
        found = found.where(called(connection, [wanted.symbol]))
    if wanted.timeframe is not None:
        found = found.where(series.c.timeframe == wanted.timeframe)
    return found


def _in_range(wanted: SeriesFilter, spans: FromClause = coverage) -> ColumnElement[bool]:
    limits = []
    if wanted.start is not None:
        limits.append(spans.c.end_time > literal(wanted.start, Timestamp()))
    if wanted.end is not None:
        limits.append(spans.c.start_time < literal(wanted.end, Timestamp()))
    return and_(true(), *limits)


def _spans(
    connection: Connection, ids: Sequence[int], wanted: SeriesFilter, most: int
) -> defaultdict[int, list[Span]]:
    """The newest spans of each series, in order."""
    older = coverage.alias()
    edge = (
        select(older.c.start_time)
        .where(older.c.series_id == series.c.id, _in_range(wanted, older))
        .order_by(desc(older.c.start_time))
    )
    edges = of_each_series(
        ids,
        func.coalesce(
            edge.offset(most - 1).limit(1).correlate(series).scalar_subquery(),
            literal(0, Timestamp()),
        ),
    )
    newest = select(coverage.c.series_id, *SPAN_COLUMNS).join(
        edges, edges.c.id == coverage.c.series_id
    )
    newest = newest.where(
        among(coverage.c.series_id, ids), coverage.c.start_time >= edges.c.value, _in_range(wanted)
    )
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    for series_id, *span in connection.execute(
        newest.order_by(coverage.c.series_id, coverage.c.start_time)
    ).all():
        spans[series_id].append(span_of(span))
    return spans


class _OfState(NamedTuple):
    """All spans of a series in one state: where the first begins and the last ends, how many lie in the wanted range, and their length there; ms."""

    start: int
    end: int
    spans: int
    length: int


@dataclass(slots=True)
class _Totals:
    """All spans of a series: where the last one ends, how many lie in the wanted range, and how much of it is held; ms.

    `first` is where the first span begins that is expected to be there, None: there is none; `gone`: the last one says that the series has ended.
    """

    first: int | None = None
    end: int = 0
    gone: bool = False
    spans: int = 0
    held: int = 0
    not_expected: list[_OfState] = field(default_factory=list)

    def add(self, state: str, found: _OfState) -> None:
        """All spans in one state."""
        self.spans += found.spans
        if found.end > self.end:
            self.end, self.gone = found.end, state == SpanState.DELISTED
        if state in NOT_EXPECTED:
            self.not_expected.append(found)
        elif self.first is None or found.start < self.first:
            self.first = found.start
        if state in HELD:
            self.held += found.length

    def straddles(self) -> bool:
        """Whether spans of one state that is not expected lie on both sides of the first one that is."""
        return self.first is not None and any(
            one.start < self.first < one.end for one in self.not_expected
        )

    def not_expected_ms(self) -> int:
        """How much of the wanted range nobody expects to be there; only what follows the first span counts."""
        return sum(
            one.length
            for one in self.not_expected
            if self.first is not None and one.start > self.first
        )


def _totals(
    connection: Connection, ids: Sequence[int], wanted: SeriesFilter
) -> defaultdict[int, _Totals]:
    """By sums, so that what is read is as short for a series with a million gaps as for one with none."""
    sums = _sums(wanted, coverage.c.series_id, coverage.c.state).where(
        among(coverage.c.series_id, ids)
    )
    totals: defaultdict[int, _Totals] = defaultdict(_Totals)
    for series_id, state, *found in connection.execute(sums).all():
        totals[series_id].add(state, _OfState(*found))
    if mixed := [series_id for series_id, found in totals.items() if found.straddles()]:
        for series_id, *found in connection.execute(_behind_the_first(mixed, wanted)):
            totals[series_id].not_expected = [_OfState(*found)]
    return totals


def _behind_the_first(ids: Sequence[int], wanted: SeriesFilter) -> Select[Any]:
    """What is not expected of each series, behind the first span that is."""
    spans = coverage.alias()
    first = (
        select(spans.c.start_time)
        .where(spans.c.series_id == series.c.id, spans.c.state.not_in(NOT_EXPECTED))
        .order_by(spans.c.start_time)
    )
    firsts = of_each_series(ids, first.limit(1).correlate(series).scalar_subquery())
    sums = _sums(wanted, coverage.c.series_id).join(firsts, firsts.c.id == coverage.c.series_id)
    return sums.where(coverage.c.start_time > firsts.c.value, coverage.c.state.in_(NOT_EXPECTED))


def _sums(wanted: SeriesFilter, *keys: ColumnElement[Any]) -> Select[Any]:
    """The keys and an _OfState, by these keys."""
    low: ColumnElement[int] = coverage.c.start_time
    high: ColumnElement[int] = coverage.c.end_time
    if wanted.start is not None:
        start = literal(wanted.start, Timestamp())
        low = case((low < start, start), else_=low)
    if wanted.end is not None:
        end = literal(wanted.end, Timestamp())
        high = case((high > end, end), else_=high)
    # In the database's own type, and as ms only the sum: half the time of each by itself.
    ends, length = (
        (func.min(coverage.c.start_time), func.max(coverage.c.end_time)),
        in_ms(func.sum(high - low).filter(_in_range(wanted))),
    )
    return select(
        *keys, *ends, func.count().filter(_in_range(wanted)), func.coalesce(length, 0)
    ).group_by(*keys)


def _complete(
    totals: _Totals, now: int, wanted: SeriesFilter
) -> tuple[int, int, float] | tuple[None, None, None]:
    """From when to when, and how much of that is held, in percent; nothing where nothing was expected.

    What is in no span is missing: it closed since the ledger was last written, or a run was broken off.
    """
    if totals.first is None:
        return None, None, None
    start, end = max(totals.first, wanted.start or 0), max(totals.end, now)
    end = end if wanted.end is None else min(end, wanted.end)
    expected = (min(end, totals.end) if totals.gone else end) - start - totals.not_expected_ms()
    # Rounded down: 100 is said of what is whole only.
    return (
        (start, end, 10_000 * totals.held // expected / 100) if expected > 0 else (None, None, None)
    )
