"""Verify: prove that what is stored is whole."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from penstock.api.routes.parts import MarketDep, TasksDep
from penstock.api.routes.tasks import IdempotencyKey
from penstock.api.schemas.input import Input, Name, Time, Timeframes
from penstock.api.schemas.problem import documented
from penstock.api.schemas.task import Submitted
from penstock.market.verify.order import VerifyOrder

router = APIRouter(prefix="/api/v1", tags=["market data"])


class Verify(Input):
    """What to verify; without symbols, timeframes or an exchange everything that is stored."""

    symbols: list[Name] | None = Field(
        default=None, min_length=1, max_length=1_000, description="BTC/USDT or BTCUSDT"
    )
    timeframes: Timeframes | None = None
    exchange: Name | None = None
    start: Time | None = Field(default=None, description="only what opens at this time or later")
    end: Time | None = Field(default=None, description="only what opens before this time")
    sample: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="compare only this many random pages",
    )
    seed: int | None = Field(
        default=None, ge=0, lt=2**31, description="draws the same pages again; the report names it"
    )
    against: Literal["none", "rest", "archive"] = Field(
        default="none", description="rest: compare with the exchange's API, value by value"
    )
    repair: bool = Field(
        default=False, description="collect again what is wrong; no row is deleted"
    )


@router.post("/verify", status_code=202, responses=documented(404, 409, 422, 503))
async def start_verification(
    market: MarketDep,
    tasks: TasksDep,
    order: Verify | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Submitted:
    """Check what is stored; the report is the `result` of the task.

    With `repair` it is refused with 409 while a task holds one of the series.
    """
    submission = await market.verify.submission(VerifyOrder(**(order or Verify()).model_dump()))
    return await tasks.submit(submission, "Verification submitted", idempotency_key)
