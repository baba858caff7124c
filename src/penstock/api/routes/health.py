"""`/livez` and `/readyz`."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request
from pydantic import Field

from penstock.api.guard import CALLER_SCOPE
from penstock.api.routes.parts import ExecutorDep, LagDep, SchedulerDep, StoreDep
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Moment, Shape
from penstock.errors import StoreUnavailableError
from penstock.moment import iso
from penstock.store.migrate import version

if TYPE_CHECKING:
    from penstock.api.metrics.loop_lag import LoopLag
    from penstock.runs.executor import Executor
    from penstock.runs.scheduler import Scheduler

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
async def check_readiness(
    request: Request,
    store: StoreDep,
    lag: LagDep,
    executor: ExecutorDep,
    scheduler: SchedulerDep,
) -> Ready | Live:
    """Whether the database answers too, and what this process does.

    Without a token, only whether it answers.
    """
    if request.scope.get(CALLER_SCOPE) is not None:
        schema = await store.read(version)
        return _ready(schema, lag, executor, scheduler)
    try:
        await store.read(version)
    except StoreUnavailableError:
        raise StoreUnavailableError("the service is not ready") from None
    return Live()


def _ready(schema: str | None, lag: LoopLag, executor: Executor, scheduler: Scheduler) -> Ready:
    p99, worst = lag.worst_ms()
    return Ready(
        database="ok",
        schema_version=schema or "none",
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
