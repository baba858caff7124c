"""Syncs as configs on the command line, alone and beside a service."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from penstock.app import open_app
from penstock.domains.inventory import InventoryParts
from penstock.settings import load_settings
from penstock.simulator.server import SimulatorSettings, running
from penstock.store.write.inventory.accounts import SqlAccounts
from tests.acceptance.commands import Penstock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PRODUCTS = 300


@pytest.fixture
async def seller(tmp_path: Path) -> AsyncIterator[Penstock]:
    """The program of a user with the account "My shop"."""
    async with running(
        SimulatorSettings(symbols=12, accounts=(f"demo:{PRODUCTS}",), expansions=2, limits=False)
    ) as url:
        database_url = f"sqlite:///{tmp_path}/shop.db"
        async with open_app(load_settings(database_url=database_url, cardtrader_url=url)) as app:
            async with app.of(InventoryParts).source.account("demo") as asked:
                user_id = (await asked.seller()).user_id
            await SqlAccounts(app.database, app.vault).add("My shop", "demo", user_id)
        yield Penstock(tmp_path).with_settings(
            binance_url=url, cardtrader_url=url, database_url=database_url
        )


async def test_a_sync_is_a_config_on_the_command_line(seller: Penstock) -> None:
    added = await seller(
        "config", "add", "My shop", "--exchange", "cardtrader", "--cron", "0 3 * * *"
    )
    assert added.out.startswith("config 1: My shop on cardtrader, 0 3 * * * (UTC), next run ")
    assert (
        await seller("config", "trigger", "1")
    ).out == f"Published: {PRODUCTS} new, 0 unchanged\n"
    again = (await seller("config", "trigger", "1", "--json")).json
    assert again["message"] == f"Nothing changed: {PRODUCTS} products up to date"
    refused = await seller("config", "add", "My shpo", "--exchange", "cardtrader")
    assert (refused.code, refused.complaint) == (
        2,
        "SYMBOL: unknown account 'My shpo'; use one of My shop",
    )
    assert "an inventory has none" in (await seller("config", "edit", "1", "-t", "1m")).complaint
    assert (
        await seller("config", "remove", "1")
    ).out == "config 1 is removed: My shop on cardtrader\n"


async def test_a_sync_is_triggered_in_the_service(seller: Penstock) -> None:
    async with seller.started("serve", "--port", "0") as serving:
        await serving.says("Penstock serves at")
        assert (await seller("config", "add", "My shop", "--exchange", "cardtrader")).code == 0
        assert (
            await seller("config", "trigger", "1")
        ).out == f"Published: {PRODUCTS} new, 0 unchanged\n"
        assert (await serving.ended(signal.SIGTERM)).code == 0


async def test_a_marketplace_in_collect_and_an_unknown_account_are_refused_without_a_database(
    penstock: Penstock,
) -> None:
    collected = await penstock("collect", "BTC/USDT", "-t", "1m", "--exchange", "cardtrader")
    assert (collected.code, collected.complaint[:35]) == (
        2,
        "--exchange: cardtrader is a marketplace"[:35],
    )
    added = await penstock("config", "add", "My shop", "--exchange", "cardtrader")
    assert (added.code, added.complaint) == (
        2,
        (
            "SYMBOL: unknown account 'My shop'; there are none yet; "
            "add one with `penstock accounts add`"
        ),
    )
    assert not penstock.data.exists()
