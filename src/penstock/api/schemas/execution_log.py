"""Rows of the execution log, and what they are in numbers, as the API shows them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape
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
        """The shape of a row."""
        fields = {name: getattr(row, name) for name in cls.model_fields}
        times = {"started_at": iso(row.started_at), "finished_at": iso_or_none(row.finished_at)}
        return cls.made(fields | times)


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
        return cls(**asdict(found) | {"last_execution": iso_or_none(found.last_execution)})


class _Numbers(Shape):
    executions: int
    records: int
    average_duration_seconds: float | None
    success_rate: float | None = Field(
        description="percent of all executions, running ones included"
    )


class SymbolNumbers(_Numbers):
    """A symbol in numbers."""

    symbol: str

    @classmethod
    def of(cls, row: GroupRow) -> Self:
        """The shape of the rows of a symbol."""
        numbers = asdict(row)
        return cls.made({"symbol": numbers.pop("name"), **numbers})


class ExchangeNumbers(_Numbers):
    """An exchange in numbers."""

    exchange: str

    @classmethod
    def of(cls, row: GroupRow) -> Self:
        """The shape of the rows of an exchange."""
        numbers = asdict(row)
        return cls.made({"exchange": numbers.pop("name"), **numbers})


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
        return cls(
            date=iso(row.day)[:10],
            executions=row.executions,
            records=row.records,
            change_percent=row.change,
        )
