"""Accounts and the configs that name them: renamed together, never deleted separately."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from penstock.collection.configs import ConfigSpec
from penstock.errors import ConflictError, InvalidInputError, NotFoundError
from penstock.inventory.queries.syncs import SyncQueries
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.sync.configs import SyncConfigs
from penstock.inventory.sync.runs import submission_of
from penstock.runs.queries import RunQueries
from penstock.runs.run import RunEnd, RunState
from penstock.runs.tables import run as runs
from penstock.runs.tables import schedule
from penstock.store.write.configs import SqlConfigs
from tests.dispatches import dispatch_over
from tests.shop_builders import SELLER, Shop, opened_shop, product_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True)
class ConfiguredShop:
    """A shop whose account has a config."""

    shop: Shop
    configs: SqlConfigs
    config_id: int

    @property
    def account_id(self) -> int:
        return self.shop.account.id

    async def symbols(self) -> tuple[str, str]:
        """The account's name in the config and in its schedule."""
        config = await self.configs.get(self.config_id)
        query = select(schedule.c.params).where(schedule.c.name == config.job_id)
        params: Any = await self.shop.opened.database.read(
            lambda connection: connection.scalar(query)
        )
        return config.spec.symbol, params["symbol"]


def sync_of(name: str) -> ConfigSpec:
    return ConfigSpec(symbol=name, exchange=MARKETPLACE, timeframes=(), interval_minutes=60)


@contextlib.asynccontextmanager
async def configured_shop(url: str) -> AsyncIterator[ConfiguredShop]:
    async with opened_shop(url) as shop:
        syncs = SyncConfigs(shop.opened.database)
        configs = SqlConfigs(
            shop.opened.database, dispatch_over(shop.opened.database), lambda _: syncs
        )
        yield ConfiguredShop(shop, configs, (await configs.add(sync_of(shop.account.name))).id)


async def test_a_renamed_account_renames_its_config_and_its_run_continues(
    database_url: str,
) -> None:
    async with configured_shop(database_url) as configured:
        task_id = await configured.shop.opened.ledger.submit(
            configured.configs.trigger(configured.config_id)
        )
        await configured.shop.accounts.change(configured.account_id, name="Another name")
        assert await configured.symbols() == ("Another name", "Another name")
        await configured.shop.accounts.change(configured.account_id, token="another token")
        assert await configured.symbols() == ("Another name", "Another name")
        state = select(runs.c.state).where(runs.c.task_id == str(task_id))
        assert (
            await configured.shop.opened.database.read(lambda connection: connection.scalar(state))
            == "queued"
        )


async def test_a_taken_name_changes_neither_account_nor_config(database_url: str) -> None:
    async with configured_shop(database_url) as configured:
        await configured.shop.accounts.add("taken", "token", 7)
        await configured.configs.add(sync_of("taken"))
        with pytest.raises(ConflictError, match="'taken' already"):
            await configured.shop.accounts.change(configured.account_id, name="taken")
        assert await configured.symbols() == (
            configured.shop.account.name,
            configured.shop.account.name,
        )


async def test_an_account_with_a_config_cannot_be_deleted(database_url: str) -> None:
    async with configured_shop(database_url) as configured:
        with pytest.raises(
            ConflictError, match=f"config {configured.config_id} syncs this account"
        ):
            await configured.shop.accounts.delete(configured.account_id)
        await configured.configs.remove(configured.config_id)
        await configured.shop.accounts.delete(configured.account_id)
        with pytest.raises(ConflictError, match="deleted just now"):
            await configured.configs.add(sync_of(configured.shop.account.name))


async def test_a_concurrent_deletion_and_new_config_cannot_both_succeed(
    postgres_database: str,
) -> None:
    async with configured_shop(postgres_database) as configured:
        for number in range(20):
            name = f"shop number {number}"
            account_id = await configured.shop.accounts.add(name, "token", 7)
            both = await asyncio.gather(
                configured.configs.add(sync_of(name)),
                configured.shop.accounts.delete(account_id),
                return_exceptions=True,
            )
            assert (
                sum(isinstance(answer, ConflictError | InvalidInputError) for answer in both) == 1
            ), both


async def test_a_concurrent_rename_and_config_change_are_both_kept(postgres_database: str) -> None:
    async with configured_shop(postgres_database) as configured:
        for number in range(20):
            await asyncio.gather(
                configured.shop.accounts.change(configured.account_id, name=f"name {number}"),
                configured.configs.change(configured.config_id, {"interval_minutes": 10 + number}),
                return_exceptions=True,
            )
            assert await configured.symbols() == (f"name {number}", f"name {number}")


async def test_runs_of_a_deleted_account_never_belong_to_another_account(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        submission = submission_of(shop.account.id, shop.account.name)
        run = await shop.opened.ledger.start(submission)
        await shop.opened.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
        await shop.accounts.delete(shop.account.id)
        added = await shop.accounts.add("another seller", "a token", SELLER)
        syncs = SyncQueries(RunQueries(listed_s=300, stuck_after_s=1_800))
        newest = await shop.opened.database.read(lambda connection: syncs.newest(connection, added))
        assert (added != shop.account.id, newest) == (True, None)


async def test_a_token_is_sealed_and_an_account_is_deleted_with_all_its_data(
    database_url: str,
) -> None:
    async with opened_shop(database_url) as shop:
        assert shop.account.token == "a token"
        assert await shop.opened.value("SELECT token FROM account") == "nekot a"
        await shop.sync([product_of(1)])
        await shop.sync([product_of(2)], keep=True)
        with pytest.raises(ConflictError, match="already"):
            await shop.accounts.add(shop.account.name, "x", 1)
        await shop.accounts.change(shop.account.id, token="another")
        assert (await shop.inventory.account(shop.account.id)).token == "another"
        await shop.accounts.delete(shop.account.id)
        for table in ("account", "product", "product_diff", "snapshot", "inventory_sync"):
            assert await shop.opened.value(f"SELECT count(*) AS n FROM {table}") == 0, table
        with pytest.raises(NotFoundError, match="there is no account"):
            await shop.inventory.account(shop.account.id)
