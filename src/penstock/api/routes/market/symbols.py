"""What the exchanges list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.api.schemas.name import Name
from penstock.api.schemas.problem import documented
from penstock.api.state import CurrentState
from penstock.market.instrument import Status
from penstock.market.queries.instruments import SymbolFilter, list_symbols
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.queries.instruments import SymbolRow

router = APIRouter(prefix="/api/v1", tags=["market data"])


class SymbolsQuery(BaseModel):
    """Which symbols, a page at a time."""

    model_config = ConfigDict(extra="forbid")

    exchange: Name | None = None
    q: Name | None = Field(None, min_length=1, description="what a symbol begins with, such as BTC")
    status: Status | None = None
    limit: int = Field(100, ge=1, le=1_000)
    cursor: int = Field(0, ge=0, lt=2**31, description="`next_cursor` of the page before")


class Symbol(BaseModel):
    """What can be collected, as of the last symbol refresh; `gone_at`: since when the exchange's list lacks it."""

    exchange: str
    market: str
    symbol: str
    native_symbol: str
    base: str
    quote: str
    status: Status
    seen_at: str
    gone_at: str | None


class SymbolPage(BaseModel):
    """A page of symbols."""

    items: list[Symbol]
    next_cursor: int | None


@router.get("/symbols", response_model=SymbolPage, responses=documented(422, 503))
async def symbols(state: CurrentState, query: Annotated[SymbolsQuery, Query()]) -> Response:
    """What the exchanges list, or have listed."""
    wanted = SymbolFilter(exchange=query.exchange, begins=query.q, status=query.status)
    return await state.app.database.read(
        lambda connection: _page(
            list_symbols(connection, wanted, after_id=query.cursor, limit=query.limit),
            query.limit,
        )
    )


def _page(found: Sequence[SymbolRow], limit: int) -> Response:
    items = [
        Symbol(
            exchange=row.instrument.exchange,
            market=row.instrument.market,
            symbol=row.instrument.symbol,
            native_symbol=row.instrument.native_symbol,
            base=row.instrument.base,
            quote=row.instrument.quote,
            status=row.instrument.status,
            seen_at=iso(row.seen_at),
            gone_at=iso_or_none(row.gone_at),
        )
        for row in found
    ]
    page = SymbolPage(items=items, next_cursor=found[-1].id if len(found) == limit else None)
    return Response(page.model_dump_json(), media_type="application/json")
