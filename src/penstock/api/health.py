"""`/livez` and `/readyz`."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from penstock.api.problem import documented
from penstock.api.state import CurrentState

router = APIRouter(tags=["service"])


class Live(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """The service can do its work; the loop's lag is that of the last minute."""

    status: str = "ok"
    database: str
    schema_version: str
    loop_lag_p99_ms: float
    loop_lag_max_ms: float


@router.get("/livez")
async def livez() -> Live:
    """Whether the process answers."""
    return Live()


@router.get("/readyz", responses=documented(503))
async def readyz(state: CurrentState) -> Ready:
    """Whether the database answers too."""
    schema = await state.app.schema_version()
    p99, worst = state.lag.worst_ms()
    return Ready(database="ok", schema_version=schema, loop_lag_p99_ms=round(p99, 1), loop_lag_max_ms=round(worst, 1))
