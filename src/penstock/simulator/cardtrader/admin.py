"""The simulator's own paths for inventories: the versions of each, what they hold, and bodies prepared beforehand."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from penstock.errors import InvalidInputError
from penstock.simulator.admin import checked
from penstock.simulator.cardtrader.edits import Changes

if TYPE_CHECKING:
    from penstock.simulator.cardtrader.inventory import Inventory
    from penstock.simulator.cardtrader.marketplace import Marketplace

_MOST_SHOWN = 10_000
_ACCOUNT = "/simulator/accounts/{token}"


class _Preparation(msgspec.Struct, forbid_unknown_fields=True):
    gzip: bool = False


@dataclass(frozen=True, slots=True)
class AccountsAdmin:
    """Shows and changes the inventories of a running simulator."""

    marketplace: Marketplace

    def routes(self) -> list[web.RouteDef]:
        """All admin paths about accounts."""
        return [
            web.get("/simulator/accounts", checked(self._accounts)),
            web.post(f"{_ACCOUNT}/versions", checked(self._advance)),
            web.get(f"{_ACCOUNT}/versions/{{version}}", checked(self._totals)),
            web.get(f"{_ACCOUNT}/versions/{{version}}/difference", checked(self._difference)),
            web.get(f"{_ACCOUNT}/versions/{{version}}/products", checked(self._products)),
            web.put(f"{_ACCOUNT}/export", checked(self._prepare)),
        ]

    async def _accounts(self, _: web.Request) -> object:
        return {"accounts": [_shown(inventory) for inventory in self.marketplace.accounts.all.values()]}

    async def _advance(self, request: web.Request) -> object:
        inventory = self._inventory(request)
        inventory.advance(msgspec.json.decode(await request.read() or b"{}", type=Changes))
        return _shown(inventory)

    async def _totals(self, request: web.Request) -> object:
        inventory, version = self._version(request)
        totals = await asyncio.to_thread(inventory.totals, version)
        return {"version": version} | totals.shown()

    async def _difference(self, request: web.Request) -> object:
        """From version `from`, without which it is the one before."""
        inventory, version = self._version(request)
        base = inventory.check(_number(request, "from", max(1, version - 1)))
        if base > version:
            msg = f"from: {base} is later than version {version}; ask the other way round"
            raise InvalidInputError(msg, field="from")
        found = await asyncio.to_thread(inventory.difference, base, version)
        return {"from": base, "to": version} | asdict(found)

    async def _products(self, request: web.Request) -> object:
        """The products whose ids are in `ids` (1,2,3), else `limit` of them after the first `skip`, as a whole export has them."""
        inventory, version = self._version(request)
        ids = {int(text) for text in request.query.get("ids", "").split(",") if text.isdecimal()}
        skip, limit = _number(request, "skip", 0), min(_number(request, "limit", 1000), _MOST_SHOWN)

        def shown() -> object:
            wanted = (product for product in inventory.products(version) if not ids or product.id in ids)
            return list(islice(wanted, skip, skip + limit))

        return {"products": await asyncio.to_thread(shown)}

    async def _prepare(self, request: web.Request) -> object:
        """Write the body of the next export now, so that the next one who asks need not wait for it."""
        inventory = self._inventory(request)
        preparation = msgspec.json.decode(await request.read() or b"{}", type=_Preparation)
        body = await self.marketplace.export(inventory).opened(compressed=preparation.gzip)
        return _shown(inventory) | {"bytes": body.length, "gzip": preparation.gzip}

    def _inventory(self, request: web.Request) -> Inventory:
        return self.marketplace.accounts.find(request.match_info["token"])

    def _version(self, request: web.Request) -> tuple[Inventory, int]:
        inventory, text = self._inventory(request), request.match_info["version"]
        return inventory, inventory.check(inventory.version if text == "newest" else _whole("version", text))


def _shown(inventory: Inventory) -> dict[str, object]:
    return {"token": inventory.account.token, "user_id": inventory.account.user_id, "version": inventory.version}


def _number(request: web.Request, name: str, default: int) -> int:
    return _whole(name, request.query.get(name, str(default)))


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        msg = f"{name}: {text!r} is not a whole number"
        raise InvalidInputError(msg, field=name)
    return int(text)
