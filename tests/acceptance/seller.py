"""A seller's account on a simulated CardTrader, with few products to keep tests fast."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from penstock.access.vault import new_key
from penstock.app import open_app
from penstock.cli.client import ApiClient
from penstock.cli.commands.inventory.accounts import ACCOUNTS
from penstock.cli.commands.inventory.sync import synced
from penstock.cli.in_process import InProcess
from penstock.cli.stored import Inventories
from penstock.domains.inventory import InventoryParts
from penstock.foreground import foreground
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from tests.acceptance.commands import Penstock, put_faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.app import App

PRODUCTS = 200
TOKEN = "demo"


@dataclass(frozen=True)
class Seller:
    """The simulated seller of a token, and the program of a user who knows it."""

    url: str
    session: aiohttp.ClientSession
    penstock: Penstock

    async def changes(self, **percent: float | list[str]) -> None:
        """Create the next version of the inventory with these numbers of changes."""
        async with self.session.post(
            f"{self.url}/simulator/accounts/{TOKEN}/versions", json=percent
        ) as answer:
            assert answer.status == 200, await answer.text()

    async def faults(self, *faults: dict[str, Any]) -> None:
        """Set exactly these faults at the simulator."""
        await put_faults(self.url, *faults)

    @contextlib.asynccontextmanager
    async def app(self) -> AsyncIterator[App]:
        """The seller's application, in the process of the test."""
        given = {
            name.removeprefix("PENSTOCK_").lower(): value
            for name, value in self.penstock.environment.items()
        }
        async with open_app(
            load_settings(**given, export_folder=self.penstock.folder / "exports")
        ) as app:
            yield app

    async def synced(self, *, dry_run: bool = False) -> dict[str, Any]:
        """The outcome of a sync of the account `shop`, in this process. Adds the account if needed.

        Blueprints are looked up afterwards, as after the command.
        """
        async with self.app() as app:
            accounts = await app.database.read(
                lambda connection: Inventories(connection, app.settings).accounts()
            )
            known = [account["id"] for account in accounts]
            account_id = (
                known[0] if known else await app.of(InventoryParts).accounts.add("shop", TOKEN)
            )
            async with foreground(app) as here:
                client = ApiClient(InProcess(app, here), app.settings)
                ended = await synced(
                    client, (f"{ACCOUNTS}/{account_id}/sync", {"dry_run": dry_run})
                )
                await here.work_off()
            return ended


@contextlib.asynccontextmanager
async def a_seller(penstock: Penstock, database_url: str) -> AsyncIterator[Seller]:
    """A seller with PRODUCTS products, and another one with five and the token `other`."""
    settings = SimulatorSettings(
        symbols=2, accounts=(f"{TOKEN}:{PRODUCTS}", "other:5"), expansions=2, limits=False
    )
    async with running(settings) as url, aiohttp.ClientSession() as session:
        given = {
            "database_url": database_url,
            "cardtrader_url": url,
            "secret_key": new_key(),
            "request_attempts": "1",
            "run_attempts": "1",
        }
        yield Seller(url, session, penstock.with_settings(**given))
