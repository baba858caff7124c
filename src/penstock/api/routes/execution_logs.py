"""Execution logs: what ran, how it ended, and what that is in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from penstock.api.routes.parts import DomainsDep, FromQuery, StoreDep
from penstock.api.schemas.answer import answer
from penstock.api.schemas.execution_log import (
    ExecutionLog,
    ExecutionLogOfTask,
    LogStatus,
    Stats,
)
from penstock.api.schemas.input import Input, Limit, Name, Time
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Shape
from penstock.runs import execution_logs as logs
from penstock.store.write.configs import count_configs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.runs.execution_logs import LogList, LogRow

router = APIRouter(prefix="/api/v1/admin/data-collection", tags=["collection admin"])

_MOST_SKIPPED = 100_000
_YEAR_H = 366 * 24
_RECENT = 10


class LogQuery(Input):
    """Which rows, the newest first."""

    job_name: Name | None = Field(None, description="such as collect_data_1")
    job_type: Name | None = Field(None, description="data_collection, symbol_refresh …")
    symbol: Name | None = Field(None, description="BTC/USDT or BTCUSDT")
    status: LogStatus | None = None
    start_date: Time | None = Field(None, description="rows that started at this time or later")
    end_date: Time | None = Field(None, description="rows that started before this time")
    skip: int = Field(0, ge=0, le=_MOST_SKIPPED, description="deeper rows are reached by cursor")
    limit: Limit = 100
    cursor: str | None = Field(
        None,
        pattern=r"^[0-9]{1,14}:[0-9]{1,18}$",
        description="where the page before ended; its Link header holds it",
    )


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
async def list_execution_logs(
    request: Request,
    store: StoreDep,
    domains: DomainsDep,
    query: FromQuery[LogQuery],
) -> Response:
    """The execution log, the newest first; the Link header names the next page.

    What is written meanwhile does not move the pages.
    """
    wanted = _wanted(query)
    return await store.read(
        lambda connection: _page(
            request, query, logs.log_rows(connection, wanted, domains.logged_name)
        )
    )


def _page(request: Request, query: LogQuery, rows: Sequence[LogRow]) -> Response:
    headers = {"Link": _next(request, rows[-1])} if len(rows) == query.limit else None
    return answer([ExecutionLog.of(row) for row in rows], headers=headers)


def _wanted(query: LogQuery) -> LogList:
    before = None
    if query.cursor is not None:
        at, _, row_id = query.cursor.partition(":")
        before = int(at), int(row_id)
    return logs.LogList(
        **query.model_dump(exclude={"start_date", "end_date", "cursor"}),
        start=query.start_date,
        end=query.end_date,
        before=before,
    )


def _next(request: Request, last: LogRow) -> str:
    following = request.url.remove_query_params("skip").include_query_params(
        cursor=f"{last.started_at}:{last.id}"
    )
    return f'<{following.path}?{following.query}>; rel="next"'


@router.get(
    "/execution-logs/{log_id}",
    response_model=ExecutionLogOfTask,
    responses=documented(404, 422, 503),
)
async def get_execution_log(
    store: StoreDep, log_id: Annotated[int, Path(ge=1, lt=2**63)]
) -> Response:
    """One row of the execution log, with its task."""
    row = await store.one(
        lambda connection: logs.log_row(connection, log_id),
        f"there is no execution log {log_id}; those of the last days are kept",
    )
    return answer(ExecutionLogOfTask.of(row))


class StatsQuery(Input):
    """Which rows to count."""

    job_type: Name | None = None
    hours: int = Field(24, ge=1, le=_YEAR_H)


@router.get("/stats", responses=documented(422, 503))
async def get_execution_stats(store: StoreDep, query: FromQuery[StatsQuery]) -> Stats:
    """The executions of the last hours in numbers."""
    found = await store.read(
        lambda connection: logs.log_stats(connection, hours=query.hours, job_type=query.job_type)
    )
    return Stats.of(found)


class AdminStatus(Shape):
    """Configs and executions at a glance.

    `active_jobs` are the jobs that are queued or running, `stats` those of 24 hours.
    """

    total_configs: int
    enabled_configs: int
    disabled_configs: int
    active_jobs: int
    recent_executions: list[ExecutionLog]
    stats: Stats


@router.get("/status", response_model=AdminStatus, responses=documented(503))
async def get_collection_status(store: StoreDep) -> Response:
    """Configs and executions at a glance."""
    (enabled, disabled, active), recent, numbers = await store.read(
        lambda connection: (
            count_configs(connection),
            logs.log_rows(connection, logs.LogList(limit=_RECENT)),
            logs.log_stats(connection, hours=24),
        )
    )
    shown = AdminStatus(
        total_configs=enabled + disabled,
        enabled_configs=enabled,
        disabled_configs=disabled,
        active_jobs=active,
        recent_executions=[ExecutionLog.of(row) for row in recent],
        stats=Stats.of(numbers),
    )
    return answer(shown)
