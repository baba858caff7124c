"""What the exchanges list."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field

from penstock.api.routes.parts import FromQuery, StoreDep
from penstock.api.schemas.input import Cursor, Input, Limit, Name
from penstock.api.schemas.market.series import Symbol
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page
from penstock.market.instrument import Status
from penstock.market.queries import instruments
from penstock.market.queries.instruments import SymbolFilter

router = APIRouter(prefix="/api/v1", tags=["market data"])


class SymbolsQuery(Input):
    """Which symbols, a page at a time."""

    exchange: Name | None = None
    q: Name | None = Field(None, min_length=1, description="what a symbol begins with, such as BTC")
    status: Status | None = None
    limit: Limit = 100
    cursor: Cursor = 0


class SymbolPage(Page):
    """A page of symbols."""

    items: list[Symbol]
    next_cursor: int | None


@router.get("/symbols", response_model=SymbolPage, responses=documented(422, 503))
async def list_symbols(store: StoreDep, query: FromQuery[SymbolsQuery]) -> Response:
    """What the exchanges list, or have listed."""
    wanted = SymbolFilter(exchange=query.exchange, begins=query.q, status=query.status)
    return await store.answer(
        lambda connection: SymbolPage.of(
            instruments.list_symbols(connection, wanted, after_id=query.cursor, limit=query.limit),
            query.limit,
            Symbol.of,
        )
    )
