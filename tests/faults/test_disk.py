"""A disk that takes no more: what a service says, and how it goes on."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import Penstock, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def penstock(tmp_path: Path, sqlite_database: str) -> AsyncIterator[Penstock]:
    async with simulated() as url:
        yield Penstock(tmp_path).with_settings(
            binance_url=url, database_url=sqlite_database, run_attempts="1"
        )


async def test_a_service_that_can_write_no_more_says_so_and_goes_on_without_a_restart(
    penstock: Penstock, tmp_path: Path
) -> None:
    async with penstock.serving() as service:
        process = service.command.process.pid
        first = await service.ended(await service.start(limit=10))
        assert first["status"] == "completed"
        _, most = limit = resource.prlimit(process, resource.RLIMIT_FSIZE)
        written = (tmp_path / "penstock.db-wal").stat().st_size
        resource.prlimit(process, resource.RLIMIT_FSIZE, (written, most))
        body = {"symbols": ["BTCUSDT"], "timeframes": ["1m"]}
        async with service.session.post("/api/v1/data-collector/start", json=body) as refused:
            problem = await refused.json()
            assert (refused.status, problem["code"]) == (503, "database_unavailable")
            assert "Retry-After" in refused.headers
            assert "its disk is full or fails, or a quota" in problem["detail"]
        assert (await service.call("GET", f"/task/{first['task_id']}"))["status"] == "completed"
        resource.prlimit(process, resource.RLIMIT_FSIZE, limit)
        again = await service.ended(await service.start(timeframes="5m", limit=1_000))
        assert (again["status"], again["counters"]["inserted"]) == ("completed", 1_000)
    assert await penstock.rows("PRAGMA integrity_check") == [("ok",)]
