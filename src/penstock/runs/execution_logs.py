"""What can be read of the execution log. Times are ms."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import desc, func, literal, select, tuple_

from penstock.columns import Timestamp, if_given, in_ms, read_clock
from penstock.runs.tables import execution_log, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select


# A row of the execution log with its columns, but `run_id`.
LogRow: TypeAlias = "Row[Any]"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogList:
    """Which rows, the newest first: those that started in `start ≤ t < end`.

    `before` is the start and the id of the row ahead of the first one.

    `symbol` is as in the log, or what else stands for it.
    """

    limit: int
    skip: int = 0
    before: tuple[int, int] | None = None
    job_name: str | None = None
    job_type: str | None = None
    symbol: str | None = None
    status: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStats:
    """Rows in numbers. `last_execution` is the newest of all.

    Rates are in percent of those that succeeded or failed, None without any.
    """

    total_executions: int
    successful_executions: int
    failed_executions: int
    running_executions: int
    success_rate: float | None
    average_duration_seconds: float | None
    total_records_collected: int
    last_execution: int | None


_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_WEEK = 7
NEWEST_FIRST = desc(execution_log.c.started_at), desc(execution_log.c.id)
_ROWS = select(*[column for column in execution_log.c if column.name != "run_id"]).order_by(
    *NEWEST_FIRST
)


def log_rows(
    connection: Connection,
    query: LogList,
    meant: Callable[[Connection, str], str | None] = lambda _connection, _name: None,
) -> Sequence[LogRow]:
    """The rows of a list; `meant` translates a name that the log does not have."""
    log = execution_log.c
    listed = (
        _ROWS.limit(query.limit)
        .offset(query.skip)
        .where(
            if_given(log.job_name, query.job_name),
            if_given(log.job_type, query.job_type),
            if_given(log.status, query.status),
        )
    )
    if query.symbol is not None:
        listed = listed.where(log.symbol == _logged(connection, query.symbol, meant))
    return connection.execute(_in_time(listed, query)).all()


def _in_time(listed: Select[Any], query: LogList) -> Select[Any]:
    log = execution_log.c
    if query.start is not None:
        listed = listed.where(log.started_at >= query.start)
    if query.end is not None:
        listed = listed.where(log.started_at < query.end)
    if query.before is not None:
        at, row_id = query.before
        listed = listed.where(
            tuple_(log.started_at, log.id) < tuple_(literal(at, Timestamp()), literal(row_id))
        )
    return listed


def _logged(
    connection: Connection, name: str, meant: Callable[[Connection, str], str | None]
) -> str:
    """As the log has it. Looked up first, so that the rows can be found by it alone."""
    plain = name.strip()
    known = select(execution_log.c.id).where(execution_log.c.symbol == plain).limit(1)
    if connection.scalar(known) is not None:
        return plain
    return meant(connection, plain) or plain


def log_row(connection: Connection, row_id: int) -> LogRow | None:
    """One row, and the task of its run; None for a row without a run."""
    of_run = select(run.c.task_id).where(run.c.id == execution_log.c.run_id).scalar_subquery()
    row = _ROWS.add_columns(of_run.label("task_id")).where(execution_log.c.id == row_id)
    return connection.execute(row).first()


def _in_state(status: str) -> ColumnElement[int]:
    return func.count().filter(execution_log.c.status == status)


_RECORDS = func.coalesce(func.sum(execution_log.c.records_collected), 0)
# All executions, those that succeeded, their records, and how long one takes on average.
_NUMBERS = (
    func.count(),
    _in_state("success"),
    _RECORDS,
    func.avg(execution_log.c.duration_seconds),
)


def log_stats(connection: Connection, *, hours: int, job_type: str | None = None) -> LogStats:
    """The rows that started in the last `hours`, in numbers."""
    log = execution_log.c
    of_type = if_given(log.job_type, job_type)
    numbers = select(*_NUMBERS, _in_state("failed"), _in_state("running"))
    total, succeeded, records, average, failed, running = connection.execute(
        numbers.where(_since(connection, hours), of_type)
    ).one()
    newest = select(log.started_at).where(of_type).order_by(*NEWEST_FIRST).limit(1)
    return LogStats(
        total_executions=total,
        successful_executions=succeeded,
        failed_executions=failed,
        running_executions=running,
        success_rate=percent(succeeded, succeeded + failed),
        average_duration_seconds=_rounded(average),
        total_records_collected=int(records),
        last_execution=connection.scalar(newest),
    )


def _rounded(average: float | None) -> float | None:
    return None if average is None else round(average, 3)


def percent(part: float, whole: float) -> float | None:
    """With two digits; None of nothing."""
    return round(100 * part / whole, 2) if whole else None


def _since(connection: Connection, hours: int) -> ColumnElement[bool]:
    return execution_log.c.started_at >= read_clock(connection) - hours * _HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """The rows of one symbol or exchange in numbers."""

    name: str
    executions: int
    records: int
    average_duration_seconds: float | None
    success_rate: float | None


def top_symbols(connection: Connection, *, days: int, limit: int) -> list[GroupRow]:
    """The symbols with the most records; the rate is of all rows, as in the published SQL."""
    log = execution_log.c
    groups = _groups(connection, log.symbol, days).where(log.job_type == "data_collection")
    return _group_rows(connection, groups.order_by(desc(_RECORDS), log.symbol).limit(limit))


def by_exchange(connection: Connection, *, days: int) -> list[GroupRow]:
    """Each exchange in numbers."""
    exchange = execution_log.c.exchange
    return _group_rows(connection, _groups(connection, exchange, days).order_by(exchange))


def _groups(connection: Connection, name: ColumnElement[str], days: int) -> Select[Any]:
    return (
        select(name, *_NUMBERS)
        .where(_since(connection, 24 * days), name.is_not(None))
        .group_by(name)
    )


def _group_rows(connection: Connection, groups: Select[Any]) -> list[GroupRow]:
    return [
        GroupRow(
            name=name,
            executions=executions,
            records=int(records),
            average_duration_seconds=_rounded(average),
            success_rate=percent(succeeded, executions),
        )
        for name, executions, succeeded, records, average in connection.execute(groups)
    ]


def recent_failures(connection: Connection, *, hours: int, limit: int) -> Sequence[LogRow]:
    """The rows that failed, the newest first."""
    failed = _ROWS.where(execution_log.c.status == "failed", _since(connection, hours))
    return connection.execute(failed.limit(limit)).all()


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day in UTC; `change_percent` compares it with the same day a week before, if it can."""

    day: int
    executions: int
    records: int
    change_percent: float | None


def records_per_day(connection: Connection, *, days: int) -> list[DayRow]:
    """The last `days` days up to today, each against the one a week before it."""
    day = in_ms(execution_log.c.started_at) // _DAY_MS
    today = read_clock(connection) // _DAY_MS
    begin = (today - days - _WEEK + 1) * _DAY_MS
    counted = select(
        day.label("day"), func.count(), func.sum(execution_log.c.records_collected)
    ).where(execution_log.c.started_at >= begin)
    found = {row.day: (row[1], int(row[2])) for row in connection.execute(counted.group_by("day"))}
    rows = []
    for number in range(today - days + 1, today + 1):
        executions, records = found.get(number, (0, 0))
        _, before = found.get(number - _WEEK, (0, 0))
        change = percent(records - before, before)
        rows.append(DayRow(number * _DAY_MS, executions, records, change))
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The rows that started in `start ≤ t < end`, by how they ended."""

    start: int
    end: int
    success: int = 0
    failed: int = 0
    cancelled: int = 0
    running: int = 0


def timeline(connection: Connection, *, hours: int, bins: int) -> list[Bin]:
    """The last hours in bins of the same length, up to now."""
    step = hours * _HOUR_MS // bins
    now = read_clock(connection)
    begin = now - bins * step
    log = execution_log.c
    which = (in_ms(log.started_at) - begin) // step
    counted = (
        select(which.label("bin"), log.status, func.count().label("rows"))
        .where(log.started_at >= begin)
        .group_by("bin", log.status)
    )
    found: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for row in connection.execute(counted):
        # What starts while this is read belongs to the last bin.
        found[min(row.bin, bins - 1)][row.status] = row.rows
    return [
        Bin(start=begin + number * step, end=begin + (number + 1) * step, **found[number])
        for number in range(bins)
    ]
