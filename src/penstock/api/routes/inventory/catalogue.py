"""The catalogues: what is known of CardTrader's, and the user's own, mapped to each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from pydantic import Field

from penstock.api.routes.inventory.products import BigId
from penstock.api.routes.parts import FromQuery, InventoryDep, StoreDep, UploadsDep
from penstock.api.schemas.input import Id, Input, Limit, Name
from penstock.api.schemas.inventory.catalogue import (
    BlueprintShown,
    ExpansionShown,
    GameShown,
    PropertyValues,
    UnmappedItem,
)
from penstock.api.schemas.problem import documented
from penstock.api.schemas.shape import Page, Shape
from penstock.errors import InvalidInputError
from penstock.inventory.catalogue.card_list import COLUMNS, NUMBERED, card_list
from penstock.inventory.queries import catalogue as queries

if TYPE_CHECKING:
    from penstock.inventory.queries import Found

router = APIRouter(prefix="/api/v1/inventory", tags=["inventory"])

_KINDS = {"text/csv": False, "application/json": True}


class _Paged(Input):
    cursor: str = Field(
        "0", pattern=r"^[0-9]{1,18}$", description="`next_cursor` of the page before"
    )
    limit: Limit = 100


class ExpansionsQuery(_Paged):
    """Which expansions, by id."""

    game: BigId | None = None
    q: Name | None = Field(None, description="a part of the name or code, in capitals or not")


class ValuesQuery(Input):
    """Of which game."""

    game: BigId | None = None


class BlueprintsQuery(_Paged):
    """Which blueprints, by id."""

    expansion: BigId | None = None


class UnmappedQuery(_Paged):
    """Of which account, by blueprint."""

    account: Id | None = Field(None, description="the id of an account")


class GamePage(Shape):
    """All games, on one page."""

    items: list[GameShown]
    next_cursor: None


class ExpansionPage(Page):
    """Expansions."""

    items: list[ExpansionShown]
    next_cursor: str | None


class BlueprintPage(Page):
    """Blueprints."""

    items: list[BlueprintShown]
    next_cursor: str | None


class UnmappedPage(Page):
    """Blueprints that products refer to and that match no row of the user's catalogue."""

    items: list[UnmappedItem]
    next_cursor: str | None


class CatalogueKept(Shape):
    """What was kept: `rows` of the catalogue, and how many blueprints are `mapped` to them."""

    rows: int
    mapped: int


@router.get("/games", response_model=GamePage, responses=documented(503))
async def list_games(store: StoreDep) -> Response:
    """The games that CardTrader deals in."""
    return await store.answer(
        lambda connection: GamePage(
            items=[GameShown.of(row) for row in queries.list_games(connection)], next_cursor=None
        )
    )


@router.get("/values", response_model=PropertyValues, responses=documented(422, 503))
async def list_values(store: StoreDep, query: FromQuery[ValuesQuery]) -> Response:
    """The conditions and languages that products can have, of all games or of one."""
    return await store.answer(
        lambda connection: PropertyValues.of(
            queries.property_values(connection, game_id=query.game)
        )
    )


@router.get("/expansions", response_model=ExpansionPage, responses=documented(422, 503))
async def list_expansions(store: StoreDep, query: FromQuery[ExpansionsQuery]) -> Response:
    """The expansions of all games, or of one."""
    return await store.answer(
        lambda connection: ExpansionPage.of(
            queries.list_expansions(
                connection,
                game_id=query.game,
                q=query.q,
                after_id=int(query.cursor),
                limit=query.limit,
            ),
            query.limit,
            ExpansionShown.of,
            _id,
        )
    )


@router.get("/blueprints", response_model=BlueprintPage, responses=documented(422, 503))
async def list_blueprints(store: StoreDep, query: FromQuery[BlueprintsQuery]) -> Response:
    """The blueprints that are known: those of the expansions in which a seller has products."""
    return await store.answer(
        lambda connection: BlueprintPage.of(
            queries.list_blueprints(
                connection,
                expansion_id=query.expansion,
                after_id=int(query.cursor),
                limit=query.limit,
            ),
            query.limit,
            BlueprintShown.of,
            _id,
        )
    )


@router.get("/unmapped", response_model=UnmappedPage, responses=documented(422, 503))
async def list_unmapped(store: StoreDep, query: FromQuery[UnmappedQuery]) -> Response:
    """What is in the inventory and not mapped to the user's own catalogue, with counts."""
    return await store.answer(
        lambda connection: UnmappedPage.of(
            queries.list_unmapped(
                connection,
                account_id=query.account,
                after_id=int(query.cursor),
                limit=query.limit,
            ),
            query.limit,
            UnmappedItem.of,
            lambda row: str(row.blueprint_id),
        )
    )


def _id(row: Found) -> str:
    return str(row.id)


_TEXT = {"anyOf": [{"type": "string", "maxLength": 500}, {"type": "integer"}, {"type": "null"}]}
_NUMBER = {
    "anyOf": [{"type": "string", "maxLength": 64}, {"type": "number"}, {"type": "null"}],
    "description": "a whole number, however it is written",
}
_ITEM = {
    "type": "object",
    "required": ["sku"],
    "additionalProperties": False,
    "properties": {name: _NUMBER if name in NUMBERED else _TEXT for name in COLUMNS},
}
_BODY = {
    "required": True,
    "content": {
        "text/csv": {
            "schema": {
                "type": "string",
                "description": f"UTF-8; the first row names the columns: {', '.join(COLUMNS)}",
            }
        },
        "application/json": {"schema": {"type": "array", "maxItems": 500_000, "items": _ITEM}},
    },
}


@router.post(
    "/catalog", responses=documented(409, 413, 422, 503), openapi_extra={"requestBody": _BODY}
)
async def upload_catalogue(
    request: Request, inventory: InventoryDep, uploads: UploadsDep
) -> CatalogueKept:
    """Replace the user's own catalogue, and map all blueprints again.

    They are mapped by Scryfall, TCGplayer or Cardmarket id, else by set code and collector number.
    """
    json = _is_json(request)
    async with uploads.received(request) as file:
        # Read twice: what is wrong is found before the database is kept busy, and only a page of
        # rows is in memory.
        rows = await asyncio.to_thread(lambda: sum(1 for _ in card_list(file, json=json)))
        file.seek(0)
        mapped = await inventory.catalogue.put_catalogue(card_list(file, json=json))
    return CatalogueKept(rows=rows, mapped=mapped)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _KINDS:
        raise InvalidInputError(
            "Content-Type: send the catalogue itself as the body, with the header "
            "Content-Type: text/csv or application/json",
            field="Content-Type",
        )
    return _KINDS[kind]
