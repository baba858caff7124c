"""What runs automatically."""

from __future__ import annotations

from fastapi import APIRouter, Response

from penstock.api.routes.parts import DomainsDep, FromQuery, StoreDep
from penstock.api.schemas.input import Cursor, Input, Limit
from penstock.api.schemas.problem import documented
from penstock.api.schemas.schedule import ScheduleShown
from penstock.api.schemas.shape import Page
from penstock.store.write.schedules import schedules as listed

router = APIRouter(prefix="/api/v1", tags=["data collector"])


class SchedulesQuery(Input):
    """A page of schedules."""

    limit: Limit = 100
    cursor: Cursor = 0


class SchedulePage(Page):
    """A page of schedules."""

    items: list[ScheduleShown]
    next_cursor: int | None


@router.get("/schedules", response_model=SchedulePage, responses=documented(422, 503))
async def list_schedules(
    store: StoreDep, domains: DomainsDep, query: FromQuery[SchedulesQuery]
) -> Response:
    """All schedules, with those that Penstock creates."""
    return await store.answer(
        lambda connection: SchedulePage.of(
            listed(connection, domains.asleep, after_id=query.cursor, limit=query.limit),
            query.limit,
            ScheduleShown.of,
        )
    )
