"""What closed candles said before the exchange changed them."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field

from penstock.api.routes.market.coverage import Filter
from penstock.api.routes.parts import FromQuery, StoreDep
from penstock.api.schemas.input import Limit
from penstock.api.schemas.market.candle import RestatedCandle
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page
from penstock.market.queries.restatements import list_restatements

router = APIRouter(prefix="/api/v1", tags=["market data"])


class RestatementsQuery(Filter):
    """A page of restatements, of candles that open in the range."""

    limit: Limit = 100
    cursor: int | None = Field(None, ge=1, lt=2**63, description="`next_cursor` of the page before")


class RestatementPage(Page):
    """A page of restatements."""

    items: list[RestatedCandle]
    next_cursor: int | None


@router.get("/restatements", response_model=RestatementPage, responses=documented(422, 503))
async def get_restatements(store: StoreDep, query: FromQuery[RestatementsQuery]) -> Response:
    """Values of closed candles that the exchange has replaced, the last replaced first."""
    wanted = query.series()
    return await store.answer(
        lambda connection: RestatementPage.of(
            list_restatements(connection, wanted, before_id=query.cursor, limit=query.limit),
            query.limit,
            RestatedCandle.of,
        )
    )
