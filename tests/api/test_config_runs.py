"""Runs of configs: triggered, and cancelled when the config changes."""

from __future__ import annotations

import asyncio

import pytest

from tests.api.collector import SILENT, collector
from tests.api.configs import CONFIGS, add, refused


async def test_a_triggered_config_collects_now_under_its_own_name(database_url: str) -> None:
    async with collector(database_url) as service:
        await add(service, enabled=False)
        status, answer = await service.call("POST", f"{CONFIGS}/1/trigger")
        assert (status, answer["status"]) == (202, "submitted")
        task = await service.ended(answer["task_id"])
        assert (task["status"], task["task_type"], task["job_name"]) == (
            "completed",
            "data_collection",
            "collect_data_1",
        )
        assert task["counters"]["inserted"] == 200


async def test_a_trigger_is_refused_while_a_task_holds_one_of_its_series(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        await add(service)
        running = await service.start("SOLUSDT", "1h")
        problem = await refused(service, "POST", f"{CONFIGS}/1/trigger", None, 409)
        assert problem["task_id"] == running


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/1", {"timeframes": ["5m"]}, 200),
        ("PUT", "/1", {"interval_minutes": 7}, 200),
        ("DELETE", "/1", None, 204),
    ],
)
async def test_the_run_of_a_changed_or_deleted_config_is_cancelled_and_writes_nothing_more(
    database_url: str, method: str, path: str, body: object, status: int
) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults(SILENT)
        await add(service)
        _, answer = await service.call("POST", f"{CONFIGS}/1/trigger")
        await service.running(answer["task_id"])
        async with service.session.request(method, CONFIGS + path, json=body) as changed:
            assert changed.status == status
        task = await service.task(answer["task_id"])
        assert (task["status"], task["error"].startswith("its config was")) == ("cancelled", True)
        await service.until(
            lambda: asyncio.sleep(0, service.app.executor.active), lambda active: active == 0
        )
        await service.exchange.faults()
        await service.start("SOLUSDT", "1m 1h", limit=1)
        assert (await service.task(answer["task_id"]))["counters"]["inserted"] == 0


async def test_a_new_description_or_disabling_the_config_lets_its_run_continue(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database) as service:
        await service.exchange.faults(SILENT)
        await add(service)
        _, answer = await service.call("POST", f"{CONFIGS}/1/trigger")
        await service.running(answer["task_id"])
        await service.call(
            "PUT", f"{CONFIGS}/1", {"description": "another", "interval_minutes": 10}
        )
        _, disabled = await service.call("POST", f"{CONFIGS}/1/disable")
        assert (disabled["enabled"], disabled["next_run_at"]) == (False, None)
        assert (await service.task(answer["task_id"]))["status"] == "running"


async def test_a_queued_run_of_a_disabled_config_is_cancelled(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        await add(service)
        _, answer = await service.call("POST", f"{CONFIGS}/1/trigger")
        await service.call("POST", f"{CONFIGS}/1/disable")
        assert (await service.task(answer["task_id"]))["status"] == "cancelled"
        _, enabled = await service.call("POST", f"{CONFIGS}/1/enable")
        assert enabled["next_run_at"] is not None
