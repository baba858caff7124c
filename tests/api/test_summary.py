"""`GET /summary`: the whole installation in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.collector import collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.collector import Collector

_SUMMARY = "/api/v1/summary"
_CONFIGS = "/api/v1/admin/data-collection/configs"


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Collector]:
    """A service whose schedules are there, and not due during the test."""
    async with (
        collector(database_url, scheduler_delay_s=36_000) as found,
        found.app.scheduling(),
    ):
        yield found


async def _config(service: Collector, symbol: str) -> int:
    new = {"symbol": symbol, "timeframes": ["1m", "1h"]}
    status, made = await service.call("POST", _CONFIGS, new)
    assert status == 201
    return int(made["id"])


async def _triggered(service: Collector, config: int) -> str:
    status, submitted = await service.call("POST", f"{_CONFIGS}/{config}/trigger")
    assert status == 202
    return str(submitted["task_id"])


def _beats(summary: dict[str, Any], name: str) -> list[Any]:
    [found] = [job["beats"] for job in summary["jobs"] if job["name"] == name]
    return list(found)


async def test_a_new_installation_has_jobs_and_no_data(database_url: str) -> None:
    async with (
        collector(database_url, work=False, scheduler_delay_s=36_000) as service,
        service.app.scheduling(),
    ):
        summary = await service.get(_SUMMARY)
    assert summary["working"] is False
    assert summary["series"] == {"total": 0, "incomplete": 0}
    assert (summary["configs"], summary["accounts"], summary["firing"]) == (0, 0, 0)
    assert {job["name"] for job in summary["jobs"]} >= {"collect_data_all", "refresh_symbols"}
    assert summary["jobs_total"] == len(summary["jobs"])
    assert all(job["beats"] == [] for job in summary["jobs"])
    assert len(summary["days"]) == 14
    assert summary["day"]["total_executions"] == 0


async def test_each_execution_of_a_job_is_one_beat_and_failed_jobs_come_first(
    service: Collector,
) -> None:
    good, bad = await _config(service, "BTC/USDT"), await _config(service, "ETH/USDT")
    for _ in range(3):
        await service.ended(await _triggered(service, good))
    await service.exchange.faults(
        {"name": "server_error", "path": "/api/v3/klines", "symbol": "ETHUSDT"}
    )
    await service.ended(await _triggered(service, bad))
    summary = await service.get(_SUMMARY)
    assert summary["working"] is True
    assert summary["jobs"][0]["symbol"] == "ETH/USDT"
    assert (summary["jobs"][0]["config"], summary["jobs"][0]["exchange"]) == (bad, "binance")
    [failed] = summary["jobs"][0]["beats"]
    assert (failed["state"], failed["rows"], failed["failed"]) == ("failed", 1, 1)
    assert failed["error"]
    of_good = _beats(summary, f"collect_data_{good}")
    assert [beat["state"] for beat in of_good] == ["success"] * 3
    assert of_good[0]["records"] > 0 == of_good[1]["records"]
    assert summary["series"]["total"] >= 2
    assert summary["series"]["incomplete"] == summary["series"]["total"] - 2
    assert summary["configs"] == summary["enabled_configs"] == 2


async def test_the_beats_of_named_jobs_are_those_of_the_summary(service: Collector) -> None:
    first, second = await _config(service, "BTC/USDT"), await _config(service, "ETH/USDT")
    await service.ended(await _triggered(service, first))
    reports = "/api/v1/admin/data-collection/reports/beats"
    names = [f"collect_data_{config}" for config in (first, second)]
    found = await service.get(f"{reports}?job_name={names[0]}&job_name={names[1]}")
    assert found == {
        "jobs": [{"job_name": names[0], "beats": _beats(await service.get(_SUMMARY), names[0])}]
    }
    status, problem = await service.call("GET", reports)
    assert (status, problem["field"]) == (422, "job_name")


async def test_what_is_due_next_comes_first(service: Collector) -> None:
    await _config(service, "BTC/USDT")
    upcoming = (await service.get(_SUMMARY))["upcoming"]
    times = [job["next_run_at"] for job in upcoming]
    assert times == sorted(times)
    assert all(times)


async def test_a_budget_names_what_is_used_and_allowed(service: Collector) -> None:
    await service.ended(await service.start())
    [budget] = (await service.get(_SUMMARY))["budgets"]
    assert budget["provider"] == service.exchange.url
    assert 0 < budget["used"] < budget["allowed"]
    assert budget["pause_seconds"] == 0
