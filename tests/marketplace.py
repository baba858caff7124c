"""A CardTrader whose rows the test defines; the simulator generates its own rows."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.served import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SELLER = 51_242
_EXPANSION = {"id": 8, "game_id": 1, "code": "neo", "name": "Neon Dynasty"}
_LISTS: dict[str, list[dict[str, Any]]] = {
    "games": [{"id": 1, "name": "Magic", "display_name": "Magic: the Gathering"}],
    "categories": [{"id": 1, "game_id": 1, "name": "Single cards", "properties": []}],
    "expansions": [_EXPANSION],
    "expansions/export": [_EXPANSION],
}


def product(number: int, **fields: Any) -> dict[str, Any]:
    """A product as it is sent."""
    given = {
        "id": number,
        "name_en": f"Card {number}",
        "quantity": 1,
        "price_cents": 100 + number,
        "price_currency": "EUR",
        "user_id": SELLER,
        "game_id": 1,
        "category_id": 1,
        "blueprint_id": 7_480,
        "properties_hash": {"condition": "Near Mint", "mtg_language": "en", "mtg_foil": False},
        "graded": False,
        "bundle_size": 1,
    }
    return given | fields


def blueprint(number: int, **fields: Any) -> dict[str, Any]:
    """A blueprint as it is sent."""
    given = {
        "id": number,
        "name": f"Card {number}",
        "game_id": 1,
        "category_id": 1,
        "expansion_id": 8,
        "fixed_properties": {},
    }
    return given | fields


@dataclass
class Marketplace:
    """Sends `products`, and `blueprints` by the expansion id of the request."""

    products: list[dict[str, Any]]
    blueprints: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/api/v2/")
        match path:
            case "info":
                return web.json_response(
                    {"id": 1, "name": "app", "shared_secret": "s", "user_id": SELLER}
                )
            case "products/export":
                return web.json_response(self.products)
            case "blueprints/export":
                self.asked.append(request.query["expansion_id"])
                return web.json_response(self.blueprints.get(request.query["expansion_id"], []))
            case _:
                return web.json_response(_LISTS[path])


@contextlib.asynccontextmanager
async def marketplace(products: list[dict[str, Any]]) -> AsyncIterator[Marketplace]:
    """A marketplace that answers while the block runs."""
    market = Marketplace(products)
    app = web.Application()
    app.router.add_get("/{path:.*}", market.answer)
    async with served(app) as market.url:
        yield market
