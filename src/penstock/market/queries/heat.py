"""The heat map of coverage: how much of each day or month a series has. From the ledger alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Integer, and_, case, column, exists, func, select, true, values

from penstock.columns import Timestamp, if_given, in_ms, read_clock
from penstock.market.collect.coverage import HELD, SpanState
from penstock.market.queries.coverage import complete_of, totals_of
from penstock.market.queries.gaps import MISSING, NOT_EXPECTED, SeriesFilter
from penstock.market.queries.instruments import exchange_now
from penstock.market.queries.series import of_series, per_series
from penstock.market.tables import coverage, exchange_clock, instrument, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Select

    from penstock.market.queries.coverage import SpanTotals


class HeatUnit(StrEnum):
    """What a cell of the map stands for, in UTC."""

    DAY = "day"
    MONTH = "month"

    @property
    def step(self) -> Timeframe:
        """The grid of the cells."""
        return Timeframe.D1 if self is HeatUnit.DAY else Timeframe.MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatOrder:
    """Which series to map, `cells` units of them up to `end` (ms; None: the present).

    `only_gaps`: those that miss candles which could be there. `reason`: those with such a gap.
    """

    wanted: SeriesFilter
    unit: HeatUnit
    cells: int
    end: int | None = None
    only_gaps: bool = False
    reason: SpanState | None = None


class HeatCell(NamedTuple):
    """A unit of a series: `complete` in percent, as of a series, and the number of its `gaps`.

    `share` of it, in percent and rounded up, is missing for this `reason` above all; where nothing
    is, it is not expected or, without a reason, not asked for yet: whichever is more.
    """

    complete: float | None
    share: float
    reason: SpanState | None
    gaps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatRow:
    """A series; `complete` and `gaps`, by reason, are of all its time.

    A cell is None where nothing is known of the series.
    """

    id: int
    exchange: str
    symbol: str
    timeframe: str
    complete: float | None
    gaps: Mapping[SpanState, int]
    cells: Sequence[HeatCell | None]


@dataclass(frozen=True, slots=True)
class Heat:
    """The rows of a page; a cell lies between two of the `edges`."""

    edges: Sequence[int]
    rows: Sequence[HeatRow]


def heat_map(connection: Connection, order: HeatOrder, *, after_id: int, limit: int) -> Heat:
    """The series after `after_id`, by id."""
    wanted, edges = order.wanted, _edges(connection, order)
    names = series.c.id, instrument.c.exchange, instrument.c.symbol, series.c.timeframe
    listed = wanted.select(connection, *names).where(series.c.id > after_id, *_with_gaps(order))
    rows = connection.execute(listed.order_by(series.c.id).limit(limit)).all()
    if not rows:
        return Heat(edges, [])
    ids = [series_id for series_id, *_ in rows]
    now = {name: exchange_now(connection, name) for name in {exchange for _, exchange, *_ in rows}}
    whole = SeriesFilter()
    totals = totals_of(connection, ids, whole)
    parts = _parts(connection, ids, edges)
    return Heat(
        edges,
        [
            HeatRow(
                id=series_id,
                exchange=exchange,
                symbol=symbol,
                timeframe=timeframe,
                complete=complete_of(total, running, whole)[2],
                gaps=total.gaps,
                cells=_cells(parts[series_id], edges, _known(total, running)),
            )
            for series_id, exchange, symbol, timeframe in rows
            for total, running in [
                (totals[series_id], Timeframe(timeframe).floor(now[exchange])),
            ]
        ],
    )


def _with_gaps(order: HeatOrder) -> list[ColumnElement[bool]]:
    """What a series must have."""
    asked = [MISSING] if order.only_gaps else []
    asked += [] if order.reason is None else [frozenset({order.reason})]
    own = coverage.c.series_id == series.c.id
    return [exists().where(own, coverage.c.state.in_(states)).correlate(series) for states in asked]


def _edges(connection: Connection, order: HeatOrder) -> list[int]:
    """The starts of the cells, and the end of the last one."""
    step = order.unit.step
    clocks = select(exchange_clock.c.exchange).where(
        if_given(exchange_clock.c.exchange, order.wanted.exchange)
    )
    times = [exchange_now(connection, exchange) for exchange in connection.scalars(clocks)]
    now = max(times, default=None) or read_clock(connection)
    last = step.floor(now if order.end is None else min(now, max(0, order.end - 1)))
    starts = (step.shift(last, -back) for back in range(order.cells))
    return [*sorted({max(0, start) for start in starts}), step.shift(last, 1)]


@dataclass(slots=True)
class _Part:
    """What the spans in a cell make of it: how much of it is in each state, and its gaps."""

    lengths: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    gaps: int = 0

    def add(self, state: str, length: int, spans: int) -> None:
        self.lengths[state] += length
        if state not in HELD:
            self.gaps += spans


_Parts = defaultdict[int, defaultdict[int, _Part]]


def _parts(connection: Connection, ids: Sequence[int], edges: Sequence[int]) -> _Parts:
    """The parts of each series by the number of their cell.

    By sums, so that a series with a thousand gaps a day reads as fast as one without any.
    """
    parts: _Parts = defaultdict(lambda: defaultdict(_Part))
    for series_id, state, end in _reaching_in(connection, ids, edges[0]):
        _spread(parts[series_id], state, end, edges, 0)
    for series_id, cell, state, spans, length, last_end in connection.execute(_sums(ids, edges)):
        parts[series_id][cell].add(state, length, spans)
        _spread(parts[series_id], state, last_end, edges, cell + 1)
    return parts


def _sums(ids: Sequence[int], edges: Sequence[int]) -> Select[Any]:
    """By series, cell and state: the spans that begin there, their length in it, the last end."""
    # Lists of values, so that each series and cell is one look into the index of the ledger.
    page = values(column("id", Integer)).data([(one,) for one in ids]).cte("page")
    limits = column("cell", Integer), column("low", Timestamp()), column("high", Timestamp())
    cells = [(cell, *pair) for cell, pair in enumerate(pairwise(edges))]
    bins = values(*limits).data(cells).cte("bin")
    begins = coverage.c.start_time
    end = case((coverage.c.end_time > bins.c.high, bins.c.high), else_=coverage.c.end_time)
    keys = page.c.id, bins.c.cell, coverage.c.state
    counted = func.count(), in_ms(func.sum(end - begins)), func.max(coverage.c.end_time)
    return (
        select(*keys, *counted)
        .select_from(page.join(bins, true()))
        .join(
            coverage,
            and_(coverage.c.series_id == page.c.id, begins >= bins.c.low, begins < bins.c.high),
        )
        .group_by(*keys)
    )


def _reaching_in(connection: Connection, ids: Sequence[int], start: int) -> list[Any]:
    """The span of each series that begins before `start` and ends after it: its state and end."""
    older = coverage.alias()
    newest = of_series(older, func.max(older.c.start_time), older.c.start_time < start)
    edge = per_series(ids, newest.scalar_subquery())
    found = select(coverage.c.series_id, coverage.c.state, coverage.c.end_time).join(
        edge, (edge.c.id == coverage.c.series_id) & (edge.c.value == coverage.c.start_time)
    )
    return list(connection.execute(found.where(coverage.c.end_time > start)).all())


def _spread(
    parts: defaultdict[int, _Part], state: str, end: int, edges: Sequence[int], cell: int
) -> None:
    """Add what a span that began before `cell` covers of it and of the cells after it."""
    while cell < len(edges) - 1 and edges[cell] < end:
        parts[cell].add(state, min(end, edges[cell + 1]) - edges[cell], 1)
        cell += 1


def _known(total: SpanTotals, running: int) -> tuple[int, int]:
    """From when to when something could be known of a series; `running` is its running candle."""
    ended = total.gone or total.first is None
    return total.begin or 0, total.end if ended else max(total.end, running)


def _cells(
    parts: Mapping[int, _Part], edges: Sequence[int], known: tuple[int, int]
) -> list[HeatCell | None]:
    begin, end = known
    return [
        _cell(parts[cell] if cell in parts else _Part(), min(high, end) - max(low, begin))
        for cell, (low, high) in enumerate(pairwise(edges))
    ]


def _cell(part: _Part, length: int) -> HeatCell | None:
    """The cell of a range of this length that could be known."""
    if length <= 0:
        return None
    of_state = part.lengths
    not_asked = max(0, length - sum(of_state.values()))
    held = sum(of_state[state] for state in HELD if state in of_state)
    missing = {state: of_state[state] for state in MISSING if state in of_state}
    left_out = {state: of_state[state] for state in NOT_EXPECTED if state in of_state}
    expected = length - sum(left_out.values())
    complete = 10_000 * held // expected / 100 if expected > 0 else None
    share, reasons = sum(missing.values()) + not_asked, missing
    if not missing and sum(left_out.values()) > not_asked:
        share, reasons = sum(left_out.values()), left_out
    reason = max(reasons, key=lambda state: (reasons[state], state), default=None)
    return HeatCell(complete, -(-10_000 * share // length) / 100, reason, part.gaps)
