"""Configs named by symbol, account or id over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from sqlalchemy import update

from penstock.collection.tables import collection_config
from tests.api.collector import Collector, collector
from tests.api.configs import CONFIGS, add, refused
from tests.api.seller import seller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Collector]:
    async with collector(database_url, work=False) as found:
        yield found


async def test_a_config_is_named_by_its_symbol_in_any_form_or_by_its_id(
    service: Collector,
) -> None:
    await add(service, symbol="BTCUSDT")
    sol = await add(service)
    for name in ("SOL/USDT", "SOL%2FUSDT", "SOLUSDT", "solusdt", "sol/usdt", str(sol["id"])):
        assert (await service.get(f"{CONFIGS}/{name}"))["id"] == sol["id"], name
        assert len((await service.get(f"{CONFIGS}/{name}/preview"))["next_runs"]) == 5
    for action, enabled in (("disable", False), ("enable", True)):
        status, body = await service.call("POST", f"{CONFIGS}/SOL/USDT/{action}")
        assert (status, body["id"], body["enabled"]) == (200, sol["id"], enabled)
    status, body = await service.call("PUT", f"{CONFIGS}/SOLUSDT", {"interval_minutes": 30})
    assert (status, body["id"], body["interval_minutes"]) == (200, sol["id"], 30)
    status, body = await service.call("POST", f"{CONFIGS}/SOL/USDT/trigger")
    assert (status, body["status"]) == (202, "submitted")
    async with service.session.delete(f"{CONFIGS}/SOL/USDT") as answer:
        assert answer.status == 204
    assert [one["symbol"] for one in await service.get(CONFIGS)] == ["BTC/USDT"]


async def test_a_config_of_an_account_is_named_by_the_account(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        for name in ("a/b & c?", "shop"):
            status, _ = await shop.call("PUT", f"/accounts/{shop.account_id}", {"name": name})
            assert status == 200
            if name != "shop":
                await add(shop.service, symbol=name, exchange="cardtrader", timeframes=[])
            found = await shop.service.get(f"{CONFIGS}/{quote(name, safe='')}")
            assert (found["symbol"], found["exchange"]) == (name, "cardtrader")


async def test_a_name_of_several_configs_is_refused_with_what_names_each(
    service: Collector,
) -> None:
    first = await add(service)
    second = await add(service, symbol="BTCUSDT")

    async def change(**values: object) -> None:
        """Change the second config, as no command can."""
        which = update(collection_config).where(collection_config.c.id == second["id"])
        await service.app.database.write(
            lambda connection: connection.execute(which.values(**values))
        )

    await change(symbol="SOL/USDT", exchange="elsewhere")
    problem = await refused(service, "GET", f"{CONFIGS}/SOLUSDT", None, 422)
    assert (problem["field"], problem["detail"]) == (
        "config",
        (
            "config: 'SOLUSDT' names several configs; use 1 (config 1, SOL/USDT on binance)"
            " or 2 (config 2, SOL/USDT on elsewhere)"
        ),
    )
    # A number that scripts use as an id, and that somebody has chosen as a name since.
    await change(symbol=str(first["id"]), exchange="cardtrader")
    problem = await refused(service, "DELETE", f"{CONFIGS}/{first['id']}", None, 422)
    assert problem["detail"] == (
        "config: '1' names several configs; use SOL/USDT (config 1, SOL/USDT on binance)"
        " or 2 (config 2, 1 on cardtrader)"
    )
    assert len(await service.get(CONFIGS)) == 2
    assert (await service.get(f"{CONFIGS}/SOL/USDT"))["id"] == first["id"]
    assert (await service.get(f"{CONFIGS}/2"))["id"] == second["id"]


async def test_an_action_is_no_part_of_a_name(service: Collector) -> None:
    await add(service)
    for action in ("preview", "enable", "disable", "trigger"):
        for method in ("PUT", "DELETE"):
            await refused(service, method, f"{CONFIGS}/SOL/USDT/{action}", None, 405)
    await refused(service, "GET", f"{CONFIGS}/SOL/USDT/enable", None, 405)
    assert len(await service.get(CONFIGS)) == 1


async def test_an_unknown_name_changes_nothing_and_names_the_nearest(service: Collector) -> None:
    await add(service)
    problem = await refused(service, "DELETE", f"{CONFIGS}/SOLUSD", None, 404)
    assert problem["detail"] == "there is no config 'SOLUSD'; did you mean SOL/USDT?"
    problem = await refused(service, "DELETE", f"{CONFIGS}/nothing", None, 404)
    assert problem["detail"].endswith("`penstock config list` shows all")
    assert len(await service.get(CONFIGS)) == 1
