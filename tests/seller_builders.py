"""A seller at the simulated CardTrader, and a real application that syncs the inventory."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from sqlalchemy import select, text

from penstock.access.vault import new_key
from penstock.app import App, open_app
from penstock.domains.inventory import InventoryParts
from penstock.inventory.queries.syncs import list_diff, sync_row
from penstock.inventory.tables import NORMALISED, STAGED, product
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from penstock.store.write.inventory.accounts import SqlAccounts
from penstock.store.write.inventory.snapshots import SqlInventoryStore
from tests.engine.engines import Engine

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Row

    from penstock.settings import Settings
    from penstock.store.session.database import Database

# The columns that an export decides, by product id.
Rows = dict[int, dict[str, Any]]
EXPORT = "/api/v2/products/export"
_NAMES = {"product_id": "id", "properties": "properties_hash"}
_AS_SENT = {"properties", "uploaded_images"}
_FLAGS = {"foil", "signed", "altered"}
_MOST = 10_000


def row_of(sent: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """A product of the simulator in the columns of the table, without the tested code."""
    row: dict[str, Any] = {}
    for column in STAGED:
        raw = bytes(sent[_NAMES.get(column, column)])
        row[column] = raw.decode() if column in _AS_SENT else msgspec.json.decode(raw)
    row["graded"] = _grade(row["graded"])
    properties = msgspec.json.decode(row["properties"])
    return row | {name: _property(properties, name) for name in NORMALISED}


def _grade(sent: object) -> object:
    """A flag, which may be sent as a number, or the grade as text."""
    if sent is None:
        return None
    return bool(sent) if sent in (True, False) else str(sent)


def _property(properties: Mapping[str, Any], name: str) -> object:
    """The value of a key with any prefix."""
    [value] = [
        value for key, value in properties.items() if key == name or key.endswith(f"_{name}")
    ] or [None]
    return bool(value) if name in _FLAGS and value is not None else value


def published_rows(connection: Connection, account_id: int) -> Rows:
    """The products that are not gone, column by column."""
    columns = [product.c[name] for name in (*STAGED, *NORMALISED)]
    query = select(*columns).where(product.c.account_id == account_id, product.c.gone_at.is_(None))
    return {row["product_id"]: dict(row) for row in connection.execute(query).mappings()}


def differing(shown: Rows, true: Rows) -> dict[int, object]:
    """A few of the different rows, and the total number."""
    wrong = [
        number for number in shown.keys() | true.keys() if shown.get(number) != true.get(number)
    ]
    return {number: (shown.get(number), true.get(number)) for number in sorted(wrong)[:3]} | (
        {0: len(wrong)} if wrong else {}
    )


@dataclass(frozen=True)
class Seller:
    """The simulated seller `demo`."""

    url: str
    session: aiohttp.ClientSession

    async def admin(self, method: str, path: str, body: object = None) -> bytes:
        async with self.session.request(
            method, f"{self.url}/simulator/{path}", json=body
        ) as response:
            answer = await response.read()
            assert response.status == 200, answer
            return answer

    async def faults(self, *faults: dict[str, Any]) -> None:
        """Set exactly these faults of the export, and reset the count of requests."""
        await self.admin("PUT", "faults", [{"path": EXPORT} | fault for fault in faults])
        await self.admin("DELETE", "requests")

    async def exports(self) -> int:
        """The number of requests for an export since the last reset."""
        return int(
            json.loads(await self.admin("GET", "requests?limit=1"))["by_path"].get(EXPORT, 0)
        )

    async def advance(self, **changes: object) -> int:
        """Make the next version of the inventory; gives its number."""
        return int(
            json.loads(await self.admin("POST", "accounts/demo/versions", changes))["version"]
        )

    async def prepare(self) -> None:
        """Write the body of the next export in advance, so that it arrives at once."""
        await self.admin("PUT", "accounts/demo/export", {})

    async def sent(self) -> Rows:
        """The rows of an export with its faults; for a repeated id the first row."""
        async with self.session.get(
            f"{self.url}{EXPORT}", headers={"Authorization": "Bearer demo"}
        ) as response:
            rows = msgspec.json.decode(await response.read(), type=list[dict[str, msgspec.Raw]])
        return {row["product_id"]: row for row in map(row_of, reversed(rows))}

    async def rows(
        self, version: int | str = "newest", *, skip: int = 0, limit: int = _MOST
    ) -> Rows:
        """The rows of a version, in the order of the export."""
        answer = await self.admin(
            "GET", f"accounts/demo/versions/{version}/products?skip={skip}&limit={limit}"
        )
        sent = msgspec.json.decode(answer, type=dict[str, list[dict[str, msgspec.Raw]]])["products"]
        return {row["product_id"]: row for row in map(row_of, sent)}


@contextlib.asynccontextmanager
async def simulated_seller(products: int) -> AsyncIterator[Seller]:
    """A simulator with this seller alone."""
    settings = SimulatorSettings(
        symbols=2, accounts=(f"demo:{products}",), expansions=2, limits=False
    )
    async with running(settings) as url, aiohttp.ClientSession() as session:
        yield Seller(url, session)


def shop_settings(database_url: str, seller: Seller, folder: Path, **given: Any) -> Settings:
    """Settings with short pauses, and deadlines that a slow machine meets."""
    short = {
        "database_timeout_s": 60.0,
        "export_attempts": 1,
        "export_first_byte_s": 60.0,
        "request_attempts": 1,
        "request_deadline_s": 60.0,
        "request_idle_s": 60.0,
        "run_attempts": 2,
        "run_retry_s": 0.05,
        "secret_key": new_key(),
    }
    return load_settings(
        database_url=database_url,
        cardtrader_url=seller.url,
        export_folder=folder,
        **(short | given),
    )


async def add_account(app: App, name: str = "shop") -> int:
    """Add the seller's account."""
    async with app.of(InventoryParts).source.account("demo") as asked:
        return await SqlAccounts(app.database, app.vault).add(
            name, "demo", (await asked.seller()).user_id
        )


@dataclass(frozen=True)
class KeptShop:
    """A working application with one account, that of the seller."""

    app: App
    seller: Seller
    account_id: int
    folder: Path

    @property
    def database(self) -> Database:
        return self.app.database

    @property
    def engine(self) -> Engine:
        return Engine(self.app.database, self.app.ledger, self.app.dispatch)

    @property
    def store(self) -> SqlInventoryStore:
        return SqlInventoryStore(self.app.database, self.app.vault)

    async def submit(self, *, dry_run: bool = False) -> uuid.UUID:
        return await self.app.ledger.submit(
            await self.app.of(InventoryParts).runs.sync(self.account_id, dry_run=dry_run)
        )

    async def sync(self, *, dry_run: bool = False) -> dict[str, Any]:
        """The finished run of a sync."""
        return await self.ended(await self.submit(dry_run=dry_run))

    async def ended(self, task_id: uuid.UUID) -> dict[str, Any]:
        """The run, once it has ended."""
        row = await self.engine.until_state(task_id, "succeeded", "failed", "cancelled")
        result = row["result"]
        return row | {"result": json.loads(result) if isinstance(result, str) else result}

    async def published(self) -> Rows:
        return await self.database.read(
            lambda connection: published_rows(connection, self.account_id)
        )

    async def check(self, true: Rows) -> None:
        """Assert that exactly these rows are published, column by column."""
        assert differing(await self.published(), true) == {}

    async def shows(self, run: Mapping[str, Any]) -> Row[Any]:
        """A sync as the reader shows it."""
        row = await self.database.read(lambda connection: sync_row(connection, run["id"]))
        assert row is not None
        return row

    async def diff(self, run: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """The diff that a sync kept."""
        return await self.database.read(
            lambda connection: list_diff(connection, run["id"], limit=_MOST)
        )

    async def rows(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        def query(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

        return await self.database.read(query)

    def left(self) -> list[str]:
        """The remaining files of exports and staging areas."""
        beside = list(self.database.file.parent.glob("*.stage-*")) if self.database.file else []
        return sorted(path.name for path in (*beside, *self.folder.glob("*")))


@contextlib.asynccontextmanager
async def kept_shop(
    database_url: str, seller: Seller, folder: Path, **given: Any
) -> AsyncIterator[KeptShop]:
    """A working application with the seller's account."""
    async with open_app(shop_settings(database_url, seller, folder, **given)) as app, app.working():
        yield KeptShop(app, seller, await add_account(app), folder)
