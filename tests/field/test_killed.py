"""A killed process holds its series for a while: the conflict says for how long."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import TYPE_CHECKING

from tests.acceptance.commands import Penstock, put_faults, simulated

if TYPE_CHECKING:
    from pathlib import Path

_COLLECT = ("collect", "ETHUSDT", "-t", "1m", "--limit", "10")
_PATIENCE_S = 60


async def test_after_kill_9_the_next_collection_says_who_holds_its_series_and_until_when(
    tmp_path: Path, postgres_database: str
) -> None:
    async with simulated("hang:path=/api/v3/klines") as url:
        penstock = Penstock(tmp_path).with_settings(
            database_url=postgres_database,
            binance_url=url,
            request_idle_s="600",
            request_deadline_s="600",
            dead_after_s="600",
        )
        async with penstock.started(*_COLLECT) as killed:
            async with asyncio.timeout(_PATIENCE_S):
                while not (
                    running := await penstock.rows(
                        "SELECT task_id FROM run WHERE state = 'running'"
                    )
                ):
                    await asyncio.sleep(0.05)
            killed.process.kill()
            assert await killed.process.wait() == -signal.SIGKILL
        await put_faults(url)

        refused = await penstock(*_COLLECT)
        assert refused.code == 5
        said = re.fullmatch(
            r"Data collection already running: task (\S+) holds series:binance:\S+"
            r" since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; its last heartbeat was (\d+) s ago:"
            r" if its process is dead, this is free in (\d+) s",
            refused.complaint,
        )
        assert said is not None, refused.complaint
        assert said[1] == running[0][0]
        assert int(said[2]) + int(said[3]) in {599, 600, 601}

        hasty = penstock.with_settings(dead_after_s="1")
        async with asyncio.timeout(_PATIENCE_S):
            while (again := await hasty(*_COLLECT)).code == 5:
                assert re.search(r"free in \d s$", again.complaint)
        assert again.code == 0
        assert await penstock.rows("SELECT state, error FROM run ORDER BY id") == [
            ("succeeded", None),
            ("succeeded", None),
        ]
