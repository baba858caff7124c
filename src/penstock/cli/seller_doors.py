"""Where the commands change inventories: in the service that owns the database while there is one, else in this process."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from typing import TYPE_CHECKING, Any, Protocol

from penstock.cli.client import ServiceClient
from penstock.cli.followed import failure_of, left_to_service
from penstock.cli.reached import reached
from penstock.cli.shown.terminal import err
from penstock.cli.stored import Inventories
from penstock.domains.inventory import InventoryParts
from penstock.errors import RunUnavailableError
from penstock.inventory.card_list import card_list
from penstock.inventory.runs import SyncOrder
from penstock.runs.events import RunChanged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from penstock.app import App
    from penstock.cli.shown.sync_shown import Advance
    from penstock.settings import Settings

_INVENTORY = "/api/v1/inventory"
_UNDECIDED = frozenset({"held", "dry_run"})
_DECISION_S = 600.0
_LOOK_AGAIN_S = 0.5


class SellerDoor(Protocol):
    """Accounts, syncs and the catalogue as JSON, wherever they are changed."""

    async def add(self, name: str, token: str) -> dict[str, Any]:
        """The new account."""

    async def change(self, account_id: int, *, name: str | None, token: str | None) -> dict[str, Any]:
        """The changed account."""

    async def remove(self, account_id: int) -> None:
        """Delete it."""

    async def sync(self, account_id: int, *, dry_run: bool, advance: Advance) -> dict[str, Any]:
        """The sync once it has ended well; raises what it failed for."""

    async def approve(self, task_id: str) -> dict[str, Any]:
        """The sync, published."""

    async def reject(self, task_id: str) -> dict[str, Any]:
        """The sync, dropped."""

    async def upload(self, body: bytes, *, is_json: bool) -> dict[str, Any]:
        """How many rows the catalogue has, and how many blueprints are mapped now."""


class SellerHere:
    """In this process, which owns the database for the time."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._stored = Inventories(app.database, app.settings)

    async def add(self, name: str, token: str) -> dict[str, Any]:
        """See SellerDoor."""
        return await self._stored.account_of(await self.app.of(InventoryParts).accounts.add(name, token))

    async def change(self, account_id: int, *, name: str | None, token: str | None) -> dict[str, Any]:
        """See SellerDoor."""
        await self.app.of(InventoryParts).accounts.change(account_id, name=name, token=token)
        return await self._stored.account_of(account_id)

    async def remove(self, account_id: int) -> None:
        """See SellerDoor."""
        await self.app.of(InventoryParts).accounts.delete(account_id)

    async def sync(self, account_id: int, *, dry_run: bool, advance: Advance) -> dict[str, Any]:
        """See SellerDoor."""
        following = asyncio.create_task(self._follow(account_id, advance), name="progress")
        try:
            synced = await self.app.sync(SyncOrder(account_id=account_id, dry_run=dry_run))
        except asyncio.CancelledError:
            newest = await self._stored.newest_sync(account_id)
            published = newest is not None and newest["state"] == "published"
            err.print("cancelled too late: it is published" if published else "cancelled: the published inventory is as it was")
            raise
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        return await self._stored.sync(str(synced.task_id))

    async def approve(self, task_id: str) -> dict[str, Any]:
        """See SellerDoor."""
        return await self._decided(task_id, self.app.approve_sync)

    async def reject(self, task_id: str) -> dict[str, Any]:
        """See SellerDoor."""
        return await self._decided(task_id, self.app.of(InventoryParts).store.reject)

    async def upload(self, body: bytes, *, is_json: bool) -> dict[str, Any]:
        """See SellerDoor."""
        rows = await asyncio.to_thread(lambda: list(card_list(io.BytesIO(body), json=is_json)))
        return {"rows": len(rows), "mapped": await self.app.of(InventoryParts).catalogue.put_catalogue(rows)}

    async def _decided(self, task_id: str, decide: Callable[[int], Awaitable[None]]) -> dict[str, Any]:
        try:
            await decide(await self._stored.run_id(task_id))
        except asyncio.CancelledError:
            # What is being written is written to its end.
            state = (await self._stored.sync(task_id))["state"]
            err.print("cancelled: it is not decided" if state in _UNDECIDED else f"cancelled too late: it is {state}")
            raise
        return await self._stored.sync(task_id)

    async def _follow(self, account_id: int, advance: Advance) -> None:
        with self.app.database.events.subscribed() as subscription:
            async for events in subscription:
                further = any(isinstance(event, RunChanged) for event in events)
                if further and (sync := await self._stored.newest_sync(account_id)) and sync["status"] == "running":
                    advance(sync)


class SellerThere:
    """In the service."""

    def __init__(self, client: ServiceClient) -> None:
        self.client = client

    async def add(self, name: str, token: str) -> dict[str, Any]:
        """See SellerDoor."""
        return await self._call("POST", "/accounts", {"name": name, "token": token})

    async def change(self, account_id: int, *, name: str | None, token: str | None) -> dict[str, Any]:
        """See SellerDoor."""
        given = {field: value for field, value in {"name": name, "token": token}.items() if value is not None}
        return await self._call("PUT", f"/accounts/{account_id}", given)

    async def remove(self, account_id: int) -> None:
        """See SellerDoor."""
        await self.client.call("DELETE", f"{_INVENTORY}/accounts/{account_id}", patient=True)

    async def sync(self, account_id: int, *, dry_run: bool, advance: Advance) -> dict[str, Any]:
        """See SellerDoor."""
        task_id = (await self._call("POST", f"/accounts/{account_id}/sync", {"dry_run": dry_run}))["task_id"]
        with left_to_service(task_id):
            # Each change of the task is a change of the sync, which says more.
            async for _ in self.client.follow(task_id):
                advance(await self._sync(task_id))
        ended = await self._sync(task_id)
        if ended["status"] != "completed":
            raise failure_of(ended)
        return ended

    async def approve(self, task_id: str) -> dict[str, Any]:
        """See SellerDoor."""
        return await self._decided(task_id, "approve")

    async def reject(self, task_id: str) -> dict[str, Any]:
        """See SellerDoor."""
        return await self._decided(task_id, "reject")

    async def upload(self, body: bytes, *, is_json: bool) -> dict[str, Any]:
        """See SellerDoor."""
        answer: dict[str, Any] = await self.client.upload(f"{_INVENTORY}/catalog", body, "application/json" if is_json else "text/csv")
        return answer

    async def _decided(self, task_id: str, how: str) -> dict[str, Any]:
        try:
            return await self._decided_in_time(await self._call("POST", f"/syncs/{task_id}/{how}"))
        except asyncio.CancelledError:
            err.print("the service goes on with it, if it has begun; see penstock accounts")
            raise

    async def _decided_in_time(self, sync: dict[str, Any]) -> dict[str, Any]:
        """The service answers after some seconds that it has begun; what is large takes longer."""
        give_up = time.monotonic() + _DECISION_S
        while sync["state"] in _UNDECIDED:
            if time.monotonic() > give_up:
                raise RunUnavailableError(f"the service has not done it within {_DECISION_S:g} s; its log says why, `penstock accounts` how it is")
            await asyncio.sleep(_LOOK_AGAIN_S)
            sync = await self._sync(sync["task_id"])
        return sync

    async def _sync(self, task_id: str) -> dict[str, Any]:
        return await self._call("GET", f"/syncs/{task_id}")

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = await self.client.call(method, _INVENTORY + path, body, patient=True)
        return answer


@contextlib.asynccontextmanager
async def opened_seller(settings: Settings) -> AsyncIterator[SellerDoor]:
    """The door while the block runs."""
    async with reached(settings) as side:
        if isinstance(side, ServiceClient):
            yield SellerThere(side)
            return
        yield SellerHere(side)
        if side.has_more_work:
            err.print("looking up what the new products are; Ctrl-C leaves the rest to the next sync")
            await side.work_off()
