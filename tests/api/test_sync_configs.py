"""Configs of inventory syncs: the exchange is the marketplace, the symbol an account's name."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from penstock.access.vault import new_key
from penstock.domains.inventory import InventoryParts
from penstock.store.write.inventory.accounts import SqlAccounts
from tests.api.collector import Collector, collector
from tests.api.seller import NO_CATALOGUE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

ADMIN = "/api/v1/admin/data-collection"
CONFIGS = f"{ADMIN}/configs"
SYNC = {"symbol": "My shop", "exchange": "cardtrader", "interval_minutes": 60}
SILENT_EXPORT = {"name": "hang", "path": "/api/v2/products/export"}


@contextlib.asynccontextmanager
async def shop(database_url: str, folder: Path, *, work: bool = False) -> AsyncIterator[Collector]:
    """A service with the account "My shop" of a simulated seller with 300 products."""
    simulator = {"symbols": 12, "accounts": ("demo:300",)}
    async with collector(
        database_url, work=work, simulator=simulator, secret_key=new_key(), export_folder=folder
    ) as service:
        async with service.app.of(InventoryParts).source.account("demo") as asked:
            user_id = (await asked.seller()).user_id
        await service.exchange.faults(NO_CATALOGUE)
        await SqlAccounts(service.app.database, service.app.vault).add("My shop", "demo", user_id)
        yield service


async def add(service: Collector, **fields: object) -> dict[str, Any]:
    status, made = await service.call("POST", CONFIGS, SYNC | fields)
    assert status == 201, made
    found: dict[str, Any] = made
    return found


async def test_a_sync_is_a_config_of_the_published_shape_without_timeframes(
    database_url: str, tmp_path: Path
) -> None:
    async with shop(database_url, tmp_path) as service:
        made = await add(service, symbol=" My shop ")
        assert (made["symbol"], made["exchange"], made["timeframes"], made["job_id"]) == (
            "My shop",
            "cardtrader",
            [],
            "collect_data_1",
        )
        assert (made["interval_minutes"], made["warnings"]) == (60, [])
        assert made["next_run_at"] > made["created_at"]
        _, candles = await service.call("POST", CONFIGS, {"symbol": "BTCUSDT"})
        assert made.keys() == candles.keys()
        assert await service.get(f"{CONFIGS}?exchange=cardtrader") == [made]
        status, again = await service.call("POST", CONFIGS, SYNC | {"timeframes": []})
        assert (status, "config 1" in again["detail"]) == (409, True)


async def test_a_sync_config_is_previewed_edited_and_disabled_like_any_other(
    database_url: str, tmp_path: Path
) -> None:
    async with shop(database_url, tmp_path) as service:
        status, preview = await service.call(
            "POST",
            f"{ADMIN}/preview",
            {"symbol": "My shop", "exchange": "cardtrader", "cron": "*/2 * * * *"},
        )
        assert (status, len(preview["next_runs"])) == (200, 5)
        assert [warning.partition(":")[0] for warning in preview["warnings"]] == ["cron"]
        await add(service)
        _, edited = await service.call(
            "PUT", f"{CONFIGS}/1", {"cron": "30 3 * * *", "timezone": "Europe/Rome"}
        )
        assert (edited["cron"], edited["interval_minutes"], edited["timeframes"]) == (
            "30 3 * * *",
            None,
            [],
        )
        _, disabled = await service.call("POST", f"{CONFIGS}/1/disable")
        assert (disabled["enabled"], disabled["next_run_at"]) == (False, None)
        _, enabled = await service.call("POST", f"{CONFIGS}/1/enable")
        assert enabled["next_run_at"] is not None


WRONG_FIELDS: list[tuple[Mapping[str, object], str, str]] = [
    ({"symbol": "My shpo"}, "symbol", "use one of My shop"),
    ({"symbol": "another"}, "symbol", "use one of My shop"),
    ({"timeframes": ["1m"]}, "timeframes", "has none"),
    ({"exchange": "cardtrder"}, "exchange", "cardtrader"),
    ({"interval_minutes": 0}, "interval_minutes", ""),
]


async def test_a_wrong_field_is_refused_by_its_name(
    sqlite_database: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    async with shop(sqlite_database, tmp_path) as service:
        for fields, field, hint in WRONG_FIELDS:
            with subtests.test(str(fields)):
                status, problem = await service.call("POST", CONFIGS, SYNC | dict(fields))
                assert (status, problem["field"]) == (422, field)
                assert hint in problem["detail"]
                assert await service.get(CONFIGS) == []


async def test_without_an_account_the_answer_says_how_to_add_one(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        status, problem = await service.call("POST", CONFIGS, SYNC)
        assert (status, problem["field"]) == (422, "symbol")
        assert "penstock accounts add" in problem["detail"]


async def test_a_collection_from_the_marketplace_is_refused_with_the_right_call(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False) as service:
        status, problem = await service.call(
            "POST",
            "/start",
            {"symbols": ["BTCUSDT"], "timeframes": ["1m"], "exchange": "cardtrader"},
        )
        assert (status, problem["field"]) == (422, "exchange")
        assert "penstock sync" in problem["detail"]


async def test_a_config_with_a_new_exchange_gets_the_timeframes_of_that_exchange(
    database_url: str, tmp_path: Path
) -> None:
    async with shop(database_url, tmp_path, work=True) as service:
        await service.call("POST", CONFIGS, {"symbol": "BTCUSDT", "timeframes": ["1m"]})
        status, changed = await service.call(
            "PUT", f"{CONFIGS}/1", {"symbol": "My shop", "exchange": "cardtrader"}
        )
        assert (status, changed["symbol"], changed["timeframes"]) == (200, "My shop", [])
        _, answer = await service.call("POST", f"{CONFIGS}/1/trigger")
        assert (await service.ended(answer["task_id"]))["task_type"] == "inventory_sync"
        _, changed = await service.call(
            "PUT",
            f"{CONFIGS}/1",
            {"symbol": "BTCUSDT", "exchange": "binance", "timeframes": ["1h"]},
        )
        assert (changed["symbol"], changed["timeframes"]) == ("BTC/USDT", ["1h"])


async def test_a_triggered_sync_runs_now_and_is_logged_under_the_job_of_its_config(
    database_url: str, tmp_path: Path
) -> None:
    async with shop(database_url, tmp_path, work=True) as service:
        await add(service, enabled=False)
        status, answer = await service.call("POST", f"{CONFIGS}/1/trigger")
        assert (status, answer["status"]) == (202, "submitted")
        task = await service.ended(answer["task_id"])
        assert (task["status"], task["task_type"], task["job_name"]) == (
            "completed",
            "inventory_sync",
            "collect_data_1",
        )
        [row] = await service.get(
            f"{ADMIN}/execution-logs?job_type=inventory_sync&symbol=My%20shop"
        )
        expected = {
            "job_name": "collect_data_1",
            "exchange": "cardtrader",
            "symbol": "My shop",
            "timeframe": None,
            "status": "success",
        }
        assert row.items() >= (expected | {"records_collected": 300}).items()
        zeros = {"changed": 0, "unchanged": 0, "gone": 0, "returned": 0, "rejected": 0}
        assert row["metadata"]["counts"] == {"new": 300, "unmapped": 300} | zeros
        assert (row["metadata"]["held"], row["metadata"]["dry_run"], row["metadata"]["rows"]) == (
            False,
            False,
            300,
        )
        assert row["metadata"]["bytes"] > 0


async def test_a_trigger_is_refused_while_the_account_is_synced(
    database_url: str, tmp_path: Path
) -> None:
    async with shop(database_url, tmp_path) as service:
        await add(service)
        _, first = await service.call("POST", f"{CONFIGS}/1/trigger")
        status, problem = await service.call("POST", f"{CONFIGS}/1/trigger")
        assert (status, problem["task_id"]) == (409, first["task_id"])


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [("PUT", {"interval_minutes": 7}, 200), ("DELETE", None, 204)],
    ids=["edited", "removed"],
)
async def test_the_sync_of_a_config_that_is_changed_or_deleted_ends_cancelled(
    database_url: str, tmp_path: Path, method: str, body: object, status: int
) -> None:
    async with shop(database_url, tmp_path, work=True) as service:
        await service.exchange.faults(SILENT_EXPORT)
        await add(service)
        _, answer = await service.call("POST", f"{CONFIGS}/1/trigger")
        await service.running(answer["task_id"])
        async with service.session.request(method, f"{CONFIGS}/1", json=body) as changed:
            assert changed.status == status
        task = await service.task(answer["task_id"])
        assert (task["status"], task["error"].startswith("its config was")) == ("cancelled", True)
        await service.until(
            lambda: asyncio.sleep(0, service.app.executor.active), lambda active: active == 0
        )


async def test_syncs_and_candles_are_applied_from_one_list(
    database_url: str, tmp_path: Path
) -> None:
    async with shop(database_url, tmp_path) as service:
        body = {
            "configs": [SYNC, {"symbol": "BTCUSDT", "timeframes": ["1h"], "interval_minutes": 10}]
        }
        status, preview = await service.call("POST", f"{ADMIN}/apply", body | {"dry_run": True})
        assert (status, await service.get(CONFIGS)) == (200, [])
        _, done = await service.call("POST", f"{ADMIN}/apply", body)
        assert done == preview | {"dry_run": False}
        assert [config["symbol"] for config in await service.get(CONFIGS)] == [
            "My shop",
            "BTC/USDT",
        ]
        _, again = await service.call("POST", f"{ADMIN}/apply", body)
        assert again["unchanged"] == 2
        wrong = {"configs": [{"symbol": "ETHUSDT"}, SYNC | {"symbol": "nobody"}]}
        status, problem = await service.call("POST", f"{ADMIN}/apply", wrong)
        assert (status, problem["field"]) == (422, "symbol")
        assert len(await service.get(CONFIGS)) == 2
