"""What the alert rules look at in the market domain: executions, records per day, late series. Times are ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from penstock.core.health import Executions, LateSeries
from penstock.market import queries
from penstock.market.coverage import SpanState
from penstock.market.instrument import Status
from penstock.market.runs import COLLECTION, SYMBOL_REFRESH
from penstock.market.tables import collection_config, coverage, execution_log, instrument, series
from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from penstock.market.runs import Configured

_DAY_MS = 86_400_000
# What a collection that begins in time may take until the candle is there.
_ALLOWANCE_MS = 60_000

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
        interval = wanted.get((row.exchange, row.symbol, row.timeframe), wanted.get((row.exchange, row.native_symbol, row.timeframe)))
        late_ms = now - Timeframe(row.timeframe).shift(row.end, 1)
        if interval is not None and late_ms > interval + _ALLOWANCE_MS:
            found.append(LateSeries(row.exchange, row.symbol, row.timeframe, late_ms / 1000))
    return found


def _by_default(connection: Connection, configured: Configured, interval: int) -> dict[Name, int]:
    names = queries.configured_symbols(connection, configured)
    return {(configured.exchange, name.strip().upper(), timeframe): interval for name in names for timeframe in configured.timeframes}


def _by_configs(connection: Connection, intervals: Mapping[str, int]) -> dict[Name, int]:
    rows = connection.execute(select(collection_config).where(collection_config.c.enabled))
    return {
        (row.exchange, row.symbol.upper(), timeframe): intervals[row.job_id]
        for row in rows
        if row.job_id in intervals
        for timeframe in row.timeframes
    }
