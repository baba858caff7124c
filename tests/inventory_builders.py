"""Rows, bodies of exports, runs, and an inventory store in memory, for tests of syncs."""

from __future__ import annotations

import contextlib
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from penstock.errors import NotFoundError
from penstock.inventory.snapshot import INVENTORY_SYNC, Comparison, SnapshotCounts
from penstock.inventory.store import StoredAccount
from penstock.runs.run import Run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.inventory.pace import SyncProgress
    from penstock.inventory.product import Product, RejectedRow
    from penstock.inventory.snapshot import SyncLimits
    from penstock.runs.context import RunContext


def row(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A product as it is sent."""
    given = {
        "id": number,
        "name_en": "Lightning Bolt",
        "quantity": 3,
        "bundle_size": 1,
        "bundled_quantity": 3,
        "description": "Near Mint",
        "user_data_field": "",
        "tag": None,
        "price_cents": 500,
        "price_currency": "EUR",
        "game_id": 1,
        "category_id": 1,
        "blueprint_id": 39_063,
        "user_id": 1001,
        "properties_hash": {"condition": "Near Mint", "mtg_language": "en"},
        "graded": False,
        "uploaded_images": [],
    }
    return given | fields


def body_of(rows: Sequence[object]) -> bytes:
    """An export, written as compactly as the real one."""
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def a_run(*, fence: int = 1, task_id: uuid.UUID | None = None, dry_run: bool = False) -> Run:
    return Run(
        id=7,
        task_id=task_id or uuid.uuid4(),
        fence=fence,
        kind=INVENTORY_SYNC,
        params={"account_id": 1, "dry_run": dry_run},
    )


@dataclass
class StagedRows:
    """A Staging in memory; comparing raises the store's `fails`."""

    store: MemoryStore
    products: dict[int, Product] = field(default_factory=dict)
    rejected: list[RejectedRow] = field(default_factory=list)

    async def add(self, products: Sequence[Product]) -> None:
        self.products |= {product.id: product for product in products}
        self.store.pages.append(len(products))

    async def refuse(self, rows: Sequence[RejectedRow]) -> None:
        self.rejected += rows

    async def compare(self, limits: SyncLimits) -> Comparison:
        self.store.compared += 1
        self.store.limits = limits
        if self.store.fails is not None:
            raise self.store.fails
        was = self.store.published
        unidentified = sum(row.product_id is None for row in self.rejected)
        counts = SnapshotCounts(
            new=len(self.products.keys() - was.keys()),
            changed=sum(
                was[key] != product for key, product in self.products.items() if key in was
            ),
            unchanged=sum(
                was[key] == product for key, product in self.products.items() if key in was
            ),
            gone=0
            if unidentified
            else len(was.keys() - self.products.keys() - {row.product_id for row in self.rejected}),
            rejected=len(self.rejected),
            unidentified=unidentified,
        )
        suspicions = {"empty": "The export is empty."} if was and not self.products else {}
        return Comparison(counts=counts, base=1, suspicions=suspicions)

    async def publish(self, comparison: Comparison) -> SnapshotCounts:
        self.store.published = dict(self.products)
        return comparison.counts

    async def keep(self, comparison: Comparison, *, held: bool) -> None:
        self.store.kept.append((comparison, held))


class Unwritten:
    """A ledger for runs that do not write to a database."""

    async def write(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError

    async def submit(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError


@dataclass
class MemoryStore:
    """An InventoryStore with one account, and a record of its syncs."""

    token: str = "demo"
    published: dict[int, Product] = field(default_factory=dict)
    kept: list[tuple[Comparison, bool]] = field(default_factory=list)
    shown: list[SyncProgress] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    compared: int = 0
    limits: SyncLimits | None = None
    fails: Exception | None = None
    refuses_progress: Exception | None = None
    last: StagedRows | None = None

    async def account(self, account_id: int) -> StoredAccount:
        if account_id != 1:
            raise NotFoundError("there is no such account")
        return StoredAccount(id=1, name="shop", token=self.token, user_id=1001)

    @contextlib.asynccontextmanager
    async def staging(
        self,
        context: RunContext,  # noqa: ARG002
        account: StoredAccount,  # noqa: ARG002
    ) -> AsyncIterator[StagedRows]:
        self.last = StagedRows(self)
        yield self.last

    async def published_by(self, run: Run) -> None:
        """None: this store knows no earlier starts."""

    async def progress(self, context: RunContext, progress: SyncProgress) -> None:  # noqa: ARG002
        if self.refuses_progress is not None:
            raise self.refuses_progress
        self.shown.append(progress)
