"""`GET /schedules`: everything that runs automatically, including the built-in schedules."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from penstock.runs.tables import schedule
from penstock.store.write.retention import LOG_RETENTION
from tests.api.collector import PREFIX, Collector, collector
from tests.api.seller import seller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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
            "asleep",
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


async def test_a_sellers_installation_sends_nothing_to_the_exchange_until_it_has_a_market_config(
    database_url: str, tmp_path: Path
) -> None:
    reason = "no market config; a seller's account is there"
    async with seller(database_url, tmp_path, scheduler_delay_s=36_000) as shop:
        service = shop.service

        async def asleep() -> dict[str, str | None]:
            page = await service.get(_SCHEDULES)
            assert all(one["asleep"] is None or one["next_run_at"] is None for one in page["items"])
            return {one["name"]: one["asleep"] for one in page["items"]}

        async def default() -> dict[str, Any]:
            """The default schedule in `/status`, as soon as it is as it is listed."""

            async def shown() -> dict[str, Any]:
                status = await service.get("/status")
                assert bool(status["symbols"]) == (status["symbols_count"] > 0)
                return dict(status["scheduler_status"]["default_schedule"] or {})

            [listed] = [
                one
                for one in (await service.get(_SCHEDULES))["items"]
                if one["name"] == "collect_data_all"
            ]
            return await service.until(shown, lambda found: found == listed)

        async with service.app.scheduling():
            assert await asleep() == dict.fromkeys(_OWN[:3], reason) | {LOG_RETENTION: None}
            assert (await default())["asleep"] == reason
            await service.app.database.write(
                lambda connection: connection.execute(update(schedule).values(next_run_at=1_000))
            )
            ticked = await service.app.schedules.tick(50)
            assert (ticked.submitted, set(ticked.asleep)) == ([LOG_RETENTION], set(_OWN[:3]))
            asked = {request["path"] for request in await service.exchange.requests()}
            assert [path for path in asked if path.startswith("/api/v3")] == []

            config = {"symbol": "BTC/USDT", "timeframes": ["1m"]}
            status, added = await service.call("POST", _CONFIGS, config)
            assert (status, len(added["warnings"])) == (201, 1)
            assert "PENSTOCK_SYMBOLS=none" in added["warnings"][0]
            status, added = await service.call("POST", _CONFIGS, config | {"symbol": "ETH/USDT"})
            assert (status, added["warnings"]) == (201, [])
            assert set((await asleep()).values()) == {None}
            assert (await default())["next_run_at"] is not None


async def test_no_symbols_stop_the_default_schedule_and_a_start_has_to_name_some(
    sqlite_database: str,
) -> None:
    async with (
        collector(sqlite_database, symbols="none", scheduler_delay_s=36_000) as service,
        service.app.scheduling(),
    ):
        listed = {one["name"]: one["asleep"] for one in (await service.get(_SCHEDULES))["items"]}
        assert listed["collect_data_all"] == "PENSTOCK_SYMBOLS is none"
        assert (await service.get("/status"))["symbols"] == []
        assert (await service.get("/tasks/stats"))["data_collector_status"]["symbols_count"] == 0
        status, problem = await service.call("POST", f"{PREFIX}/start", {"timeframes": ["1m"]})
        assert (status, problem["detail"]) == (
            422,
            "symbols: PENSTOCK_SYMBOLS is none; name some",
        )
        assert (await service.collect("BTCUSDT", "1m", limit=5))["status"] == "completed"
