"""The service itself: `/livez`, `/readyz`, `/metrics`, and what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import Field

from penstock import __version__
from penstock.api.guard import CALLER_SCOPE
from penstock.api.routes.parts import (
    ExecutorDep,
    LagDep,
    MetricsDep,
    SchedulerDep,
    SettingsDep,
    SizesDep,
    StoreDep,
)
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Moment, Page, RowShape, Shape
from penstock.errors import StoreUnavailableError
from penstock.moment import iso, iso_or_none
from penstock.store.migrate import version
from penstock.store.session.database import server_version
from penstock.store.sizes import database_bytes
from penstock.store.write.alerts.book import ALERTS_KEPT_DAYS
from penstock.store.write.quarantine import MOST_KEPT

if TYPE_CHECKING:
    from penstock.store.session.database import Transaction

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


class About(Shape):
    """What the service is, and how long it keeps what it does not keep for ever."""

    version: str
    database: str = Field(description="the database and its version")
    database_bytes: int
    schema_version: str
    execution_log_days: int = Field(description="older rows of the execution log are deleted")
    alert_days: int = Field(description="older resolved alerts and sent messages are deleted")
    quarantine_rows: int = Field(description="refused rows kept of each series and account")


class TableShown(RowShape):
    """A table with its indexes; `rows` is an estimate on PostgreSQL, null while there is none."""

    name: str
    rows: int | None
    bytes: int


class TablePage(Page):
    """All tables on one page, the largest first; none where SQLite is built without `dbstat`."""

    items: list[TableShown]
    next_cursor: int | None
    measured_at: Moment


@router.get("/api/v1/admin/about", responses=documented(503))
async def get_about(store: StoreDep, settings: SettingsDep) -> About:
    """What the service is: its version, its database, and how long it keeps what."""

    def read(connection: Transaction) -> About:
        return About(
            version=__version__,
            database=server_version(connection),
            database_bytes=database_bytes(connection),
            schema_version=version(connection) or "none",
            execution_log_days=settings.execution_log_retention_days,
            alert_days=ALERTS_KEPT_DAYS,
            quarantine_rows=MOST_KEPT,
        )

    return await store.read(read)


@router.get("/api/v1/admin/about/tables", responses=documented(503))
async def list_table_sizes(sizes: SizesDep) -> TablePage:
    """How large each table is, measured at most every ten minutes."""
    found = await sizes.sizes()
    return TablePage(
        items=[TableShown.of(table) for table in found.tables],
        next_cursor=None,
        measured_at=iso(found.measured_at),
    )
