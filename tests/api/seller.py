"""A service with a simulated seller, for tests of inventories over HTTP."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.access.vault import new_key
from tests.api.collector import ENDED, Collector, collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

INVENTORY = "/api/v1/inventory"
TOKEN = "demo-token-4711"
OTHER = "other-token-4712"
PRODUCTS = 600
# The export never arrives, so that a sync stays active.
HELD_UP = {"name": "hang", "path": "/api/v2/products/export"}
# Blocks CardTrader's catalogue; its refresh would run beside the tested requests.
NO_CATALOGUE = {"name": "server_error", "path": "/api/v2/games"}


@dataclass(frozen=True)
class Seller:
    """The service as a seller sees it; `account_id` is the seller's account."""

    service: Collector
    account_id: int

    async def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON of a call below /inventory."""
        async with self.service.session.request(
            method, INVENTORY + path, json=body, headers=headers
        ) as answer:
            return answer.status, await answer.json() if answer.status != 204 else None

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        status, body = await self.call("GET", path)
        assert status == 200, body
        return body

    async def start(self, **wish: object) -> str:
        """Start a sync and return its task; assert that it is not refused."""
        status, body = await self.call("POST", f"/accounts/{self.account_id}/sync", wish or None)
        assert status == 202, body
        return str(body["task_id"])

    async def ended(self, task_id: str) -> dict[str, Any]:
        """The sync once it has ended."""
        return await self.service.until(
            lambda: self.get(f"/syncs/{task_id}"), lambda sync: sync["status"] in ENDED
        )

    async def synced(self, **wish: object) -> dict[str, Any]:
        sync = await self.ended(await self.start(**wish))
        assert sync["status"] == "completed", sync
        return sync

    async def shrunk(self) -> dict[str, Any]:
        """A held sync: a third of the inventory is gone."""
        await self.synced()
        await self.edit(gone=33)
        held = await self.synced()
        assert held["held"], held
        return held

    async def edit(self, **changes: object) -> None:
        """Create the next version of the seller's inventory."""
        await self.admin("POST", "versions", changes)

    async def admin(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        exchange = self.service.exchange
        async with exchange.session.request(
            method, f"{exchange.url}/simulator/accounts/{TOKEN}/{path}", json=body
        ) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        items: list[dict[str, Any]] = []
        more = ""
        while True:
            page = await self.get(f"{path}{'&' if '?' in path else '?'}{more}")
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            more = f"cursor={page['next_cursor']}"


@contextlib.asynccontextmanager
async def seller(
    database_url: str, folder: Path, *, work: bool = True, products: int = PRODUCTS, **given: Any
) -> AsyncIterator[Seller]:
    """A service with one account that has not been synced."""
    simulator = {"symbols": 2, "accounts": (f"{TOKEN}:{products}", f"{OTHER}:7")}
    settings: dict[str, Any] = {
        "export_folder": folder / "exports",
        "secret_key": new_key(),
    } | given
    async with collector(database_url, work=work, simulator=simulator, **settings) as service:
        await service.exchange.faults(NO_CATALOGUE)
        shop = Seller(service, 0)
        status, account = await shop.call("POST", "/accounts", {"name": "shop", "token": TOKEN})
        assert status == 201, account
        yield Seller(service, account["id"])
