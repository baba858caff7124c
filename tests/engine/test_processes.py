"""Several processes over one PostgreSQL: they submit the same thing, and they tick the same schedules."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from penstock.core.schedule import Schedule
from penstock.store.schedules import SqlSchedules
from tests.engine.engines import engine
from tests.engine.processes import actors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from penstock.core.run import Submission
    from tests.conftest import Say


@pytest.mark.parametrize("wait", [False, True], ids=["refused", "queued"])
async def test_20_simultaneous_submissions_of_4_processes_are_one_run_and_19_refusals_or_one_queue(
    postgres_database: str, wait: bool, say: Say
) -> None:
    processes, times, rounds = 4, 5, 5
    async with engine(postgres_database) as e, actors() as other:
        for number in range(rounds):
            resources = [f"{number}:{one}" for one in range(40)]
            order = {"resources": resources, "wait": wait, "times": times, "at": time.time() + 0.3, "database_url": postgres_database}
            pids = [await other.start("submit", **order) for _ in range(processes)]
            total: Counter[str] = Counter()
            for pid in pids:
                said = await other.heard(pid, "submitted")
                assert said["others"] == []
                total += Counter(runs=said["runs"], refused=said["refused"])
            assert total == (Counter(runs=20) if wait else Counter(runs=1, refused=19))
            assert await e.states() == Counter(queued=total["runs"] * (number + 1))
            assert len({run for resource, run in (await e.claims()).items() if resource in resources}) == 1
        if wait:
            async with e.working():
                await e.until_all_ended()
    say(f"n={rounds} rounds of {processes} × {times}")


async def test_four_processes_that_tick_a_thousand_times_make_each_due_run_once(postgres_database: str, say: Say) -> None:
    processes, times, seconds = 4, 250, 2

    def never(_connection: Connection, _schedule: Schedule, _busy: Callable[[Sequence[str]], set[str]]) -> Submission | None:
        raise AssertionError

    async with engine(postgres_database) as e, actors() as other:
        every = [Schedule(name=f"every {s}", kind="nothing", interval_s=s, params={}) for s in (1, 2)]
        await SqlSchedules(e.database, never, dead_after_s=30).put(every)
        order = {"times": times, "pause_s": seconds / times, "at": time.time() + 0.3, "database_url": postgres_database}
        pids = [await other.start("tick", **order) for _ in range(processes)]
        submitted = sum([(await other.heard(pid, "ticked"))["submitted"] for pid in pids])
        rows = await e.rows("SELECT job_name, count(*) AS n, count(DISTINCT task_id) AS different FROM run GROUP BY job_name")
        by_name = {row["job_name"]: row["n"] for row in rows}
        assert sum(by_name.values()) == submitted
        assert all(row["n"] == row["different"] for row in rows)
        # The ticks take some seconds more than the pauses between them. No second is there twice; the first one may come late, and one that all of
        # them slept through is made up for by the next one.
        [span] = await e.rows("SELECT extract(epoch FROM max(created_at) - min(created_at)) AS s FROM run WHERE job_name = 'every 1'")
        assert span["s"] / 2 < by_name["every 1"] <= round(span["s"]) + 2
        assert by_name["every 2"] == pytest.approx(by_name["every 1"] / 2, abs=1)
    say(f"n={processes * times} ticks, {submitted} runs")
