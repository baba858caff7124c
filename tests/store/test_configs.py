"""The effect of a config on the scheduler and on the default schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from penstock.errors import ConflictError, FencedError, InvalidInputError
from penstock.market.runs.submission import SCHEDULED_COLLECTION
from penstock.runs.schedule import Schedule
from tests.dispatches import take
from tests.engine.collecting import Collecting, collecting
from tests.simulated import CALM, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = {"symbol": "BTC/USDT", "timeframes": ["1m", "1h"], "interval_minutes": 10}


async def tick(c: Collecting) -> list[dict[str, Any]]:
    """The runs that a tick submits, as rows."""
    before = {row["id"] for row in await c.engine.rows("SELECT id FROM run")}
    await c.app.schedules.tick(50)
    rows = await c.engine.rows("SELECT id, kind, job_name, priority, params FROM run ORDER BY id")
    return [row for row in rows if row["id"] not in before]


async def due(c: Collecting) -> None:
    """Make every schedule due, an hour late."""
    await c.engine.move("schedule", "next_run_at", -3_600)


def series(row: dict[str, Any]) -> list[list[str]]:
    import json  # noqa: PLC0415 - SQLite gives JSON as text to plain SQL

    params = row["params"] if isinstance(row["params"], dict) else json.loads(row["params"])
    return [series_id[:2] for series_id in params["series"]]


async def test_a_due_config_submits_a_run_of_its_series_under_its_job_id(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add(CONFIG)
        assert await tick(c) == [], "the first run is due after the interval"
        await due(c)
        [run] = await tick(c)
        assert (run["kind"], run["job_name"], run["priority"]) == (
            "data_collection",
            "collect_data_1",
            10,
        )
        assert series(run) == [["BTCUSDT", "1m"], ["BTCUSDT", "1h"]]
        assert await tick(c) == []


async def test_a_due_config_leaves_out_busy_series(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add(CONFIG)
        await c.submit(["BTC/USDT"], timeframes=["1h"])
        await due(c)
        [run] = await tick(c)
        assert series(run) == [["BTCUSDT", "1m"]]


async def test_a_disabled_and_a_deleted_config_are_not_due(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add(CONFIG)
        await c.app.configs.store.change(1, {"enabled": False})
        await due(c)
        assert await tick(c) == []
        await c.app.configs.store.change(1, {"enabled": True})
        await due(c)
        await c.app.configs.store.remove(1)
        assert await tick(c) == []
        assert await c.engine.rows("SELECT * FROM schedule") == []


async def test_the_job_id_of_a_deleted_config_is_never_reused(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add(CONFIG)
        await c.app.configs.store.remove(1)
        assert (await c.app.configs.add(CONFIG)).job_id == "collect_data_2"


async def test_a_cron_config_runs_at_its_time_and_makes_up_for_a_sleep_with_one_run(
    database_url: str,
) -> None:
    async with collecting(database_url, **CALM) as c:
        made = await c.app.configs.add(
            {"symbol": "BTC/USDT", "cron": "*/7 * * * *", "timezone": "Europe/Berlin"}
        )
        assert made.next_run_at is not None
        assert made.next_run_at % MINUTE == 0
        await c.engine.move("schedule", "next_run_at", -8 * 3_600)
        assert len(await tick(c)) == 1
        assert await tick(c) == []
        now = await c.app.configs.store.get(1)
        assert now.next_run_at in {made.next_run_at, *now.spec.next_runs()}


async def test_a_clock_set_back_does_not_silence_a_cron_config(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add({"symbol": "BTC/USDT", "cron": "0 0 1 1 *"})
        await due(c)
        await c.engine.move("schedule", "next_run_at", -400 * 24 * 3_600)
        assert len(await tick(c)) == 1
        await c.engine.move("schedule", "next_run_at", 10 * 3_600)
        await c.engine.move("schedule", "last_due_at", 800 * 24 * 3_600)
        await c.engine.change("DELETE FROM run_claim")
        assert len(await tick(c)) == 1
        assert await tick(c) == []


@pytest.mark.parametrize(
    ("enabled", "left"),
    [
        (True, [["BTCUSDT", "5m"], ["ETHUSDT", "1m"], ["ETHUSDT", "5m"]]),
        (False, [["BTCUSDT", "1m"], ["BTCUSDT", "5m"]]),
    ],
)
async def test_the_default_schedule_leaves_out_series_of_enabled_configs(
    database_url: str, enabled: bool, left: Sequence[Sequence[str]]
) -> None:
    async with collecting(
        database_url, symbols="BTC/USDT,ETH/USDT", timeframes="1m,5m", **CALM
    ) as c:
        await c.app.configs.add(
            {"symbol": "BTC/USDT", "timeframes": ["1m", "1h"], "enabled": enabled}
        )
        await c.symbols(2)
        await c.app.configs.spec_of({"symbol": "ETH/USDT"})
        await c.app.schedules.put(
            [
                Schedule(
                    name="collect_data_all",
                    kind=SCHEDULED_COLLECTION,
                    interval_s=300,
                    params={"exchange": "binance"},
                )
            ]
        )
        [run] = await tick(c)
        assert [series_id for series_id in series(run) if series_id in left] == left
        assert (["BTCUSDT", "1m"] in series(run)) is not enabled


async def test_a_worker_unaware_of_a_config_change_writes_nothing_for_the_old_run(
    database_url: str,
) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add(CONFIG)
        task_id = await c.app.ledger.submit(c.app.configs.store.trigger(1))
        [run] = await take(c.app.ledger, 1, task_id=task_id)
        await c.app.configs.change(1, {"interval_minutes": 20})
        with pytest.raises(FencedError):
            await c.app.ledger.is_to_stop(run)
        assert await c.engine.claims() == {}, "another run can claim the series at once"
        assert (await c.engine.run_row(task_id))["state"] == "cancelled"


async def test_a_failed_change_leaves_config_schedule_and_run_unchanged(
    database_url: str,
) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add(CONFIG)
        await c.app.configs.add(CONFIG | {"symbol": "ETH/USDT"})
        task_id = await c.app.ledger.submit(c.app.configs.store.trigger(1))
        before = await c.engine.rows("SELECT * FROM schedule ORDER BY id")
        with pytest.raises(ConflictError):
            await c.app.configs.change(1, {"symbol": "ETH/USDT", "interval_minutes": 99})
        with pytest.raises(InvalidInputError):
            await c.app.configs.change(1, {"cron": "x", "interval_minutes": None})
        assert await c.engine.rows("SELECT * FROM schedule ORDER BY id") == before
        assert (await c.engine.run_row(task_id))["state"] == "queued"
