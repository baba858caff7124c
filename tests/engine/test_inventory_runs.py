"""An inventory sync as a run: queued, worked on, and published into the real database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from penstock.domains.inventory import InventoryParts
from penstock.errors import ConflictError
from penstock.inventory.snapshot import INVENTORY_SYNC
from penstock.inventory.tables import product
from penstock.runs.context import RunContext
from penstock.runs.runner import Cancelled, PutBack, Runner
from penstock.store.write.inventory.snapshots import SqlStaging
from tests.engine.engines import FAST, PATIENCE_S
from tests.engine.syncing import PRODUCTS, Seller, seller_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from penstock.inventory.snapshot import Comparison, SnapshotCounts


@pytest.fixture
async def seller(database_url: str, tmp_path: Path) -> AsyncIterator[Seller]:
    async with seller_of(database_url, tmp_path) as seller:
        yield seller


async def test_a_sync_publishes_the_inventory_and_the_next_one_its_changes(
    seller: Seller,
) -> None:
    first = await seller.synced()
    assert (first["counts"]["new"], first["held"]) == (PRODUCTS, False)
    await seller.check()
    assert (await seller.synced())["message"] == "Nothing changed: 2,000 products up to date"
    await seller.admin("POST", "versions", {"changed": 1, "gone": 1, "new": 1})
    assert (await seller.synced(dry_run=True))[
        "message"
    ] == "Would be published: 20 new, 20 changed, 20 gone, 1,960 unchanged"
    assert (await seller.synced())[
        "message"
    ] == "Published: 20 new, 20 changed, 20 gone, 1,960 unchanged"
    await seller.check()


async def test_a_shrunk_inventory_is_held_and_the_published_one_stays_unchanged(
    seller: Seller,
) -> None:
    await seller.synced()
    before = await seller.admin("GET", "versions/newest")
    await seller.admin("POST", "versions", {"gone": 30})
    held = await seller.synced()
    assert (held["held"], list(held["suspicions"])) == (True, ["shrunk"])
    count = select(func.count()).select_from(product).where(product.c.gone_at.is_(None))
    assert (
        await seller.app.database.read(lambda connection: connection.execute(count).scalar_one())
        == before["products"]
    )


async def test_only_one_run_at_a_time_syncs_an_account(seller: Seller) -> None:
    submission = await seller.app.of(InventoryParts).runs.sync(seller.account_id)
    await seller.app.ledger.start(submission)
    with pytest.raises(ConflictError):
        await seller.app.ledger.submit(submission)


async def test_a_run_whose_worker_died_after_publishing_ends_with_its_published_result(
    seller: Seller,
) -> None:
    run = await seller.app.ledger.start(
        await seller.app.of(InventoryParts).runs.sync(seller.account_id)
    )
    await seller.app.domains.kinds[INVENTORY_SYNC].work(RunContext(run, seller.app.ledger))
    await seller.app.ledger.requeue(run, error=None, delay_s=0)
    await seller.until_idle()
    result = await seller.result(str(run.task_id))
    assert (result["counts"]["new"], result["counts"]["unchanged"], result["rows"]) == (
        PRODUCTS,
        0,
        PRODUCTS,
    )
    [row] = await seller.rows(
        "SELECT inserted, unchanged, fence FROM run WHERE id = :id", id=run.id
    )
    assert row == {"inserted": PRODUCTS, "unchanged": 0, "fence": run.fence + 1}


@pytest.mark.parametrize("why", [Cancelled(), PutBack()], ids=["cancelled", "put back"])
async def test_a_sync_that_is_interrupted_after_publishing_has_succeeded(
    seller: Seller, monkeypatch: pytest.MonkeyPatch, why: Cancelled | PutBack
) -> None:
    run = await seller.app.ledger.start(
        await seller.app.of(InventoryParts).runs.sync(seller.account_id)
    )
    runner, publish = Runner(seller.app.ledger, FAST), SqlStaging.publish

    async def interrupted_then(self: SqlStaging, comparison: Comparison) -> SnapshotCounts:
        counts = await publish(self, comparison)
        runner.interrupt(run.id, why)
        await asyncio.sleep(PATIENCE_S)
        return counts

    monkeypatch.setattr(SqlStaging, "publish", interrupted_then)
    await runner.run(run, seller.app.of(InventoryParts).runs.sync_account)
    [row] = await seller.rows("SELECT state, inserted FROM run WHERE id = :id", id=run.id)
    assert row == {"state": "succeeded", "inserted": PRODUCTS}
    assert (await seller.result(str(run.task_id)))["counts"]["new"] == PRODUCTS
    # After every publication the catalogue is looked up.
    assert await seller.rows("SELECT id FROM run WHERE kind = 'catalogue_refresh'")


async def test_a_run_counts_every_request_also_failed_ones(seller: Seller) -> None:
    faults = [{"name": "server_error", "code": 502, "path": "/api/v2/products/export", "count": 1}]
    async with seller.session.put(f"{seller.url}/simulator/faults", json=faults) as response:
        assert response.status == 200, await response.text()
    await seller.synced()
    async with seller.session.get(f"{seller.url}/simulator/requests?limit=10000") as response:
        asked = [request["path"] for request in (await response.json())["newest"]]
    counted = {
        row["kind"]: row["requests"] for row in await seller.rows("SELECT kind, requests FROM run")
    }
    exports = asked.count("/api/v2/products/export")
    # The fixture has requested the seller's identity once.
    assert counted == {"inventory_sync": exports, "catalogue_refresh": len(asked) - exports - 1}
    assert exports == 2
