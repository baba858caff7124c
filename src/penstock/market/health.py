"""What the alert rules look at in the market domain: executions, records per day, late series. Times are ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, exists, func, literal, select

from penstock.alerts.rules import Executions, LateSeries, NewGaps, RestatedSeries
from penstock.collection.tables import collection_config
from penstock.columns import Timestamp
from penstock.market import queries
from penstock.market.collect.coverage import SpanState
from penstock.market.instrument import Status, folded
from penstock.market.runs import COLLECTION, SYMBOL_REFRESH
from penstock.market.tables import coverage, instrument, restatement, series
from penstock.market.timeframe import Timeframe
from penstock.moment import iso
from penstock.runs.tables import execution_log

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Row

    from penstock.market.configured import Configured

_DAY_MS = 86_400_000
# What a collection that begins in time may take until the candle is there.
_ALLOWANCE_MS = 60_000

# How far back a hole is one of the newest candles.
_RECENT_MS = 48 * 3_600_000
_HOLES = (SpanState.UNCONFIRMED, SpanState.OUTAGE, SpanState.REJECTED)
# The first answers come within ten minutes of each other.
_CONFIRMED_BY = 3

# Whose durations and records are judged. How long a sync takes is up to the marketplace, which prepares an export for minutes, and what it writes
# is what a seller has changed: after a first import there are far fewer, and nothing is wrong.
_OURS = (COLLECTION, SYMBOL_REFRESH)

# A series as it is configured: exchange, unified or native symbol, timeframe.
Name = tuple[str, str, str]


def executions(connection: Connection, now: int) -> Executions:
    """What ended of the executions that were started in the last 24 hours; cancelled ones are nobody's fault and are left out."""
    log = execution_log.c
    ended = (log.started_at > now - _DAY_MS, log.status.in_(["success", "failed"]))
    success, ours = log.status == "success", log.job_type.in_(_OURS)
    counts = select(func.count(), func.count().filter(success), func.count().filter(ours), func.avg(case((ours, log.duration_seconds)))).where(*ended)
    total, succeeded, timed, average = connection.execute(counts).one()
    return Executions(succeeded=succeeded, failed=total - succeeded, timed=timed, average_duration_s=average)


def records_per_day(connection: Connection, now: int) -> tuple[int, int]:
    """Records of candles and symbols of yesterday and of the day before, UTC."""
    today = now // _DAY_MS * _DAY_MS
    log = execution_log.c
    of_yesterday = func.sum(case((log.started_at >= today - _DAY_MS, log.records_collected), else_=0))
    both = func.sum(log.records_collected)
    days = (log.started_at >= today - 2 * _DAY_MS, log.started_at < today, log.job_type.in_(_OURS))
    counted = select(func.coalesce(of_yesterday, 0), func.coalesce(both, 0)).where(*days)
    yesterday, total = connection.execute(counted).one()
    return int(yesterday), int(total - yesterday)


def late_series(connection: Connection, configured: Configured, intervals: Mapping[str, int], default: str, now: int) -> list[LateSeries]:
    """Series that trade and are collected by themselves, and whose newest closed candle is older than their interval allows.

    `intervals` has the ms between two collections by job name, enabled ones only; `default` is the name of the one that collects what is
    `configured`. A series of which nothing was ever stored is not late: its executions say why.
    """
    wanted = _by_default(connection, configured, intervals[default]) if default in intervals else {}
    wanted |= _by_configs(connection, intervals)
    if not wanted:
        return []
    edges = (
        select(instrument.c.exchange, instrument.c.symbol, instrument.c.native_symbol, series.c.timeframe, func.max(coverage.c.end_time).label("end"))
        .join(series, series.c.instrument_id == instrument.c.id)
        .join(coverage, coverage.c.series_id == series.c.id)
        .where(instrument.c.status == Status.TRADING, coverage.c.state == SpanState.STORED)
        .group_by(instrument.c.exchange, instrument.c.symbol, instrument.c.native_symbol, series.c.timeframe)
        .order_by(instrument.c.exchange, instrument.c.symbol, series.c.timeframe)
    )
    found = []
    for row in connection.execute(edges):
        names = (folded(row.symbol), folded(row.native_symbol))
        interval = next((wanted[key] for name in names if (key := (row.exchange, name, row.timeframe)) in wanted), None)
        late_ms = now - Timeframe(row.timeframe).shift(row.end, 1)
        if interval is not None and late_ms > interval + _ALLOWANCE_MS:
            found.append(LateSeries(row.exchange, row.symbol, row.timeframe, late_ms / 1000))
    return found


def new_gaps(connection: Connection, now: int) -> list[NewGaps]:
    """Series with holes in their last 48 hours that several answers agree on, with candles behind them; what nobody has looked at again is none."""
    recent = literal(now - _RECENT_MS, Timestamp())
    later = coverage.alias()
    # Not next to it: other holes may stand between.
    candles_behind = exists().where(
        later.c.series_id == coverage.c.series_id, later.c.start_time >= coverage.c.end_time, later.c.state == SpanState.STORED
    )
    holes = (
        select(instrument.c.exchange, instrument.c.symbol, series.c.timeframe, coverage.c.start_time, coverage.c.end_time)
        .select_from(coverage)
        .join(series, series.c.id == coverage.c.series_id)
        .join(instrument, instrument.c.id == series.c.instrument_id)
        .where(coverage.c.end_time > recent, coverage.c.state.in_(_HOLES), coverage.c.asked >= _CONFIRMED_BY, candles_behind)
        .order_by(instrument.c.exchange, instrument.c.symbol, series.c.id, coverage.c.start_time)
    )
    return [
        NewGaps(
            *name,
            gaps=len(spans),
            candles=sum(Timeframe(name[2]).candles_within(start, end) for start, end in spans),
            first=iso(spans[0][0]),
        )
        for name, spans in _by_series(connection.execute(holes)).items()
    ]


def _by_series(rows: Iterable[Row[Any]]) -> dict[Name, list[tuple[int, int]]]:
    found: dict[Name, list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault((row.exchange, row.symbol, row.timeframe), []).append((row.start_time, row.end_time))
    return found


def restated_series(connection: Connection, now: int) -> list[RestatedSeries]:
    """Series of which closed candles were changed in the last 24 hours."""
    counted = (
        select(instrument.c.exchange, instrument.c.symbol, series.c.timeframe, func.count(func.distinct(restatement.c.open_time)))
        .select_from(restatement)
        .join(series, series.c.id == restatement.c.series_id)
        .join(instrument, instrument.c.id == series.c.instrument_id)
        .where(restatement.c.restated_at > literal(now - _DAY_MS, Timestamp()))
        .group_by(instrument.c.exchange, instrument.c.symbol, series.c.timeframe)
        .order_by(instrument.c.exchange, instrument.c.symbol, series.c.timeframe)
    )
    return [RestatedSeries(*row) for row in connection.execute(counted)]


def _by_default(connection: Connection, configured: Configured, interval: int) -> dict[Name, int]:
    names = queries.configured_symbols(connection, configured)
    return {(configured.exchange, folded(name), timeframe): interval for name in names for timeframe in configured.timeframes}


def _by_configs(connection: Connection, intervals: Mapping[str, int]) -> dict[Name, int]:
    rows = connection.execute(select(collection_config).where(collection_config.c.enabled))
    return {
        (row.exchange, folded(row.symbol), timeframe): intervals[row.job_id]
        for row in rows
        if row.job_id in intervals
        for timeframe in row.timeframes
    }
