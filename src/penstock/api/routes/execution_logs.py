"""Execution logs: what ran, how it ended, and what that is in numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.api.schemas.name import Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.times import ms
from penstock.api.state import CurrentState
from penstock.errors import NotFoundError
from penstock.market.queries.instruments import unified_symbol
from penstock.moment import iso, iso_or_none
from penstock.runs import execution_logs as logs
from penstock.store.write.configs import count_configs

if TYPE_CHECKING:
    from penstock.runs.execution_logs import LogList, LogRow, LogStats

router = APIRouter(prefix="/api/v1/admin/data-collection", tags=["collection admin"])

_MOST_SKIPPED = 100_000
_YEAR_H = 366 * 24
_RECENT = 10

Status = Literal["running", "success", "failed", "cancelled"]


class LogQuery(BaseModel):
    """Which rows, the newest first."""

    model_config = ConfigDict(extra="forbid")

    job_name: Name | None = Field(None, description="such as collect_data_1")
    job_type: Name | None = Field(None, description="data_collection, symbol_refresh …")
    symbol: Name | None = Field(None, description="BTC/USDT or BTCUSDT")
    status: Status | None = None
    start_date: dt.datetime | None = Field(
        None, description="rows that started at this time or later"
    )
    end_date: dt.datetime | None = Field(None, description="rows that started before this time")
    skip: int = Field(
        0, ge=0, le=_MOST_SKIPPED, description="what lies deeper is reached by cursor"
    )
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(
        None,
        pattern=r"^[0-9]{1,14}:[0-9]{1,18}$",
        description="where the page before ended; its Link header holds it",
    )


class ExecutionLog(BaseModel):
    """A run of a job for one symbol; without `timeframe` it was for several of them."""

    id: int
    job_name: str
    job_type: str
    symbol: str | None
    exchange: str | None
    timeframe: str | None
    started_at: str
    finished_at: str | None
    duration_seconds: float | None
    status: Status
    records_collected: int = Field(description="rows that were new or changed")
    error_message: str | None
    metadata: dict[str, Any] | None


_LINK = {
    "Link": {
        "description": '`<…>; rel="next"` when there may be more',
        "schema": {"type": "string"},
    }
}


@router.get(
    "/execution-logs",
    response_model=list[ExecutionLog],
    responses={200: {"headers": _LINK}, **documented(422, 503)},
)
async def execution_logs(
    request: Request, state: CurrentState, query: Annotated[LogQuery, Query()]
) -> Response:
    """The execution log, the newest first. The next page is in the Link header, whatever is written meanwhile."""
    wanted = _wanted(query)
    rows = await state.app.database.read(
        lambda connection: logs.log_rows(connection, wanted, unified_symbol)
    )
    headers = {"Link": _next(request, query, rows[-1])} if len(rows) == query.limit else None
    return _json([log_fields(row) for row in rows], headers)


def _wanted(query: LogQuery) -> LogList:
    before = None
    if query.cursor is not None:
        at, _, row_id = query.cursor.partition(":")
        before = int(at), int(row_id)
    return logs.LogList(
        limit=query.limit,
        skip=query.skip,
        before=before,
        job_name=query.job_name,
        job_type=query.job_type,
        symbol=query.symbol,
        status=query.status,
        start=None if query.start_date is None else ms(query.start_date, field="start_date"),
        end=None if query.end_date is None else ms(query.end_date, field="end_date"),
    )


def _next(request: Request, query: LogQuery, last: LogRow) -> str:
    parameters = query.model_dump(
        mode="json", exclude_none=True, exclude={"skip", "cursor"}, exclude_unset=True
    )
    return f'<{request.url.path}?{urlencode(parameters | {"cursor": f"{last.started_at}:{last.id}"})}>; rel="next"'


@router.get(
    "/execution-logs/{log_id}", response_model=ExecutionLog, responses=documented(404, 422, 503)
)
async def execution_log(
    state: CurrentState, log_id: Annotated[int, Path(ge=1, lt=2**63)]
) -> Response:
    """One row of the execution log."""
    row = await state.app.database.read(lambda connection: logs.log_row(connection, log_id))
    if row is None:
        raise NotFoundError(f"there is no execution log {log_id}; those of the last days are kept")
    return _json(log_fields(row))


class StatsQuery(BaseModel):
    """Which rows to count."""

    model_config = ConfigDict(extra="forbid")

    job_type: Name | None = None
    hours: int = Field(24, ge=1, le=_YEAR_H)


class Stats(BaseModel):
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
    last_execution: str | None


@router.get("/stats", response_model=Stats, responses=documented(422, 503))
async def stats(state: CurrentState, query: Annotated[StatsQuery, Query()]) -> Response:
    """The executions of the last hours in numbers."""
    found = await state.app.database.read(
        lambda connection: logs.log_stats(connection, hours=query.hours, job_type=query.job_type)
    )
    return _json(_stats(found))


class AdminStatus(BaseModel):
    """Configs and executions at a glance; `active_jobs` are the jobs that are queued or running, `stats` those of 24 hours."""

    total_configs: int
    enabled_configs: int
    disabled_configs: int
    active_jobs: int
    recent_executions: list[ExecutionLog]
    stats: Stats


@router.get("/status", response_model=AdminStatus, responses=documented(503))
async def status(state: CurrentState) -> Response:
    """Configs and executions at a glance."""
    (enabled, disabled, active), recent, numbers = await state.app.database.read(
        lambda connection: (
            count_configs(connection),
            logs.log_rows(connection, logs.LogList(limit=_RECENT)),
            logs.log_stats(connection, hours=24),
        )
    )
    body = {
        "total_configs": enabled + disabled,
        "enabled_configs": enabled,
        "disabled_configs": disabled,
        "active_jobs": active,
    }
    return _json(
        body | {"recent_executions": [log_fields(row) for row in recent], "stats": _stats(numbers)}
    )


def log_fields(row: LogRow) -> dict[str, Any]:
    """The fields of an ExecutionLog, JSON values only."""
    fields = {name: getattr(row, name) for name in ExecutionLog.model_fields}
    return fields | {"started_at": iso(row.started_at), "finished_at": iso_or_none(row.finished_at)}


def _stats(found: LogStats) -> dict[str, Any]:
    return asdict(found) | {"last_execution": iso_or_none(found.last_execution)}


def _json(body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), headers=headers, media_type="application/json")
