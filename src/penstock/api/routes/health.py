"""`/livez` and `/readyz`."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field

from penstock.api.guard import CALLER_SCOPE
from penstock.api.routes.state import CurrentState, State
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Moment, Shape
from penstock.errors import StoreUnavailableError
from penstock.moment import iso

router = APIRouter(tags=["service"])


class Live(Shape):
    """The process answers."""

    status: str = "ok"


class Ready(Live):
    """The service can answer, and what this process does; the loop's lag is of the last minute."""

    database: str
    schema_version: str
    loop_lag_p99_ms: float
    loop_lag_max_ms: float
    executor: Literal["running", "off"]
    active_runs: int = Field(description="runs that this process works on")
    scheduler: Literal["running", "off"]
    last_tick: Moment | None = Field(description="when the scheduler last looked for what is due")


@router.get("/livez")
async def check_liveness() -> Live:
    """Whether the process answers."""
    return Live()


@router.get("/readyz", responses=documented(503))
async def check_readiness(state: CurrentState, request: Request) -> Ready | Live:
    """Whether the database answers too, and what this process does.

    Without a token, only whether it answers.
    """
    if request.scope.get(CALLER_SCOPE) is not None:
        return _ready(state, await state.app.schema_version())
    try:
        await state.app.schema_version()
    except StoreUnavailableError:
        message = "the service is not ready"
        raise StoreUnavailableError(message) from None
    return Live()


def _ready(state: State, schema: str) -> Ready:
    p99, worst = state.lag.worst_ms()
    executor, scheduler = state.app.executor, state.app.scheduler
    return Ready(
        database="ok",
        schema_version=schema,
        loop_lag_p99_ms=round(p99, 1),
        loop_lag_max_ms=round(worst, 1),
        executor="running" if executor.running else "off",
        active_runs=executor.active,
        scheduler="running" if scheduler.running else "off",
        last_tick=None if scheduler.last_tick_s is None else _at(scheduler.last_tick_s),
    )


def _at(loop_time_s: float) -> str:
    """The time of day of a time of the event loop's clock."""
    ago_s = asyncio.get_running_loop().time() - loop_time_s
    return iso(int((time.time() - ago_s) * 1000))
