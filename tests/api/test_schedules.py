"""`GET /schedules`: everything that runs automatically, including the built-in schedules."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from penstock.runs.tables import schedule
from penstock.store.write.retention import LOG_RETENTION
from tests.api.collector import Collector, collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SCHEDULES = "/api/v1/schedules"
_CONFIGS = "/api/v1/admin/data-collection/configs"
_OWN = ["refresh_symbols", "collect_data_all", "audit", LOG_RETENTION]


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Collector]:
    """A service that creates its schedules and submits nothing during the test."""
    async with (
        collector(database_url, work=False, scheduler_delay_s=36_000) as found,
        found.app.scheduling(),
    ):
        yield found


async def test_built_in_schedules_are_listed_with_their_purpose_and_times(
    service: Collector,
) -> None:
    page = await service.get(_SCHEDULES)
    assert page["next_cursor"] is None
    assert [schedule["name"] for schedule in page["items"]] == _OWN
    for listed in page["items"]:
        assert listed.keys() == {
            "name",
            "task_type",
            "enabled",
            "interval_seconds",
            "cron",
            "timezone",
            "next_run_at",
            "last_run_at",
            "params",
        }
        assert (
            listed["enabled"],
            listed["cron"],
            listed["timezone"],
            listed["last_run_at"],
        ) == (
            True,
            None,
            None,
            None,
        )
        assert dt.datetime.fromisoformat(listed["next_run_at"]).tzinfo == dt.UTC
    assert {
        schedule["name"]: (schedule["task_type"], schedule["interval_seconds"])
        for schedule in page["items"]
    } == {
        "refresh_symbols": ("symbol_refresh", 3_600),
        "collect_data_all": ("scheduled_data_collection", 300),
        "audit": ("audit", 86_400),
        LOG_RETENTION: (LOG_RETENTION, 3_600),
    }
    assert page["items"][2]["params"] == {"exchange": "binance"}


async def test_configs_have_schedules_and_a_disabled_one_has_no_next_run(
    service: Collector,
) -> None:
    async def added(**config: object) -> str:
        status, body = await service.call("POST", _CONFIGS, {"timeframes": ["1m"]} | config)
        assert status == 201, body
        return str(body["job_id"])

    every = await added(symbol="BTC/USDT", interval_minutes=10)
    nightly = await added(symbol="ETH/USDT", cron="30 2 * * *", timezone="Europe/Vienna")
    off = await added(symbol="BNB/USDT", interval_minutes=10, enabled=False)
    shown = {schedule["name"]: schedule for schedule in (await service.get(_SCHEDULES))["items"]}
    assert list(shown) == [*_OWN, every, nightly, off]
    assert (shown[every]["interval_seconds"], shown[every]["cron"]) == (600, None)
    assert (
        shown[nightly]["interval_seconds"],
        shown[nightly]["cron"],
        shown[nightly]["timezone"],
    ) == (None, "30 2 * * *", "Europe/Vienna")
    assert {shown[name]["task_type"] for name in (every, nightly, off)} == {"data_collection"}
    assert [shown[name]["enabled"] for name in (every, nightly, off)] == [True, True, False]
    assert [shown[name]["next_run_at"] is None for name in (every, nightly, off)] == [
        False,
        False,
        True,
    ]
    assert shown[every]["params"]["symbol"] == "BTC/USDT"

    configs = {config["job_id"]: config for config in await service.get(_CONFIGS)}
    assert all(
        configs[name]["next_run_at"] == shown[name]["next_run_at"] for name in (every, nightly, off)
    )
    await service.call("POST", f"{_CONFIGS}/{configs[off]['id']}/enable")
    async with service.session.delete(f"{_CONFIGS}/{configs[every]['id']}") as answer:
        assert answer.status == 204
    shown = {schedule["name"]: schedule for schedule in (await service.get(_SCHEDULES))["items"]}
    assert list(shown) == [*_OWN, nightly, off]
    assert shown[off]["next_run_at"]


async def test_a_schedule_shows_its_last_run(service: Collector) -> None:
    others = update(schedule).where(schedule.c.name != LOG_RETENTION).values(enabled=False)
    await service.app.database.write(lambda connection: connection.execute(others))
    due = update(schedule).values(next_run_at=1_000)
    await service.app.database.write(lambda connection: connection.execute(due))
    [before] = [
        schedule for schedule in (await service.get(_SCHEDULES))["items"] if schedule["enabled"]
    ]
    await service.app.schedules.tick(50)
    [after] = [
        schedule for schedule in (await service.get(_SCHEDULES))["items"] if schedule["enabled"]
    ]
    assert before["next_run_at"] == "1970-01-01T00:00:01Z"
    assert after["next_run_at"] > after["last_run_at"] > before["next_run_at"]


async def test_pages_neither_repeat_nor_lose_one(
    service: Collector, subtests: pytest.Subtests
) -> None:
    for limit in (1, 3, 4):
        found: list[dict[str, Any]] = []
        cursor: int | None = 0
        while cursor is not None:
            page = await service.get(f"{_SCHEDULES}?limit={limit}&cursor={cursor}")
            found += page["items"]
            cursor = page["next_cursor"]
        assert [schedule["name"] for schedule in found] == _OWN
    for wrong in (
        "limit=0",
        "limit=1001",
        "cursor=-1",
        f"cursor={2**31}",
        "cursor=x",
        "name=audit",
    ):
        with subtests.test(wrong):
            status, problem = await service.call("GET", f"{_SCHEDULES}?{wrong}")
            assert (status, problem["code"], problem["field"]) == (
                422,
                "invalid_input",
                wrong.partition("=")[0],
            )
