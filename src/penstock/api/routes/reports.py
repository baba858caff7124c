"""Reports: the questions that users ask of the execution log, answered."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field

from penstock.api.routes.parts import FromQuery, StoreDep
from penstock.api.schemas.execution_log import (
    Day,
    ExchangeNumbers,
    ExecutionLog,
    SymbolNumbers,
    TimelineBin,
)
from penstock.api.schemas.input import Input, Limit, Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Shape
from penstock.api.schemas.summary import BEATS, JobBeats
from penstock.runs import execution_logs as logs
from penstock.runs.beats import beats

router = APIRouter(prefix="/api/v1/admin/data-collection/reports", tags=["collection admin"])


class DaysQuery(Input):
    """How far back."""

    days: int = Field(7, ge=1, le=366)


class TopQuery(DaysQuery):
    """How far back, and how many."""

    limit: Limit = 10


class FailuresQuery(Input):
    """How far back, and how many."""

    hours: int = Field(24, ge=1, le=366 * 24)
    limit: Limit = 100


class TimelineQuery(Input):
    """How far back, and in how many parts."""

    hours: int = Field(24, ge=1, le=366 * 24)
    bins: int = Field(96, ge=1, le=500)


class BeatsQuery(Input):
    """Of which jobs."""

    job_name: list[Name] = Field(
        min_length=1, max_length=100, description="a job, such as collect_data_1; repeat it"
    )


class BeatsOfJobs(Shape):
    """The newest executions of jobs; a job that never ran has none."""

    jobs: list[JobBeats]


class Timeline(Shape):
    """The last hours in parts of the same length."""

    bins: list[TimelineBin]


class Days(Shape):
    """The last days, today included, each compared with the same weekday a week before."""

    days: list[Day]


@router.get("/top-symbols", response_model=list[SymbolNumbers], responses=documented(422, 503))
async def report_top_symbols(store: StoreDep, query: FromQuery[TopQuery]) -> Response:
    """The symbols with the most records."""
    return await store.answer(
        lambda connection: [
            SymbolNumbers.of(row)
            for row in logs.top_symbols(connection, days=query.days, limit=query.limit)
        ]
    )


@router.get("/by-exchange", response_model=list[ExchangeNumbers], responses=documented(422, 503))
async def report_exchanges(store: StoreDep, query: FromQuery[DaysQuery]) -> Response:
    """Each exchange in numbers."""
    return await store.answer(
        lambda connection: [
            ExchangeNumbers.of(row) for row in logs.by_exchange(connection, days=query.days)
        ]
    )


@router.get("/recent-failures", response_model=list[ExecutionLog], responses=documented(422, 503))
async def report_recent_failures(store: StoreDep, query: FromQuery[FailuresQuery]) -> Response:
    """What failed, the newest first."""
    return await store.answer(
        lambda connection: [
            ExecutionLog.of(row)
            for row in logs.recent_failures(connection, hours=query.hours, limit=query.limit)
        ]
    )


@router.get("/records-per-day", response_model=Days, responses=documented(422, 503))
async def report_records_per_day(store: StoreDep, query: FromQuery[DaysQuery]) -> Response:
    """The records of each day, compared with the week before."""
    return await store.answer(
        lambda connection: Days(
            days=[Day.of(row) for row in logs.records_per_day(connection, days=query.days)]
        )
    )


@router.get("/beats", response_model=BeatsOfJobs, responses=documented(422, 503))
async def report_beats(store: StoreDep, query: FromQuery[BeatsQuery]) -> Response:
    """How the newest 30 executions of each job ended."""
    return await store.answer(
        lambda connection: BeatsOfJobs(
            jobs=[
                JobBeats.of(job, found)
                for job, found in beats(connection, query.job_name, most=BEATS).items()
            ]
        )
    )


@router.get("/timeline", response_model=Timeline, responses=documented(422, 503))
async def report_timeline(store: StoreDep, query: FromQuery[TimelineQuery]) -> Response:
    """When executions started, and how they ended."""
    return await store.answer(
        lambda connection: Timeline(
            bins=[
                TimelineBin.of(part)
                for part in logs.timeline(connection, hours=query.hours, bins=query.bins)
            ]
        )
    )
