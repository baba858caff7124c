"""The read endpoints of CardTrader's API v2: https://www.cardtrader.com/docs/api/full/reference."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from penstock.simulator.cardtrader.catalogue import (
    expansion_of,
    shown_blueprint,
    shown_categories,
    shown_game,
)
from penstock.simulator.cardtrader.export import Export
from penstock.simulator.cardtrader.refusals import PREFIX, RefusedError, refusal, too_many
from penstock.simulator.traffic.outgoing import OutgoingResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.simulator.cardtrader.accounts import Sellers
    from penstock.simulator.cardtrader.bucket import Buckets
    from penstock.simulator.cardtrader.catalogue import Catalogue
    from penstock.simulator.cardtrader.export import Press
    from penstock.simulator.cardtrader.inventory import SellerInventory

_LONGEST_ID = 18


@dataclass(frozen=True, slots=True)
class Marketplace:
    """Answers all paths under /api/v2."""

    catalogue: Catalogue
    accounts: Sellers
    buckets: Buckets
    press: Press

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Check token, limit, path and parameters, in this order, then answer."""
        inventory = self.accounts.of(request.headers.get("Authorization"))
        if not self.buckets.take(inventory.account.token if inventory else "", monotonic()):
            return too_many()
        if inventory is None:
            return refusal(401, "unauthorized", "The token is missing or is not valid")
        endpoint = _ENDPOINTS.get(request.path.removeprefix(PREFIX))
        if endpoint is None or request.method != "GET":
            return refusal(404, "not_found", f"There is no {request.method} {request.path}")
        try:
            return await _response(endpoint(self, inventory, request))
        except RefusedError as error:
            return refusal(error.status, error.code, str(error))

    def export(
        self,
        inventory: SellerInventory,
        *,
        expansion_id: int | None = None,
        blueprint_id: int | None = None,
    ) -> Export:
        """The export of an inventory as it is now."""
        return Export(self.press, inventory, inventory.version, expansion_id, blueprint_id)


async def _response(answer: object) -> web.StreamResponse:
    """Exports are sent from their file; others take up to a second to make, in a thread."""
    if isinstance(answer, Export):
        return OutgoingResponse(answer)
    shown = await asyncio.to_thread(answer) if callable(answer) else answer
    body = await asyncio.to_thread(msgspec.json.encode, shown)
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def _info(_: Marketplace, inventory: SellerInventory, __: web.Request) -> object:
    account = inventory.account
    secret = hashlib.sha256(f"shared secret of {account.token}".encode()).hexdigest()
    return {
        "id": account.user_id + 7000,
        "name": f"{account.token} App {account.user_id}",
        "shared_secret": secret,
        "user_id": account.user_id,
    }


def _games(market: Marketplace, _: SellerInventory, __: web.Request) -> object:
    # Documented as an array, but this is what the real one sends.
    return {"array": [shown_game(game) for game in market.catalogue.games]}


def _categories(market: Marketplace, _: SellerInventory, request: web.Request) -> object:
    wanted = _id(request, "game_id")
    games = (game for game in market.catalogue.games if wanted in (None, game.id))
    return [category for game in games for category in shown_categories(game)]


def _expansions(market: Marketplace, _: SellerInventory, __: web.Request) -> object:
    return [expansion.shown() for expansion in market.catalogue.expansions]


def _expansions_with_products(
    market: Marketplace, inventory: SellerInventory, _: web.Request
) -> object:
    def shown() -> object:
        missing = {expansion.id for expansion in market.catalogue.expansions}
        for product in inventory.products(inventory.version):
            missing.discard(expansion_of(product.blueprint_id))
            if not missing:
                break
        expansions = market.catalogue.expansions
        return [expansion.shown() for expansion in expansions if expansion.id not in missing]

    return shown


def _blueprints(market: Marketplace, _: SellerInventory, request: web.Request) -> object:
    if request.query.get("expansion_id") == "null":
        # Those that belong to no expansion; here each one does.
        return []
    wanted = _id(request, "expansion_id")
    if wanted is None:
        raise RefusedError(422, "missing_parameter", "The parameter expansion_id is missing")
    expansion = market.catalogue.find(wanted)
    if expansion is None:
        raise RefusedError(404, "not_found", f"There is no expansion {wanted}")
    return lambda: [shown_blueprint(blueprint) for blueprint in market.catalogue.of(expansion)]


def _products(market: Marketplace, inventory: SellerInventory, request: web.Request) -> object:
    return market.export(
        inventory,
        expansion_id=_id(request, "expansion_id"),
        blueprint_id=_id(request, "blueprint_id"),
    )


def _id(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is not None and (len(text) > _LONGEST_ID or not (text.isascii() and text.isdecimal())):
        raise RefusedError(422, "invalid_parameter", f"The parameter {name} is not a number")
    return None if text is None else int(text)


_ENDPOINTS: dict[str, Callable[[Marketplace, SellerInventory, web.Request], object]] = {
    "/info": _info,
    "/games": _games,
    "/categories": _categories,
    "/expansions": _expansions,
    "/expansions/export": _expansions_with_products,
    "/blueprints/export": _blueprints,
    "/products/export": _products,
}
