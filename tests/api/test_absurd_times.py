"""Times beyond the calendar, as a database of an earlier version may hold them, break no answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from penstock.cli.shown.progress import progress_text
from penstock.columns import Timestamp, metadata
from penstock.runs.tables import run as runs
from tests.api.collector import PREFIX, Collector, collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

# What `Retry-After: 1795878660000` once added to the time: the year 58,936.
_ABSURD = 1_797_674_400_000_000
_WAITS = {
    "unit": "candles",
    "done": 0,
    "total": 10,
    "per_second": 0.0,
    "seconds_left": None,
    "waiting_for": "paused",
    "waiting_until": 10**24,
}
_ADMIN = "/api/v1/admin"


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Collector]:
    async with (
        collector(database_url, scheduler_delay_s=36_000, alert_delay_s=36_000) as found,
        found.app.scheduling(),
    ):
        yield found


def _make_absurd(connection: Connection) -> None:
    """Move every stored time that a provider or a user decides."""
    postgres = connection.dialect.name == "postgresql"
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Timestamp) and not column.primary_key:
                value = f"to_timestamp({_ABSURD // 1000})" if postgres else str(_ABSURD)
                connection.exec_driver_sql(f"UPDATE {table.name} SET {column.name} = {value}")


def _make_wait(connection: Connection) -> None:
    """Let all runs wait for what never comes."""
    connection.execute(update(runs).values(state="running", work=_WAITS))


async def test_absurd_times_are_answered_everywhere(
    service: Collector, subtests: pytest.Subtests
) -> None:
    ended = await service.collect("BTCUSDT", "1m", limit=5)
    config = {"symbol": "BTC/USDT", "timeframes": ["1m"]}
    status, _ = await service.call("POST", f"{_ADMIN}/data-collection/configs", config)
    assert status == 201
    await service.exchange.faults({"name": "ban", "retry_after": 7_200, "count": 1})
    waiting = await service.start("ETHUSDT", "1m", limit=5)
    await service.until(lambda: service.task(waiting), lambda task: task["next_try_at"] is not None)
    await service.app.database.write(_make_absurd)
    for path in (
        f"{PREFIX}/tasks",
        f"{PREFIX}/tasks/active",
        f"{PREFIX}/tasks/stats",
        f"{PREFIX}/status",
        f"{PREFIX}/latest-prices",
        f"{PREFIX}/task/{ended['task_id']}",
        f"{PREFIX}/task/{waiting}",
        f"{_ADMIN}/data-collection/configs",
        f"{_ADMIN}/data-collection/execution-logs",
        f"{_ADMIN}/data-collection/status",
        f"{_ADMIN}/data-collection/stats",
        f"{_ADMIN}/data-collection/health",
        f"{_ADMIN}/alerts",
        f"{_ADMIN}/tokens",
        "/api/v1/schedules",
        "/api/v1/pauses",
        "/api/v1/series",
        "/api/v1/coverage",
        "/api/v1/gaps",
        "/readyz",
    ):
        with subtests.test(path):
            status, body = await service.call("GET", path)
            assert status == 200, body
    await service.app.database.write(_make_wait)
    for path in ("/tasks", "/tasks/active"):
        tasks = (await service.get(PREFIX + path))["tasks"]
        assert {task["waiting"]["until"] for task in tasks} == {"9999-12-31T23:59:59.999Z"}
        assert all(" ms" not in progress_text(task, time.time()) for task in tasks)
