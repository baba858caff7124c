"""A snapshot is published whole or not at all, by the worker that has the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.errors import ConflictError, FencedError, StoreUnavailableError
from penstock.inventory.pace import Phase, SyncProgress
from penstock.inventory.product import RejectedRow
from penstock.runs.run import RunEnd, RunState
from penstock.store.sqlite.staging import discard_stages
from tests.shop_builders import NEVER_SHRUNK, counted, expected, opened_shop, product_of

if TYPE_CHECKING:
    from pathlib import Path


async def test_no_step_writes_after_another_worker_has_taken_the_run(
    database_url: str,
) -> None:
    async with opened_shop(database_url) as shop:
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1)])
            comparison = await staging.compare(NEVER_SHRUNK)
            await shop.opened.change("UPDATE run SET fence = fence + 1")
            for step in (
                staging.refuse([RejectedRow(reason="x", detail="", raw="")]),
                staging.publish(comparison),
                staging.keep(comparison, held=True),
                shop.inventory.progress(
                    shop.opened.context(run),
                    SyncProgress(phase=Phase.CHECK, percent=50, message="checking"),
                ),
            ):
                with pytest.raises(FencedError):
                    await step
        assert await shop.products() == {}
        assert await shop.opened.value("SELECT count(*) AS n FROM snapshot") == 0


async def test_only_one_of_two_syncs_from_the_same_snapshot_is_published(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1)])
        earlier, two = await shop.opened.run(), await shop.opened.run()
        async with (
            shop.inventory.staging(shop.opened.context(earlier), shop.account) as first,
            shop.inventory.staging(shop.opened.context(two), shop.account) as second,
        ):
            await first.add([product_of(1, quantity=1)])
            await second.add([product_of(1, quantity=2)])
            compared = await first.compare(NEVER_SHRUNK), await second.compare(NEVER_SHRUNK)
            await first.publish(compared[0])
            with pytest.raises(ConflictError, match="has changed since"):
                await second.publish(compared[1])
        assert (await shop.published())[1]["quantity"] == 1


async def test_a_publication_that_fails_halfway_leaves_no_trace(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1), product_of(2)])
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1, quantity=1)])
            comparison = await staging.compare(NEVER_SHRUNK)
            # The last write of a publication.
            await shop.opened.change("ALTER TABLE snapshot RENAME COLUMN taken_at TO lost_at")
            with pytest.raises(Exception, match="taken_at"):
                await staging.publish(comparison)
        assert await shop.published() == expected([product_of(1), product_of(2)])
        assert await shop.history() == []


async def test_the_staging_area_of_a_dead_process_is_not_reused(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with opened_shop(sqlite_database) as shop:
        run = await shop.opened.run()
        left = tmp_path / f"penstock.db.stage-{run.id}"
        left.write_bytes(b"half a file")
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1)])
            assert counted((await staging.compare(NEVER_SHRUNK)).counts) == {"new": 1}
        assert not left.exists()
        left.write_bytes(b"half a file")
        discard_stages(shop.opened.database)
        assert sorted(path.name for path in tmp_path.glob("*stage*")) == []


async def test_a_lost_staging_area_is_a_temporary_error_and_publishes_nothing(
    postgres_database: str,
) -> None:
    async with opened_shop(postgres_database) as shop:
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
            await staging.add([product_of(1)])
            others = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await shop.opened.rows(others)
            for _ in range(2):
                with pytest.raises(StoreUnavailableError):
                    await staging.compare(NEVER_SHRUNK)


async def test_progress_is_shown_and_is_a_heartbeat(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        run = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(run), shop.account):
            shown = SyncProgress(
                phase=Phase.PARSE,
                percent=40,
                message="parsing",
                bytes=5,
                rows=7,
                rows_per_second=2.5,
                eta_seconds=None,
            )
            await shop.inventory.progress(shop.opened.context(run), shown)
        [row] = await shop.opened.rows(
            "SELECT account_id, phase, bytes, rows, rows_per_second, eta_seconds"
            " FROM inventory_sync"
        )
        assert tuple(row.values()) == (shop.account.id, "parse", 5, 7, 2.5, None)
        run_row = await shop.opened.run_row(run)
        assert (run_row["progress"], run_row["message"]) == (40, "parsing")
        await shop.opened.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
