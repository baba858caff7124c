"""Pauses that providers asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from penstock.api.routes.parts import OverviewDep, PausesDep, StoreDep
from penstock.api.schemas.input import Input
from penstock.api.schemas.pause import LiftedPause, PauseShown
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page
from penstock.store.write.pauses import pauses

if TYPE_CHECKING:
    from penstock.store.session.database import Transaction

router = APIRouter(prefix="/api/v1/pauses", tags=["data collector"])


class PausePage(Page):
    """All pauses on one page."""

    items: list[PauseShown]
    next_cursor: int | None


class Lift(Input):
    """Whose pause to end."""

    provider: Annotated[
        str,
        Field(min_length=1, max_length=500, description="as listed, or a part that only one has"),
    ]


@router.get("", response_model=PausePage, responses=documented(503))
async def list_pauses(store: StoreDep) -> Response:
    """The providers to which no request goes now."""

    def page(connection: Transaction) -> PausePage:
        found = pauses(connection)
        return PausePage.of(found, len(found) + 1, PauseShown.of)

    return await store.answer(page)


@router.post("/lift", responses=documented(404, 422, 503))
async def lift_pause(paused: PausesDep, overview: OverviewDep, order: Lift) -> LiftedPause:
    """Send requests again before the provider's time is over; it may answer with a longer ban."""
    pause, tasks = await paused.lift(order.provider)
    await overview.caught_up()
    return LiftedPause.of(pause, tasks)
