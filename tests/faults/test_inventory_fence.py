"""A slow worker that has lost its run publishes, shows and leaves nothing."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.access.vault import new_key
from penstock.app import open_app
from tests.faults.unlisted import nothing_to_look_up
from tests.faults.valve import Valve, valve
from tests.seller_builders import KeptShop, Seller, kept_shop, shop_settings, simulated_seller

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator
    from pathlib import Path

_PRODUCTS = 300
_SHUT_AFTER = 50_000


@contextlib.asynccontextmanager
async def seller_behind_a_valve() -> AsyncIterator[tuple[Seller, Valve]]:
    async with simulated_seller(_PRODUCTS) as seller, valve(seller.url) as between:
        yield replace(seller, url=between.url), between


async def stalled(shop: KeptShop, between: Valve) -> uuid.UUID:
    """A sync whose export stalls halfway."""
    await shop.seller.advance(changed=20, new=3)
    await shop.seller.faults()
    between.shut_after(_SHUT_AFTER)
    task_id = await shop.submit()

    async def begun() -> bool:
        rows = await shop.rows(
            "SELECT s.bytes FROM inventory_sync s JOIN run r ON r.id = s.run_id"
            " WHERE r.task_id = :task_id",
            task_id=str(task_id),
        )
        return bool(rows and rows[0]["bytes"])

    await shop.engine.until(begun)
    return task_id


async def until_idle(shop: KeptShop) -> None:
    async def idle() -> bool:
        return not shop.app.executor.active

    await shop.engine.until(idle)


async def test_only_the_new_worker_of_a_taken_over_run_publishes(
    postgres_database: str, tmp_path: Path
) -> None:
    key, folder = new_key(), tmp_path / "exports"
    async with (
        seller_behind_a_valve() as (seller, between),
        kept_shop(
            postgres_database,
            seller,
            folder,
            secret_key=key,
            heartbeat_s=600,
            max_concurrent_tasks=1,
        ) as shop,
    ):
        await nothing_to_look_up(shop.app)
        await shop.sync()
        task_id = await stalled(shop, between)
        # The stalled export is older than the new worker's export.
        await seller.advance(changed=20, gone=2)

        async def taken_over() -> bool:
            # The slow worker continues to send heartbeats.
            run = await shop.engine.run_row(task_id)
            if (run["state"], run["fence"]) == ("running", 1):
                await shop.engine.grow_old(task_id)
                await shop.app.ledger.sweep()
            return int(run["fence"]) == 2

        async with (
            open_app(shop_settings(postgres_database, seller, folder, secret_key=key)) as other,
            other.working(),
        ):
            await shop.engine.until(taken_over)
            run = await shop.ended(task_id)
            await shop.check(await seller.rows())
            between.open()
            await until_idle(shop)
        assert (run["state"], run["fence"], run["error"]) == ("succeeded", 2, None)
        assert (await shop.ended(task_id))["message"] == run["result"]["message"]
        states = await shop.rows("SELECT state FROM snapshot WHERE run_id = :run", run=run["id"])
        assert [row["state"] for row in states] == ["published"]
        assert (await seller.exports(), shop.left()) == (2, [])
        await shop.check(await seller.rows())


async def test_a_worker_that_has_lost_its_run_ends_and_writes_nothing_more(
    database_url: str, tmp_path: Path
) -> None:
    key, folder = new_key(), tmp_path / "exports"
    async with seller_behind_a_valve() as (seller, between):
        async with kept_shop(database_url, seller, folder, secret_key=key, heartbeat_s=0.1) as shop:
            await nothing_to_look_up(shop.app)
            await shop.sync()
            before = await shop.published()
            task_id = await stalled(shop, between)
            await shop.engine.change(
                "UPDATE run SET fence = fence + 1, message = 'theirs' WHERE task_id = :task_id",
                task_id=str(task_id),
            )
            await until_idle(shop)
            run = await shop.engine.run_row(task_id)
            assert (run["state"], run["fence"], run["message"], run["error"]) == (
                "running",
                2,
                "theirs",
                None,
            )
            assert (await shop.shows(run)).state is None
            await shop.check(before)
            assert shop.left() == []
            await shop.engine.grow_old(task_id)
        # No worker really has the run, so the next one continues it.
        async with (
            open_app(shop_settings(database_url, seller, folder, secret_key=key)) as app,
            app.working(),
        ):
            later = KeptShop(app, seller, shop.account_id, folder)
            assert (await later.ended(task_id))["state"] == "succeeded"
            await later.check(await seller.rows())
            assert later.left() == []
