"""A worker whose run was taken over changes no table, for every kind of run."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from penstock.app import open_app
from penstock.columns import metadata
from penstock.domains.inventory import InventoryParts
from penstock.domains.market import MarketParts
from penstock.errors import FencedError
from penstock.inventory.catalogue.refresh import CATALOGUE_REFRESH
from penstock.inventory.snapshot import INVENTORY_SYNC
from penstock.market.runs.orders import BackfillOrder, CollectOrder
from penstock.market.runs.submission import (
    AUDIT,
    BACKFILL,
    COLLECTION,
    SCHEDULED_COLLECTION,
    SYMBOL_REFRESH,
    symbol_refresh,
)
from penstock.market.verify.order import VerifyOrder
from penstock.market.verify.runs import VERIFY
from penstock.runs.context import RunContext
from penstock.runs.run import RunEnd, RunState, Submission
from penstock.store.write.retention import LOG_RETENTION
from tests.seller_builders import add_account, shop_settings, simulated_seller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from penstock.app import App
    from penstock.runs.run import Run

# Requests count against the provider's limit, whichever worker has the run.
_NOT_THE_RUNS = {"provider_budget"}
_ORDER: dict[str, Any] = {"symbols": ["BTC/USDT"], "timeframes": ["1h"]}
_PAST = 1_700_006_400_000
_DAY_MS = 86_400_000

Tables = dict[str, list[tuple[Any, ...]]]


async def collection(app: App) -> Submission:
    return await app.of(MarketParts).runs.submission(CollectOrder(**_ORDER, limit=30))


async def backfill(app: App) -> Submission:
    return await app.of(MarketParts).runs.submission(
        BackfillOrder(**_ORDER, start=_PAST, end=_PAST + _DAY_MS)
    )


async def repair(app: App) -> Submission:
    """A repair of a series with a lost candle."""
    await finished(app, await collection(app))
    lost = "DELETE FROM candle WHERE open_time = (SELECT min(open_time) FROM candle)"
    await app.database.write(lambda connection: connection.exec_driver_sql(lost))
    return await app.of(MarketParts).verify.submission(VerifyOrder(repair=True))


async def catalogue(app: App) -> Submission:
    """A catalogue refresh of an account with unknown blueprints."""
    await finished(app, await app.of(InventoryParts).runs.sync(1))
    return Submission(kind=CATALOGUE_REFRESH, params={"account_id": 1, "account": "shop"})


async def retention(app: App) -> Submission:
    """A retention run with an old row."""
    old = "UPDATE job_execution_logs SET started_at = " + ("0" if app.database.file else "'epoch'")
    await finished(app, await collection(app))
    await app.database.write(lambda connection: connection.exec_driver_sql(old))
    return Submission(kind=LOG_RETENTION, params={})


def another(kind: str) -> Callable[[App], Awaitable[Submission]]:
    async def submission(app: App) -> Submission:
        return replace(await collection(app), kind=kind)

    return submission


async def refresh_of_symbols(_app: App) -> Submission:
    return symbol_refresh("binance")


async def sync(app: App) -> Submission:
    return await app.of(InventoryParts).runs.sync(1)


KINDS: Mapping[str, Callable[[App], Awaitable[Submission]]] = {
    COLLECTION: collection,
    SCHEDULED_COLLECTION: another(SCHEDULED_COLLECTION),
    AUDIT: another(AUDIT),
    BACKFILL: backfill,
    SYMBOL_REFRESH: refresh_of_symbols,
    VERIFY: repair,
    INVENTORY_SYNC: sync,
    CATALOGUE_REFRESH: catalogue,
    LOG_RETENTION: retention,
}


@contextlib.asynccontextmanager
async def opened(database_url: str, folder: Path) -> AsyncIterator[App]:
    async with simulated_seller(200) as seller:
        settings = shop_settings(
            database_url, seller, folder, binance_url=seller.url, execution_log_retention_days=30
        )
        async with open_app(settings) as app:
            await add_account(app)
            yield app


async def tables(app: App) -> Tables:
    def read(connection: Connection) -> Tables:
        tables = [table for table in metadata.sorted_tables if table.name not in _NOT_THE_RUNS]
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in tables
        }

    return await app.database.read(read)


async def finished(app: App, submission: Submission) -> None:
    run = await app.ledger.start(submission)
    await work(app, run)
    await app.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))


async def work(app: App, run: Run) -> None:
    await app.executor._kinds[run.kind](RunContext(run, app.ledger))


async def move_fence(app: App, run: Run, by: int) -> None:
    """Raise the fence, as another worker does that takes over the run."""
    moved = f"UPDATE run SET fence = fence + {by} WHERE id = {run.id}"
    await app.database.write(lambda connection: connection.exec_driver_sql(moved))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_worker_that_was_fenced_off_changes_no_table(
    database_url: str, tmp_path: Path, kind: str
) -> None:
    async with opened(database_url, tmp_path / "exports") as app:
        run = await app.ledger.start(await KINDS[kind](app))
        await move_fence(app, run, 1)
        before = await tables(app)
        with pytest.raises(FencedError):
            await work(app, run)
        assert await tables(app) == before
        await move_fence(app, run, -1)
        await work(app, run)
        assert await tables(app) != before, "the same run changes tables while its worker owns it"


async def test_there_is_a_case_for_every_kind_of_run(database_url: str, tmp_path: Path) -> None:
    async with opened(database_url, tmp_path / "exports") as app:
        assert set(app.executor._kinds) == set(KINDS)
