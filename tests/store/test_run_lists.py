"""Lists of runs in a table with many old runs."""

from __future__ import annotations

import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from penstock.runs.queries import RunList, RunQueries
from penstock.runs.tables import run as runs
from tests.explained import explained
from tests.market_builders import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

_RUNS = 20_000
_QUERIES = RunQueries(listed_s=300, stuck_after_s=1_800)
READS: dict[str, Callable[[Connection], object]] = {
    "list": lambda connection: _QUERIES.listed(connection, RunList(limit=100)),
    "counts": _QUERIES.counts,
    "active": _QUERIES.active,
    "ended": lambda connection: _QUERIES.ended_since(connection, None, ago_s=60, limit=100),
}


async def test_a_list_of_runs_reads_only_the_runs_in_it(database_url: str) -> None:
    async with opened(database_url) as store:
        await store.database.write(
            lambda connection: connection.execute(insert(runs), ended(_RUNS))
        )
        if store.database.file is None:
            # As autovacuum does; SQLite has no such process.
            await store.change("ANALYZE run")
        plans = await store.database.read(
            lambda connection: {
                name: explained(connection, partial(read, connection), -1)
                for name, read in READS.items()
            }
        )
    for name, plan in plans.items():
        assert "run_finished" in plan or "run_state" in plan, f"{name}\n{plan}"
        for word in ("Seq Scan on run", "SCAN run\n"):
            assert word not in plan, f"{name}\n{plan}"


def ended(count: int) -> list[dict[str, Any]]:
    """Runs that ended long ago, one minute apart."""
    common = {
        "kind": "data_collection",
        "params": {},
        "fence": 1,
        "priority": 10,
        "state": "succeeded",
        "progress": 100,
    }
    times = ("created_at", "started_at", "finished_at", "progress_at", "progress_at")
    return [
        common
        | {"task_id": str(uuid.uuid4())}
        | dict.fromkeys(times, 1_700_000_000_000 + 60_000 * number)
        for number in range(count)
    ]
