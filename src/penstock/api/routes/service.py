"""The service itself: `/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from penstock.api.guard import CALLER_SCOPE
from penstock.api.routes.parts import ExecutorDep, LagDep, MetricsDep, SchedulerDep, StoreDep
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Moment, Shape
from penstock.errors import StoreUnavailableError
from penstock.moment import iso_or_none
from penstock.store.migrate import version

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
    stranger = request.scope.get(CALLER_SCOPE) is None
    try:
        schema = await store.look(version)
    except StoreUnavailableError:
        if stranger:
            raise StoreUnavailableError("the service is not ready") from None
        raise
    if stranger:
        return Live()
    p99, worst = lag.worst_ms()
    return Ready(
        database="ok",
        schema_version=schema or "none",
        loop_lag_p99_ms=round(p99, 1),
        loop_lag_max_ms=round(worst, 1),
        executor="running" if executor.running else "off",
        active_runs=executor.active,
        scheduler="running" if scheduler.running else "off",
        last_tick=iso_or_none(scheduler.last_tick),
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "description": "Prometheus' text format",
        }
    },
)
async def get_metrics(metrics: MetricsDep) -> Response:
    """The service in numbers, for Prometheus."""
    return Response(await metrics.scrape(), media_type=CONTENT_TYPE_LATEST)
