"""Products, accounts and syncs for tests of the inventory's store."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from penstock.access.vault import Vault
from penstock.inventory.product import Product
from penstock.inventory.snapshot import Comparison, SnapshotCounts, SyncLimits
from penstock.inventory.sync.runs import submission_of
from penstock.inventory.tables import STAGED, product, product_history
from penstock.runs.run import RunEnd, RunState
from penstock.store.write.inventory.accounts import SqlAccounts
from penstock.store.write.inventory.card_list import SqlCatalog
from penstock.store.write.inventory.catalogue import SqlBlueprints
from penstock.store.write.inventory.snapshots import SqlInventoryStore
from tests.market_builders import Opened, opened, unfenced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from sqlalchemy import Connection

    from penstock.inventory.product import RejectedRow
    from penstock.inventory.store import StoredAccount
    from penstock.runs.context import RunContext
    from penstock.runs.run import Run

SELLER = 77
NEVER_SHRUNK = SyncLimits(shrink_percent=100.0, shrink_rows=10**9)

Rows = dict[int, dict[str, Any]]


class Backwards(Vault):
    """A vault without keys."""

    def __init__(self) -> None:
        """No keys."""

    def seal(self, text: str) -> str:
        return text[::-1]

    def open(self, sealed: str) -> str:
        return sealed[::-1]


def product_of(number: int = 1, /, **given: Any) -> Product:
    """A valid product; `given` replaces fields, `properties` is an object."""
    properties = given.pop(
        "properties",
        {
            "condition": "Near Mint",
            "mtg_language": "en",
            "mtg_foil": False,
            "signed": False,
            "altered": False,
        },
    )
    fields: dict[str, Any] = {
        "id": number,
        "name_en": "Lightning Bolt",
        "quantity": 4,
        "price_cents": 199,
        "price_currency": "EUR",
        "blueprint_id": 1_000 + number % 5,
        "user_id": SELLER,
        "game_id": 1,
        "category_id": 11,
        "properties_hash": msgspec.Raw(msgspec.json.encode(properties)),
    }
    return Product(**(fields | given))


def expected(products: Sequence[Product]) -> Rows:
    """The columns that an export decides, by product id."""
    found = {}
    for offered in products:
        values = list(msgspec.structs.astuple(offered))
        row = dict(zip(STAGED, values, strict=True))
        row["properties"] = bytes(offered.properties_hash).decode()
        row["uploaded_images"] = bytes(offered.uploaded_images).decode()
        row["graded"] = shown_grade(offered.graded)
        found[offered.id] = row
    return found


def shown_grade(sent: object) -> bool | str | None:
    """A grade as read from the table: 0 and 1 are flags, any other is text."""
    return None if sent is None else bool(sent) if sent in {0, 1} else str(sent)


@dataclass(frozen=True)
class Synced:
    """A finished sync."""

    run: Run
    comparison: Comparison

    @property
    def counts(self) -> SnapshotCounts:
        return self.comparison.counts


@dataclass(frozen=True)
class Shop:
    """A database with one account, and its syncs."""

    opened: Opened
    inventory: SqlInventoryStore
    accounts: SqlAccounts
    catalog: SqlCatalog
    blueprints: SqlBlueprints
    account: StoredAccount

    async def begun(self) -> Run:
        """A started run that syncs the account."""
        return await self.opened.ledger.start(submission_of(self.account.id, self.account.name))

    async def sync(
        self,
        products: Sequence[Product],
        *,
        run: Run | None = None,
        rejected: Sequence[RejectedRow] = (),
        keep: bool | None = None,
        limits: SyncLimits = NEVER_SHRUNK,
        page: int = 1_000,
    ) -> Synced:
        """Stage and publish; `keep` keeps the diff instead: held (True) or of a dry run (False)."""
        run = run or await self.opened.run()
        async with self.inventory.staging(self.opened.context(run), self.account) as staging:
            for first in range(0, len(products), page):
                await staging.add(products[first : first + page])
            if rejected:
                await staging.refuse(rejected)
            comparison = await staging.compare(limits)
            if keep is None:
                assert await staging.publish(comparison) == comparison.counts
            else:
                await staging.keep(comparison, held=keep)
        await self.opened.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
        return Synced(run, comparison)

    @property
    def context(self) -> RunContext:
        """A context without a run."""
        return unfenced(self.opened.database)

    async def published(self) -> Rows:
        """The products that are not gone, as an export decides them."""
        return {
            number: {name: row[name] for name in STAGED}
            for number, row in (await self.products()).items()
            if row["gone_at"] is None
        }

    async def products(self) -> Rows:
        """All rows of the account, including gone products."""
        rows = select(product).where(product.c.account_id == self.account.id)
        return {row["product_id"]: row for row in await self._rows(rows)}

    async def history(self, run: Run | None = None) -> list[dict[str, Any]]:
        """The history, in order."""
        rows = (
            select(product_history)
            .where(product_history.c.account_id == self.account.id)
            .order_by(product_history.c.id)
        )
        return await self._rows(
            rows if run is None else rows.where(product_history.c.run_id == run.id)
        )

    async def _rows(self, query: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any select
        def read(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(query).mappings()]

        return await self.opened.database.read(read)


@contextlib.asynccontextmanager
async def opened_shop(url: str, **options: Any) -> AsyncIterator[Shop]:
    """A migrated database with a new account of SELLER."""
    async with opened(url, **options) as store:
        accounts = SqlAccounts(store.database, Backwards())
        inventory = SqlInventoryStore(store.database, Backwards())
        account = await inventory.account(
            await accounts.add(f"shop {uuid.uuid4()}", "a token", SELLER)
        )
        yield Shop(store, inventory, accounts, SqlCatalog(store.database), SqlBlueprints(), account)


def counted(counts: SnapshotCounts) -> Mapping[str, int]:
    """The counts that are not zero, except `unmapped`."""
    return {
        name: value
        for name, value in dataclasses.asdict(counts).items()
        if value and name != "unmapped"
    }
