"""What runs by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.api.schemas.problem import documented
from penstock.api.state import CurrentState
from penstock.moment import iso, iso_or_none
from penstock.store.write.schedules import schedules as listed

if TYPE_CHECKING:
    from penstock.store.write.schedules import ScheduleRow

router = APIRouter(prefix="/api/v1", tags=["data collector"])


class SchedulesQuery(BaseModel):
    """A page of schedules."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=1_000)
    cursor: int = Field(0, ge=0, lt=2**31, description="`next_cursor` of the page before")


class Schedule(BaseModel):
    """A schedule: `name` is the job name of its runs, `task_type` what they do; either an interval or a cron expression says when."""

    name: str
    task_type: str
    enabled: bool
    interval_seconds: int | None
    cron: str | None
    timezone: str | None
    next_run_at: str | None
    last_run_at: str | None
    params: dict[str, Any]


class SchedulePage(BaseModel):
    """A page of schedules."""

    items: list[Schedule]
    next_cursor: int | None


@router.get("/schedules", response_model=SchedulePage, responses=documented(422, 503))
async def schedules(state: CurrentState, query: Annotated[SchedulesQuery, Query()]) -> Response:
    """Every schedule, also those that Penstock makes by itself."""
    found = await state.app.database.read(
        lambda connection: listed(connection, after_id=query.cursor, limit=query.limit)
    )
    items = [Schedule(**schedule_fields(row)) for row in found]
    page = SchedulePage(
        items=items, next_cursor=found[-1].id if len(found) == query.limit else None
    )
    return Response(page.model_dump_json(), media_type="application/json")


def schedule_fields(row: ScheduleRow) -> dict[str, Any]:
    """The fields of a Schedule, JSON values only."""
    one = row.schedule
    return {
        "name": one.name,
        "task_type": one.kind,
        "enabled": row.enabled,
        "interval_seconds": one.interval_s,
        "cron": one.cron,
        "timezone": one.timezone,
        "next_run_at": iso(row.next_run_at) if row.enabled else None,
        "last_run_at": iso_or_none(row.last_run_at),
        "params": dict(one.params),
    }
