"""The alert rules of the market domain. Times are ms."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select

from penstock.alerts.rules import BadSubject, SubjectRule, duration
from penstock.collection.tables import collection_config
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import Status, folded
from penstock.market.queries.series import select_series
from penstock.market.tables import coverage, instrument, restatement, series
from penstock.market.timeframe import Timeframe
from penstock.moment import iso
from penstock.name import counted
from penstock.runs.queries import enabled_intervals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.market.runs.automatic import Automatic
    from penstock.market.timeline import TimeRange

_DAY_MS = 86_400_000
# How long a collection that begins in time may take until its candle is stored.
_ALLOWANCE_MS = 60_000

# How far back a gap counts as new.
_RECENT_MS = 48 * 3_600_000
_HOLES = (SpanState.UNCONFIRMED, SpanState.OUTAGE, SpanState.REJECTED)
# The first answers come within ten minutes of each other.
_CONFIRMED_BY = 3

# A series as it is configured: exchange, unified or native symbol, timeframe.
Name = tuple[str, ...]
_NAME = instrument.c.exchange, instrument.c.symbol, series.c.timeframe


def rules(automatic: Automatic, schedule_name: str) -> list[SubjectRule]:
    """The alert rules; the schedule `schedule_name` collects what is `automatic`."""
    return [
        SubjectRule(
            name="late_data",
            counted="series with late data",
            recovered="{name} is up to date again",
            find=partial(late_series, automatic, schedule_name),
        ),
        SubjectRule(
            name="new_gaps",
            counted="series with holes in their newest candles",
            recovered="{name} has no hole in its newest candles any more, or only old ones",
            find=new_gaps,
        ),
        SubjectRule(
            name="restated",
            counted="series with closed candles that the exchange changed in 24 hours",
            recovered="no closed candle of {name} changed for 24 hours",
            find=restated_series,
        ),
    ]


def _bad(name: Name, reason: str) -> BadSubject:
    exchange, symbol, timeframe = name
    return BadSubject(f"{exchange} {symbol} {timeframe}", f"{symbol} {timeframe}{reason}")


def late_series(
    automatic: Automatic, default: str, connection: Connection, now: int
) -> list[BadSubject]:
    """Scheduled series that trade, with a newest closed candle older than their interval allows.

    A series of which nothing was ever stored is not late: its executions say why.
    """
    schedules = enabled_intervals(connection)
    intervals = _by_configs(connection, schedules)
    if default in schedules:
        intervals = _by_default(connection, automatic, schedules[default]) | intervals
    if not intervals:
        return []
    columns = *_NAME, instrument.c.native_symbol
    edges = (
        select_series(*columns, func.max(coverage.c.end_time), rows=coverage)
        .where(instrument.c.status == Status.TRADING, coverage.c.state == SpanState.STORED)
        .group_by(*columns)
        .order_by(*_NAME)
    )
    found = []
    for exchange, symbol, timeframe, native_symbol, end in connection.execute(edges):
        names = [(exchange, folded(name), timeframe) for name in (symbol, native_symbol)]
        interval = next((intervals[name] for name in names if name in intervals), None)
        late_ms = now - Timeframe(timeframe).shift(end, 1)
        if interval is not None and late_ms > interval + _ALLOWANCE_MS:
            name = exchange, symbol, timeframe
            found.append(_bad(name, f" is {duration(late_ms / 1000)} late"))
    return found


def new_gaps(connection: Connection, now: int) -> list[BadSubject]:
    """Series with confirmed holes in their last 48 hours, and candles after them.

    A hole that nobody has looked at again does not count.
    """
    later = coverage.alias()
    # Not right after it: other holes may be in between.
    candles_after = exists().where(
        later.c.series_id == coverage.c.series_id,
        later.c.start_time >= coverage.c.end_time,
        later.c.state == SpanState.STORED,
    )
    exchange, symbol, _ = _NAME
    holes = (
        select_series(*_NAME, coverage.c.start_time, coverage.c.end_time, rows=coverage)
        .where(
            coverage.c.end_time > now - _RECENT_MS,
            coverage.c.state.in_(_HOLES),
            coverage.c.asked >= _CONFIRMED_BY,
            candles_after,
        )
        .order_by(exchange, symbol, series.c.id, coverage.c.start_time)
    )
    spans: defaultdict[Name, list[TimeRange]] = defaultdict(list)
    for *name, start, end in connection.execute(holes):
        spans[tuple(name)].append((start, end))
    return [_bad(name, _holes(name, of_series)) for name, of_series in spans.items()]


def _holes(name: Name, spans: Sequence[TimeRange]) -> str:
    _, symbol, timeframe = name
    missing = sum(Timeframe(timeframe).candles_within(start, end) for start, end in spans)
    return (
        f": {counted(missing, 'candle')} missing in {counted(len(spans), 'gap')},"
        f" the first at {iso(spans[0][0])}; see penstock gaps {symbol}"
    )


def restated_series(connection: Connection, now: int) -> list[BadSubject]:
    """Series with closed candles that changed in the last 24 hours."""
    changed = (
        select_series(*_NAME, func.count(func.distinct(restatement.c.open_time)), rows=restatement)
        .where(restatement.c.restated_at > now - _DAY_MS)
        .group_by(*_NAME)
        .order_by(*_NAME)
    )
    return [
        _bad(
            tuple(name),
            f": the exchange changed {counted(candles, 'closed candle')} in 24 hours;"
            " the old values are in the table restatement",
        )
        for *name, candles in connection.execute(changed)
    ]


def _by_default(connection: Connection, automatic: Automatic, interval: int) -> dict[Name, int]:
    configured = automatic.configured
    return {
        (configured.exchange, folded(name), timeframe): interval
        for name in automatic.symbols(connection)
        for timeframe in configured.timeframes
    }


def _by_configs(connection: Connection, schedules: Mapping[str, int]) -> dict[Name, int]:
    rows = connection.execute(select(collection_config).where(collection_config.c.enabled))
    return {
        (row.exchange, folded(row.symbol), timeframe): schedules[row.job_id]
        for row in rows
        if row.job_id in schedules
        for timeframe in row.timeframes
    }
