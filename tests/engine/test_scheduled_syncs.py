"""Scheduled inventory syncs: a due config publishes, unless its account is being synced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.domains.inventory import InventoryParts
from tests.engine.syncing import PRODUCTS, Seller, seller_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SYNC = {"exchange": "cardtrader", "symbol": "shop", "interval_minutes": 60}


@pytest.fixture
async def seller(database_url: str, tmp_path: Path) -> AsyncIterator[Seller]:
    async with seller_of(database_url, tmp_path) as seller:
        yield seller


async def make_due(seller: Seller) -> None:
    """Make the schedule due."""
    ago = "3600001" if seller.app.database.file else "interval '3600001 milliseconds'"
    move = f"UPDATE schedule SET next_run_at = next_run_at - {ago}"
    await seller.app.database.write(lambda connection: connection.exec_driver_sql(move))


async def test_a_due_sync_config_runs_after_runs_that_users_wait_for(seller: Seller) -> None:
    config = await seller.app.configs.add(SYNC)
    assert (await seller.app.schedules.tick(50)).submitted == []
    await make_due(seller)
    assert (await seller.app.schedules.tick(50)).submitted == [config.job_id]
    await seller.until_idle()
    [run] = await seller.rows(
        "SELECT kind, state, priority, job_name FROM run WHERE kind = 'inventory_sync'"
    )
    assert (run["state"], run["priority"], run["job_name"]) == ("succeeded", 10, config.job_id)
    await seller.check()
    [log] = await seller.rows(
        "SELECT symbol, exchange, status, records_collected FROM job_execution_logs"
        " WHERE job_name = 'collect_data_1'"
    )
    assert log == {
        "symbol": "shop",
        "exchange": "cardtrader",
        "status": "success",
        "records_collected": PRODUCTS,
    }


async def test_a_schedule_continues_under_the_new_name_of_its_account(seller: Seller) -> None:
    config = await seller.app.configs.add(SYNC)
    rename = "UPDATE account SET name = 'by hand' WHERE name = 'shop'"
    await seller.app.database.write(lambda connection: connection.exec_driver_sql(rename))
    await make_due(seller)
    failed = (await seller.app.schedules.tick(50)).failed
    assert "unknown account 'shop'; use one of by hand" in failed[config.job_id], (
        "only a renaming by hand leaves a config behind"
    )


async def test_a_due_schedule_skips_its_turn_while_a_sync_is_active(
    database_url: str, tmp_path: Path
) -> None:
    async with seller_of(database_url, tmp_path, work=False) as seller:
        config = await seller.app.configs.add(SYNC)
        await seller.app.ledger.start(
            await seller.app.of(InventoryParts).runs.sync(seller.account_id)
        )
        await make_due(seller)
        ticked = await seller.app.schedules.tick(50)
        assert (ticked.submitted, ticked.skipped) == ([], [config.job_id])


async def test_the_execution_log_of_a_sync_counts_the_rows_it_wrote(seller: Seller) -> None:
    await seller.synced()
    await seller.admin("POST", "versions", {"changed": 1, "gone": 1, "new": 1})
    await seller.synced(dry_run=True)
    await seller.synced()
    await seller.admin("POST", "versions", {"gone": 30})
    held = await seller.synced()
    query = (
        "SELECT records_collected, status FROM job_execution_logs"
        " WHERE job_type = 'inventory_sync' ORDER BY id"
    )
    rows = await seller.rows(query)
    assert [row["records_collected"] for row in rows] == [PRODUCTS, 0, 60, 0]
    assert {row["status"] for row in rows} == {"success"}
    assert held["held"]
