"""Backfills: what is missing of a range, or all of it once more."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

from fastapi import APIRouter, Response
from pydantic import Field

from penstock.api.routes.parts import MarketDep, TasksDep
from penstock.api.routes.tasks import IdempotencyKey
from penstock.api.schemas.input import Input, Name, Time, Timeframes
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Shape
from penstock.api.schemas.task import Submitted
from penstock.market.runs.orders import BackfillOrder

router = APIRouter(prefix="/api/v1", tags=["market data"])


class Backfill(Input):
    """What to fill; without symbols or timeframes all configured ones.

    Without `start`, each series is filled from where it begins so far, an empty one with its
    newest 100 candles.
    """

    symbols: list[Name] | None = Field(
        default=None, min_length=1, max_length=1_000, description="BTC/USDT or BTCUSDT"
    )
    timeframes: Timeframes | None = None
    exchange: Name = "binance"
    start: Time | None = Field(default=None, description="what opens at this time or later")
    end: Time | None = Field(default=None, description="only what opens before this time")
    recheck: bool = Field(
        default=False, description="read again what is stored, and gaps that are settled"
    )
    newest_first: bool = Field(default=False, description="fill a long range from its end")
    dry_run: bool = Field(default=False, description="only answer what it would take")
    wait: bool = Field(
        default=False,
        description="queue behind a task that holds one of the series, instead of 409",
    )


class BackfillEstimate(Shape):
    """What a backfill would take at most, by what is known of the series."""

    gaps: int = Field(description="ranges to ask for")
    candles: int
    requests: int
    share: float = Field(
        description="the requests in percent of what the exchange allows in a minute"
    )
    seconds: int = Field(description="how long that many requests take at the allowed rate")


@router.post(
    "/backfill",
    status_code=202,
    responses={
        200: {"model": BackfillEstimate, "description": "A dry run"},
        **documented(409, 422, 502, 503),
    },
)
async def start_backfill(
    market: MarketDep,
    tasks: TasksDep,
    response: Response,
    wanted: Backfill,
    idempotency_key: IdempotencyKey = None,
) -> Submitted | BackfillEstimate:
    """Ask for what is missing, also for gaps that are not due.

    Refused with 409 while a task holds one of the series.
    """
    order = BackfillOrder(**wanted.model_dump(exclude={"dry_run", "wait"}))
    if wanted.dry_run:
        response.status_code = HTTPStatus.OK
        return BackfillEstimate(**asdict(await market.runs.estimate(order)))
    submission = await market.runs.submission(order, wait=wanted.wait)
    return await tasks.submit(
        submission, f"Backfill submitted: {len(submission.resources)} series", idempotency_key
    )
