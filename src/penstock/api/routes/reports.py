"""Reports: the questions that users ask of the execution log, answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.api.routes.execution_logs import ExecutionLog, log_fields
from penstock.api.schemas.problem import documented
from penstock.api.state import CurrentState
from penstock.moment import iso
from penstock.runs import execution_logs as logs

if TYPE_CHECKING:
    from penstock.runs.execution_logs import DayRow

router = APIRouter(prefix="/api/v1/admin/data-collection/reports", tags=["collection admin"])


class DaysQuery(BaseModel):
    """How far back."""

    model_config = ConfigDict(extra="forbid")

    days: int = Field(7, ge=1, le=366)


class TopQuery(DaysQuery):
    """How far back, and how many."""

    limit: int = Field(10, ge=1, le=1_000)


class FailuresQuery(BaseModel):
    """How far back, and how many."""

    model_config = ConfigDict(extra="forbid")

    hours: int = Field(24, ge=1, le=366 * 24)
    limit: int = Field(100, ge=1, le=1_000)


class _Numbers(BaseModel):
    executions: int
    records: int
    average_duration_seconds: float | None
    success_rate: float | None = Field(
        description="percent of all executions, those that run included"
    )


class SymbolNumbers(_Numbers):
    """A symbol in numbers."""

    symbol: str


class ExchangeNumbers(_Numbers):
    """An exchange in numbers."""

    exchange: str


class Day(BaseModel):
    """A day in UTC, against the same one a week before."""

    date: str
    executions: int
    records: int
    change_percent: float | None = Field(
        description="null when there were no records a week before"
    )


class Days(BaseModel):
    """The last days, today included; the changes are against the week before."""

    days: list[Day]


@router.get("/top-symbols", response_model=list[SymbolNumbers], responses=documented(422, 503))
async def top_symbols(state: CurrentState, query: Annotated[TopQuery, Query()]) -> Response:
    """The symbols with the most records."""
    rows = await state.app.database.read(
        lambda connection: logs.top_symbols(connection, days=query.days, limit=query.limit)
    )
    return _json([_named("symbol", asdict(row)) for row in rows])


@router.get("/by-exchange", response_model=list[ExchangeNumbers], responses=documented(422, 503))
async def by_exchange(state: CurrentState, query: Annotated[DaysQuery, Query()]) -> Response:
    """Each exchange in numbers."""
    rows = await state.app.database.read(
        lambda connection: logs.by_exchange(connection, days=query.days)
    )
    return _json([_named("exchange", asdict(row)) for row in rows])


@router.get("/recent-failures", response_model=list[ExecutionLog], responses=documented(422, 503))
async def recent_failures(
    state: CurrentState, query: Annotated[FailuresQuery, Query()]
) -> Response:
    """What failed, the newest first."""
    rows = await state.app.database.read(
        lambda connection: logs.recent_failures(connection, hours=query.hours, limit=query.limit)
    )
    return _json([log_fields(row) for row in rows])


@router.get("/records-per-day", response_model=Days, responses=documented(422, 503))
async def records_per_day(state: CurrentState, query: Annotated[DaysQuery, Query()]) -> Response:
    """Records of each day, with the change against the week before."""
    rows = await state.app.database.read(
        lambda connection: logs.records_per_day(connection, days=query.days)
    )
    return _json({"days": [_day(row) for row in rows]})


def _named(noun: str, row: dict[str, Any]) -> dict[str, Any]:
    return {noun: row.pop("name")} | row


def _day(row: DayRow) -> dict[str, Any]:
    return {
        "date": iso(row.day)[:10],
        "executions": row.executions,
        "records": row.records,
        "change_percent": row.change,
    }


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
