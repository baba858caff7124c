"""What the exchanges list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from penstock.api.routes.answer import answer
from penstock.api.routes.state import CurrentState
from penstock.api.schemas.market.series import Symbol
from penstock.api.schemas.name import Name
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Shape
from penstock.market.instrument import Status
from penstock.market.queries import instruments
from penstock.market.queries.instruments import SymbolFilter

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


class SymbolPage(Shape):
    """A page of symbols."""

    items: list[Symbol]
    next_cursor: int | None


@router.get("/symbols", response_model=SymbolPage, responses=documented(422, 503))
async def list_symbols(state: CurrentState, query: Annotated[SymbolsQuery, Query()]) -> Response:
    """What the exchanges list, or have listed."""
    wanted = SymbolFilter(exchange=query.exchange, begins=query.q, status=query.status)
    return await state.app.database.read(
        lambda connection: _page(
            instruments.list_symbols(connection, wanted, after_id=query.cursor, limit=query.limit),
            query.limit,
        )
    )


def _page(found: Sequence[SymbolRow], limit: int) -> Response:
    following = found[-1].id if len(found) == limit else None
    return answer(SymbolPage(items=[Symbol.of(row) for row in found], next_cursor=following))
