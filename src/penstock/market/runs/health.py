"""The alert rules of the market domain. Times are ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, literal, select

from penstock.alerts.rules import BadSubject, SubjectRule, counted, duration
from penstock.collection.tables import collection_config
from penstock.columns import Timestamp
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import Status, folded
from penstock.market.queries.instruments import configured_symbols
from penstock.market.tables import coverage, instrument, restatement, series
from penstock.market.timeframe import Timeframe
from penstock.moment import iso
from penstock.runs.queries import enabled_intervals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from penstock.market.configured import Configured

_DAY_MS = 86_400_000
# How long a collection that begins in time may take until its candle is stored.
_ALLOWANCE_MS = 60_000

# How far back a gap counts as new.
_RECENT_MS = 48 * 3_600_000
_HOLES = (SpanState.UNCONFIRMED, SpanState.OUTAGE, SpanState.REJECTED)
# The first answers come within ten minutes of each other.
_CONFIRMED_BY = 3

# A series as it is configured: exchange, unified or native symbol, timeframe.
Name = tuple[str, str, str]


def rules(configured: Configured, schedule_name: str) -> list[SubjectRule]:
    """The alert rules; the schedule `schedule_name` collects what is `configured`."""
    return [
        SubjectRule(
            name="late_data",
            counted="series with late data",
            recovered="{name} is up to date again",
            find=lambda connection, now: late_series(connection, configured, schedule_name, now),
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


def _bad(name: Name, message: str) -> BadSubject:
    return BadSubject(" ".join(name), message)


def late_series(
    connection: Connection, configured: Configured, default: str, now: int
) -> list[BadSubject]:
    """Scheduled series that trade, with a newest closed candle older than their interval allows.

    A series of which nothing was ever stored is not late: its executions say why.
    """
    intervals = enabled_intervals(connection)
    wanted = _by_default(connection, configured, intervals[default]) if default in intervals else {}
    wanted |= _by_configs(connection, intervals)
    if not wanted:
        return []
    edges = (
        select(
            instrument.c.exchange,
            instrument.c.symbol,
            instrument.c.native_symbol,
            series.c.timeframe,
            func.max(coverage.c.end_time).label("end"),
        )
        .join(series, series.c.instrument_id == instrument.c.id)
        .join(coverage, coverage.c.series_id == series.c.id)
        .where(instrument.c.status == Status.TRADING, coverage.c.state == SpanState.STORED)
        .group_by(
            instrument.c.exchange,
            instrument.c.symbol,
            instrument.c.native_symbol,
            series.c.timeframe,
        )
        .order_by(instrument.c.exchange, instrument.c.symbol, series.c.timeframe)
    )
    found = []
    for row in connection.execute(edges):
        names = (folded(row.symbol), folded(row.native_symbol))
        interval = next(
            (
                wanted[key]
                for name in names
                if (key := (row.exchange, name, row.timeframe)) in wanted
            ),
            None,
        )
        late_ms = now - Timeframe(row.timeframe).shift(row.end, 1)
        if interval is not None and late_ms > interval + _ALLOWANCE_MS:
            name = (row.exchange, row.symbol, row.timeframe)
            found.append(
                _bad(name, f"{row.symbol} {row.timeframe} is {duration(late_ms / 1000)} late")
            )
    return found


def new_gaps(connection: Connection, now: int) -> list[BadSubject]:
    """Series with confirmed holes in their last 48 hours, and candles after them.

    A hole that nobody has looked at again does not count.
    """
    recent = literal(now - _RECENT_MS, Timestamp())
    later = coverage.alias()
    # Not right after it: other holes may be in between.
    candles_after = exists().where(
        later.c.series_id == coverage.c.series_id,
        later.c.start_time >= coverage.c.end_time,
        later.c.state == SpanState.STORED,
    )
    holes = (
        select(
            instrument.c.exchange,
            instrument.c.symbol,
            series.c.timeframe,
            coverage.c.start_time,
            coverage.c.end_time,
        )
        .select_from(coverage)
        .join(series, series.c.id == coverage.c.series_id)
        .join(instrument, instrument.c.id == series.c.instrument_id)
        .where(
            coverage.c.end_time > recent,
            coverage.c.state.in_(_HOLES),
            coverage.c.asked >= _CONFIRMED_BY,
            candles_after,
        )
        .order_by(instrument.c.exchange, instrument.c.symbol, series.c.id, coverage.c.start_time)
    )
    return [
        _bad(name, _holes(name, spans))
        for name, spans in _by_series(connection.execute(holes)).items()
    ]


def _holes(name: Name, spans: Sequence[tuple[int, int]]) -> str:
    _, symbol, timeframe = name
    candles = counted(
        sum(Timeframe(timeframe).candles_within(start, end) for start, end in spans), "candle"
    )
    missing = f"{candles} missing in {counted(len(spans), 'gap')}, the first at {iso(spans[0][0])}"
    return f"{symbol} {timeframe}: {missing}; see penstock gaps {symbol}"


def _by_series(rows: Iterable[Row[Any]]) -> dict[Name, list[tuple[int, int]]]:
    found: dict[Name, list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault((row.exchange, row.symbol, row.timeframe), []).append(
            (row.start_time, row.end_time)
        )
    return found


def restated_series(connection: Connection, now: int) -> list[BadSubject]:
    """Series with closed candles that changed in the last 24 hours."""
    changed = (
        select(
            instrument.c.exchange,
            instrument.c.symbol,
            series.c.timeframe,
            func.count(func.distinct(restatement.c.open_time)),
        )
        .select_from(restatement)
        .join(series, series.c.id == restatement.c.series_id)
        .join(instrument, instrument.c.id == series.c.instrument_id)
        .where(restatement.c.restated_at > literal(now - _DAY_MS, Timestamp()))
        .group_by(instrument.c.exchange, instrument.c.symbol, series.c.timeframe)
        .order_by(instrument.c.exchange, instrument.c.symbol, series.c.timeframe)
    )
    return [
        _bad(
            (exchange, symbol, timeframe),
            f"{symbol} {timeframe}: the exchange changed {counted(candles, 'closed candle')}"
            " in 24 hours; the old values are in the table restatement",
        )
        for exchange, symbol, timeframe, candles in connection.execute(changed)
    ]


def _by_default(connection: Connection, configured: Configured, interval: int) -> dict[Name, int]:
    names = configured_symbols(connection, configured)
    return {
        (configured.exchange, folded(name), timeframe): interval
        for name in names
        for timeframe in configured.timeframes
    }


def _by_configs(connection: Connection, intervals: Mapping[str, int]) -> dict[Name, int]:
    rows = connection.execute(select(collection_config).where(collection_config.c.enabled))
    return {
        (row.exchange, folded(row.symbol), timeframe): intervals[row.job_id]
        for row in rows
        if row.job_id in intervals
        for timeframe in row.timeframes
    }
