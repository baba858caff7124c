"""What is known of the data: completeness and spans of series, gaps with their reasons. From the ledger alone: no candle is counted.

Times are ms.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, case, desc, func, literal, select, true, tuple_

from penstock.columns import Timestamp, in_ms
from penstock.market.coverage import HELD, SpanState
from penstock.market.ledger import SPAN_COLUMNS, span_of
from penstock.market.queries import called, present
from penstock.market.tables import coverage, instrument, restatement, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, Row, Select

    from penstock.market.coverage import Span
    from penstock.market.instrument import SeriesKey

# What nobody can expect to be there.
NOT_EXPECTED = frozenset({SpanState.OUTAGE, SpanState.NOT_COLLECTED, SpanState.NOT_LISTED, SpanState.DELISTED})
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


def series_coverage(connection: Connection, wanted: SeriesFilter, *, after_id: int, limit: int) -> list[SeriesCoverage]:
    """Series in order of their id, those behind `after_id`; each with its newest spans, up to 500 in a page."""
    listed = _of(connection, select(series.c.id, instrument.c.exchange, instrument.c.symbol, series.c.timeframe), wanted)
    rows = connection.execute(listed.where(series.c.id > after_id).order_by(series.c.id).limit(limit)).all()
    ids = [row.id for row in rows]
    most = _SPANS_IN_A_PAGE // max(1, len(rows))
    presents = {exchange: present(connection, exchange) for exchange in {row.exchange for row in rows}}
    spans = _spans(connection, ids, wanted, most)
    lengths = _lengths(connection, ids, wanted)
    return [_series(row, presents[row.exchange], spans[row.id], lengths[row.id], wanted, most) for row in rows]


def all_series_coverage(connection: Connection, wanted: SeriesFilter, *, in_a_page: int) -> list[SeriesCoverage]:
    """All of them; the fewer are read at a time, the more spans each has."""
    found: list[SeriesCoverage] = []
    while page := series_coverage(connection, wanted, after_id=found[-1].id if found else 0, limit=in_a_page):
        found += page
    return found


def gaps(connection: Connection, wanted: SeriesFilter, *, reason: SpanState | None, after: tuple[int, int] | None, limit: int) -> list[Gap]:
    """Gaps by series and time; `after` is the id of the series and the start of the gap ahead of the first one."""
    columns = (coverage.c.series_id, instrument.c.exchange, instrument.c.symbol, series.c.timeframe, *SPAN_COLUMNS)
    found = _of(connection, select(*columns), wanted).join(coverage, coverage.c.series_id == series.c.id)
    found = found.where(_in_range(wanted), coverage.c.state == reason if reason else coverage.c.state.not_in(HELD))
    if after is not None:
        found = found.where(tuple_(coverage.c.series_id, coverage.c.start_time) > tuple_(literal(after[0]), literal(after[1], Timestamp())))
    rows = connection.execute(found.order_by(coverage.c.series_id, coverage.c.start_time).limit(limit))
    return [
        Gap(
            series_id=row.series_id,
            exchange=row.exchange,
            symbol=row.symbol,
            timeframe=row.timeframe,
            span=(span := span_of(row)),
            candles=Timeframe(row.timeframe).candles_within(span.start, span.end),
        )
        for row in rows
    ]


def known_spans(connection: Connection, keys: Collection[SeriesKey]) -> Mapping[SeriesKey, list[Span]]:
    """All spans of these series, in no order; none for a series that was never collected."""
    asked = {(key.instrument.exchange, key.instrument.market, key.instrument.native_symbol, key.timeframe.value): key for key in keys}
    found = select(instrument.c.exchange, instrument.c.market, instrument.c.native_symbol, series.c.timeframe, *SPAN_COLUMNS)
    found = found.select_from(coverage).join(series, series.c.id == coverage.c.series_id).join(instrument, instrument.c.id == series.c.instrument_id)
    found = found.where(instrument.c.native_symbol.in_({key.instrument.native_symbol for key in keys}))
    spans: dict[SeriesKey, list[Span]] = {key: [] for key in keys}
    for row in connection.execute(found.where(series.c.timeframe.in_({key.timeframe.value for key in keys}))):
        if (key := asked.get(tuple(row[:4]))) is not None:
            spans[key].append(span_of(row))
    return spans


def gap_counts(connection: Connection) -> dict[SpanState, int]:
    """How many gaps there are of each reason."""
    counted = select(coverage.c.state, func.count()).where(coverage.c.state.not_in(HELD)).group_by(coverage.c.state)
    return dict.fromkeys(REASONS, 0) | {SpanState(state): count for state, count in connection.execute(counted)}


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


def _spans(connection: Connection, ids: Sequence[int], wanted: SeriesFilter, most: int) -> Mapping[int, list[Span]]:
    """The newest spans of each series, in order; one more than are shown, where there are more."""
    older = coverage.alias()
    edge = select(older.c.start_time).where(older.c.series_id == series.c.id, _in_range(wanted, older)).order_by(desc(older.c.start_time))
    since = func.coalesce(edge.offset(most).limit(1).correlate(series).scalar_subquery(), literal(0, Timestamp())).label("since")
    # Once a series and not once a span, which PostgreSQL would do.
    edges = select(series.c.id, since).where(_among(series.c.id, ids)).cte("edges").prefix_with("MATERIALIZED", dialect="postgresql")
    newest = select(coverage).join(edges, and_(edges.c.id == coverage.c.series_id, coverage.c.start_time >= edges.c.since))
    newest = newest.where(_among(coverage.c.series_id, ids), _in_range(wanted)).order_by(coverage.c.series_id, coverage.c.start_time)
    spans: defaultdict[int, list[Span]] = defaultdict(list)
    for row in connection.execute(newest):
        spans[row.series_id].append(span_of(row))
    return spans


def _among(column: ColumnElement[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """Whether it is one of the ids, which are in order; a page of neighbours is one range, not hundreds of parameters."""
    if ids and ids[-1] - ids[0] == len(ids) - 1:
        return column.between(ids[0], ids[-1])
    return column.in_(ids)


@dataclass(frozen=True, slots=True)
class _Length:
    """All spans of a series in one state together: their length where candles are wanted, and where the last of them ends, ms.

    `first` is where the series' first span begins that is expected to be there.
    """

    state: SpanState
    length: int
    end: int
    first: int


def _lengths(connection: Connection, ids: Sequence[int], wanted: SeriesFilter) -> Mapping[int, list[_Length]]:
    """By series and state, so that what is read is as short for a series with a million gaps as for one with none."""
    start, end = in_ms(coverage.c.start_time), in_ms(coverage.c.end_time)
    firsts = select(coverage.c.series_id, func.min(start).label("first")).group_by(coverage.c.series_id)
    first = firsts.where(_among(coverage.c.series_id, ids), coverage.c.state.not_in(NOT_EXPECTED)).subquery()
    low = _later(start, first.c.first if wanted.start is None else _later(first.c.first, literal(wanted.start, BigInteger)))
    high = end if wanted.end is None else case((end > wanted.end, wanted.end), else_=end)
    length = func.sum(case((high > low, high - low), else_=0))
    sums = select(coverage.c.series_id, coverage.c.state, length, func.max(end), first.c.first).join(first, first.c.series_id == coverage.c.series_id)
    lengths: defaultdict[int, list[_Length]] = defaultdict(list)
    sums = sums.where(_among(coverage.c.series_id, ids))
    for series_id, state, *found in connection.execute(sums.group_by(coverage.c.series_id, coverage.c.state, first.c.first)):
        lengths[series_id].append(_Length(SpanState(state), *map(int, found)))
    return lengths


def _later(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


def _series(row: Row[Any], now: int, spans: Sequence[Span], lengths: Sequence[_Length], wanted: SeriesFilter, most: int) -> SeriesCoverage:
    known = max(lengths, key=attrgetter("end"), default=None)
    start, end, complete = None, None, None
    if known is not None:
        start = max(known.first, wanted.start or 0)
        present = max(known.end, Timeframe(row.timeframe).floor(now))
        end = present if wanted.end is None else min(present, wanted.end)
        complete = _complete(lengths, start, min(end, known.end) if known.state is SpanState.DELISTED else end)
    return SeriesCoverage(
        id=row.id,
        exchange=row.exchange,
        symbol=row.symbol,
        timeframe=row.timeframe,
        start=None if complete is None else start,
        end=None if complete is None else end,
        complete=complete,
        spans=spans[-most:],
        more=len(spans) > most,
    )


def _complete(lengths: Sequence[_Length], start: int, end: int) -> float | None:
    """In percent; None: nothing was expected. What is in no span is missing: it closed since the ledger was last written, or a run was broken off."""
    expected = end - start - sum(one.length for one in lengths if one.state in NOT_EXPECTED)
    held = sum(one.length for one in lengths if one.state in HELD)
    # Rounded down: 100 is said of what is whole only.
    return 10_000 * held // expected / 100 if expected > 0 else None
