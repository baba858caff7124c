"""Rows of the execution log, and what they are in numbers, as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, RowShape, Shape
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from penstock.runs.execution_logs import DayRow, GroupRow, LogRow, LogStats

LogStatus = Literal["running", "success", "failed", "cancelled"]


class ExecutionLog(Shape):
    """A run of a job for one symbol; without `timeframe` it was for several of them."""

    id: int
    job_name: str
    job_type: str
    symbol: str | None
    exchange: str | None
    timeframe: str | None
    started_at: Moment
    finished_at: Moment | None
    duration_seconds: float | None
    status: LogStatus
    records_collected: int = Field(description="rows that were new or changed")
    error_message: str | None
    metadata: dict[str, Any] | None

    @classmethod
    def of(cls, row: LogRow) -> Self:
        """The shape of a row, written out: `fields_of` takes twice as long, for a thousand rows."""
        return cls.made(
            {
                "id": row.id,
                "job_name": row.job_name,
                "job_type": row.job_type,
                "symbol": row.symbol,
                "exchange": row.exchange,
                "timeframe": row.timeframe,
                "started_at": iso(row.started_at),
                "finished_at": iso_or_none(row.finished_at),
                "duration_seconds": row.duration_seconds,
                "status": row.status,
                "records_collected": row.records_collected,
                "error_message": row.error_message,
                "metadata": row.metadata,
            }
        )


class ExecutionLogOfTask(ExecutionLog):
    """The same with the task whose run it is of; null for one from before there were tasks."""

    task_id: str | None

    @classmethod
    def of(cls, row: LogRow) -> Self:
        """The shape of a row with its task."""
        return cls.made({**vars(super().of(row)), "task_id": row.task_id})


class TimelineBin(RowShape):
    """The executions that started in a part of the timeline, by how they ended."""

    start: Moment
    end: Moment
    success: int
    failed: int
    cancelled: int
    running: int


class Stats(Shape):
    """Executions in numbers; `last_execution` is the newest one, however long ago."""

    total_executions: int
    successful_executions: int
    failed_executions: int
    running_executions: int
    success_rate: float | None = Field(
        description="percent of those that succeeded or failed; null without any"
    )
    average_duration_seconds: float | None
    total_records_collected: int
    last_execution: Moment | None

    @classmethod
    def of(cls, found: LogStats) -> Self:
        """The shape of the numbers."""
        return cls(**cls.fields_of(found))


class _Numbers(Shape):
    executions: int
    records: int
    average_duration_seconds: float | None
    success_rate: float | None = Field(
        description="percent of all executions, running ones included"
    )

    @classmethod
    def of(cls, row: GroupRow) -> Self:
        """The shape of the rows of a symbol or an exchange."""
        return cls.made(cls.fields_of(row, symbol=row.name, exchange=row.name))


class SymbolNumbers(_Numbers):
    """A symbol in numbers."""

    symbol: str


class ExchangeNumbers(_Numbers):
    """An exchange in numbers."""

    exchange: str


class Day(Shape):
    """A day in UTC, compared with the same weekday a week before."""

    date: str
    executions: int
    records: int
    change_percent: float | None = Field(
        description="null when there were no records a week before"
    )

    @classmethod
    def of(cls, row: DayRow) -> Self:
        """The shape of a day."""
        return cls(**cls.fields_of(row, date=iso(row.day)[:10]))
