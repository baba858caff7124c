"""An application that works on a real database, and the simulated seller of its only account."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from sqlalchemy import func, select, text

from penstock.access.vault import new_key
from penstock.app import App, open_app
from penstock.domains.inventory import InventoryParts
from penstock.inventory.tables import product
from penstock.runs.tables import run as runs
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from penstock.store.write.inventory.accounts import SqlAccounts
from tests.engine.engines import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Connection

PRODUCTS = 2_000
# Per game; the first sync of each seller looks all of them up.
EXPANSIONS = 2
PATIENT = {
    "request_deadline_s": PATIENCE_S,
    "request_idle_s": PATIENCE_S,
    "database_timeout_s": PATIENCE_S,
}


@dataclass(frozen=True)
class Seller:
    """A working application, and the simulated seller of its only account."""

    app: App
    session: aiohttp.ClientSession
    url: str
    account_id: int

    async def submit(self, *, dry_run: bool = False) -> str:
        return str(
            await self.app.ledger.submit(
                await self.app.of(InventoryParts).runs.sync(self.account_id, dry_run=dry_run)
            )
        )

    async def synced(self, *, dry_run: bool = False) -> dict[str, Any]:
        """The outcome of a sync."""
        task_id = await self.submit(dry_run=dry_run)
        await self.until_idle()
        [row] = await self.rows(
            "SELECT state, error FROM run WHERE task_id = :task_id", task_id=task_id
        )
        assert row["state"] == "succeeded", row
        return await self.result(task_id)

    async def result(self, task_id: str) -> dict[str, Any]:
        """The result of a run."""
        query = select(runs.c.result).where(runs.c.task_id == task_id)
        return dict(
            await self.app.database.read(lambda connection: connection.execute(query).scalar_one())
        )

    async def until_idle(self) -> None:
        """Wait until every run has ended, including runs submitted by other runs."""
        await self._until_none("state IN ('queued', 'running')")

    async def until_ended(self, task_id: str) -> None:
        """Wait until this run has ended."""
        await self._until_none(
            "state IN ('queued', 'running') AND task_id = :task_id", task_id=task_id
        )

    async def _until_none(self, condition: str, **parameters: object) -> None:
        async with asyncio.timeout(3 * PATIENCE_S):
            while await self.rows(f"SELECT id FROM run WHERE {condition}", **parameters):
                await asyncio.sleep(0.05)  # the engine's events are tested elsewhere

    async def rows(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        def query(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

        return await self.app.database.read(query)

    async def admin(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        async with self.session.request(
            method, f"{self.url}/simulator/accounts/demo/{path}", json=body
        ) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def check(self) -> None:
        """Assert that the newest version of the seller's inventory is published."""
        true = await self.admin("GET", "versions/newest")
        sums = [
            func.count(),
            func.sum(product.c.product_id),
            func.sum(product.c.price_cents),
            func.sum(product.c.quantity),
        ]
        shown = select(*sums).where(product.c.gone_at.is_(None))
        count, *others = await self.app.database.read(
            lambda connection: connection.execute(shown).one()
        )
        assert [count, *map(int, others)] == [
            true["products"],
            int(true["ids"]),
            true["price_cents"],
            true["quantity"],
        ]


@contextlib.asynccontextmanager
async def seller_of(
    database_url: str, folder: Path, *, work: bool = True, products: int = PRODUCTS, **given: Any
) -> AsyncIterator[Seller]:
    """The application with `given` settings; with `work` it works on queued runs."""
    async with contextlib.AsyncExitStack() as stack:
        simulator = SimulatorSettings(
            symbols=2, accounts=(f"demo:{products}",), expansions=EXPANSIONS, limits=False
        )
        url = await stack.enter_async_context(running(simulator))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        where = {
            "database_url": database_url,
            "cardtrader_url": url,
            "export_folder": folder / "exports",
        }
        app = await stack.enter_async_context(
            open_app(load_settings(**where, **PATIENT, secret_key=new_key(), **given))
        )
        if work:
            # Vouches for runs that a test starts itself; otherwise the sweep would requeue them.
            await stack.enter_async_context(app.dispatch.present())
            await stack.enter_async_context(app.working())
        async with app.of(InventoryParts).source.account("demo") as asked:
            user_id = (await asked.seller()).user_id
        account_id = await SqlAccounts(app.database, app.vault).add("shop", "demo", user_id)
        yield Seller(app, session, url, account_id)
