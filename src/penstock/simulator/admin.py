"""The simulator's own paths, under /simulator: clock, faults, requests, sellers' inventories."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from penstock.errors import InvalidInputError, NotFoundError
from penstock.simulator.cardtrader.edits import Changes
from penstock.simulator.faults.parse import read_fault
from penstock.simulator.traffic.clock import iso, parse_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.simulator.cardtrader.inventory import SellerInventory
    from penstock.simulator.cardtrader.marketplace import Marketplace
    from penstock.simulator.faults.active import ActiveFaults
    from penstock.simulator.traffic.clock import SimulatedClock
    from penstock.simulator.traffic.journal import Journal

_MOST_SHOWN = 10_000


class _ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    now: int | str | None = None
    speed: float | None = None


class _Preparation(msgspec.Struct, forbid_unknown_fields=True):
    gzip: bool = False


@dataclass(frozen=True, slots=True)
class Admin:
    """Shows and changes a running simulator."""

    clock: SimulatedClock
    journal: Journal
    faults: ActiveFaults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/simulator/clock", _checked(self._clock)),
            web.put("/simulator/clock", _checked(self._set_clock)),
            web.get("/simulator/requests", _checked(self._requests)),
            web.delete("/simulator/requests", _checked(self._forget_requests)),
            web.get("/simulator/faults", _checked(self._faults)),
            web.put("/simulator/faults", _checked(self._set_faults)),
            web.delete("/simulator/faults", _checked(self._clear_faults)),
        ]

    async def _clock(self, _: web.Request) -> object:
        now_ms = self.clock.now_ms()
        return {"now": now_ms, "iso": iso(now_ms), "speed": self.clock.speed}

    async def _set_clock(self, request: web.Request) -> object:
        change = msgspec.json.decode(await request.read(), type=_ClockChange)
        now_ms = None if change.now is None else parse_now(str(change.now))
        self.clock.set(now_ms, change.speed)
        return await self._clock(request)

    async def _requests(self, request: web.Request) -> object:
        newest = self.journal.newest(_number(request, "limit", 1000))
        return {
            "total": self.journal.counts.total(),
            "by_path": dict(self.journal.counts),
            "newest": [asked.shown() for asked in newest],
        }

    async def _forget_requests(self, request: web.Request) -> object:
        self.journal.forget()
        return await self._requests(request)

    async def _faults(self, _: web.Request) -> object:
        return {"faults": self.faults.shown()}

    async def _set_faults(self, request: web.Request) -> object:
        described = msgspec.json.decode(await request.read(), type=list[object])
        self.faults.replace([read_fault(fault) for fault in described])
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> object:
        self.faults.replace(())
        return await self._faults(request)


@dataclass(frozen=True, slots=True)
class AccountsAdmin:
    """Shows and changes the inventories of a running simulator."""

    marketplace: Marketplace

    def routes(self) -> list[web.RouteDef]:
        account = "/simulator/accounts/{token}"
        version = f"{account}/versions/{{version}}"
        return [
            web.get("/simulator/accounts", _checked(self._accounts)),
            web.post(f"{account}/versions", _checked(self._advance)),
            web.get(version, _checked(self._totals)),
            web.get(f"{version}/difference", _checked(self._difference)),
            web.get(f"{version}/products", _checked(self._products)),
            web.put(f"{account}/export", _checked(self._prepare)),
        ]

    async def _accounts(self, _: web.Request) -> object:
        return {"accounts": [_shown(each) for each in self.marketplace.accounts.all.values()]}

    async def _advance(self, request: web.Request) -> object:
        inventory = self._inventory(request)
        inventory.advance(msgspec.json.decode(await request.read() or b"{}", type=Changes))
        return _shown(inventory)

    async def _totals(self, request: web.Request) -> object:
        inventory, version = self._version(request)
        totals = await asyncio.to_thread(inventory.totals, version)
        return {"version": version} | totals.shown()

    async def _difference(self, request: web.Request) -> object:
        """The difference from version `from`, by default the one before."""
        inventory, version = self._version(request)
        base = inventory.check(_number(request, "from", max(1, version - 1)))
        if base > version:
            msg = f"from: {base} is later than version {version}; ask the other way round"
            raise InvalidInputError(msg, field="from")
        found = await asyncio.to_thread(inventory.difference, base, version)
        return {"from": base, "to": version} | asdict(found)

    async def _products(self, request: web.Request) -> object:
        """The products `ids` (1,2,3), else `limit` after `skip`, in the export's order."""
        inventory, version = self._version(request)
        ids = {int(text) for text in request.query.get("ids", "").split(",") if text.isdecimal()}
        skip = _number(request, "skip", 0)
        end = skip + min(_number(request, "limit", 1000), _MOST_SHOWN)

        def shown() -> object:
            products = inventory.products(version)
            wanted = (product for product in products if not ids or product.id in ids)
            return list(islice(wanted, skip, end))

        return {"products": await asyncio.to_thread(shown)}

    async def _prepare(self, request: web.Request) -> object:
        """Write the body of the next export in advance."""
        inventory = self._inventory(request)
        gzip = msgspec.json.decode(await request.read() or b"{}", type=_Preparation).gzip
        body = await self.marketplace.export(inventory).opened(compressed=gzip)
        return _shown(inventory) | {"bytes": body.length, "gzip": gzip}

    def _inventory(self, request: web.Request) -> SellerInventory:
        return self.marketplace.accounts.find(request.match_info["token"])

    def _version(self, request: web.Request) -> tuple[SellerInventory, int]:
        inventory, text = self._inventory(request), request.match_info["version"]
        version = inventory.version if text == "newest" else _whole("version", text)
        return inventory, inventory.check(version)


def _shown(inventory: SellerInventory) -> dict[str, object]:
    account = inventory.account
    return {"token": account.token, "user_id": account.user_id, "version": inventory.version}


def _number(request: web.Request, name: str, default: int) -> int:
    return _whole(name, request.query.get(name, str(default)))


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        msg = f"{name}: {text!r} is not a whole number"
        raise InvalidInputError(msg, field=name)
    return int(text)


def _checked(
    answer: Callable[[web.Request], Awaitable[object]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """JSON answers; a malformed request is a 422 with one sentence and changes nothing."""

    async def handler(request: web.Request) -> web.Response:
        try:
            status, shown = 200, await answer(request)
        except (InvalidInputError, msgspec.DecodeError, msgspec.ValidationError) as error:
            status, shown = 422, {"error": str(error)}
        except NotFoundError as error:
            status, shown = 404, {"error": str(error)}
        body = msgspec.json.encode(shown)
        return web.Response(status=status, body=body, content_type="application/json")

    return handler
