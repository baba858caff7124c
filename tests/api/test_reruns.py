"""A task that has ended is run again, with what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import null, update

from penstock.runs.tables import run
from tests.api.collector import SILENT, collector
from tests.api.configs import CONFIGS, add
from tests.api.test_tasks import UNKNOWN

if TYPE_CHECKING:
    from tests.api.collector import Collector

_SAME = ("task_type", "job_name", "message")


async def _again(service: Collector, task_id: str) -> str:
    status, body = await service.call("POST", f"/task/{task_id}/rerun")
    assert (status, body["status"]) == (202, "submitted"), body
    again: str = body["task_id"]
    assert again != task_id
    return again


async def test_a_failed_task_runs_again_with_what_it_was_given(database_url: str) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults({"name": "server_error", "path": "/api/v3/klines"})
        first = await service.ended(await service.start("BTCUSDT ETH/USDT", "1m 5m"))
        assert first["status"] == "failed"
        await service.exchange.faults()
        second = await service.ended(await _again(service, first["task_id"]))
        assert second["status"] == "completed"
        assert second["task_type"] == first["task_type"]
        assert second["counters"]["inserted"] == 400
        third = await service.ended(await _again(service, second["task_id"]))
        assert {name: third[name] for name in _SAME} == {name: second[name] for name in _SAME}


async def test_a_run_of_a_config_stays_one_of_its_job(database_url: str) -> None:
    async with collector(database_url) as service:
        made = await add(service)
        _, submitted = await service.call("POST", f"{CONFIGS}/{made['id']}/trigger")
        await service.ended(submitted["task_id"])
        again = await service.ended(await _again(service, submitted["task_id"]))
        assert (again["status"], again["job_name"]) == ("completed", made["job_id"])


async def test_a_rerun_claims_what_the_task_claimed(database_url: str) -> None:
    async with collector(database_url) as service:
        first = await service.ended(await service.start("BTCUSDT"))
        await service.exchange.faults(SILENT)
        active = await service.start("BTCUSDT")
        waiting = await service.start("BTCUSDT", wait=True)
        for task_id in (first["task_id"], active, waiting):
            status, problem = await service.call("POST", f"/task/{task_id}/rerun")
            assert status == 409, problem
        await service.call("POST", f"/task/{waiting}/cancel")
        await service.exchange.faults()
        await service.call("POST", f"/task/{active}/cancel")
        await service.ended(active)
        # One that never began has waited for the same.
        again = await service.ended(await _again(service, waiting))
        assert (again["status"], again["message"]) == ("completed", first["message"])


async def test_a_refresh_of_symbols_runs_again(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service:
        _, submitted = await service.call("POST", "/refresh-symbols")
        await service.ended(submitted["task_id"])
        again = await service.ended(await _again(service, submitted["task_id"]))
        assert (again["task_type"], again["status"]) == ("symbol_refresh", "completed")


async def test_a_missing_task_and_one_of_an_earlier_version_cannot_run_again(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database) as service:
        status, problem = await service.call("POST", f"/task/{UNKNOWN}/rerun")
        assert (status, problem["detail"]) == (404, f"there is no task {UNKNOWN}")
        task_id = (await service.collect("BTCUSDT"))["task_id"]
        await service.app.database.write(
            lambda connection: connection.execute(update(run).values(resources=null()))
        )
        status, problem = await service.call("POST", f"/task/{task_id}/rerun")
        assert (status, problem["detail"]) == (
            409,
            f"task {task_id} is from before an upgrade and cannot run again; start a new one",
        )
