"""Several processes over one PostgreSQL submit the same thing and tick the same schedules."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from penstock.runs.schedule import Schedule
from penstock.store.write.schedules import SqlSchedules
from tests.engine.engines import Engine, engine
from tests.engine.processes import actors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from penstock.runs.run import Submission
    from tests.conftest import Say
    from tests.trials import Trials


@pytest.mark.parametrize("wait", [False, True], ids=["refused", "queued"])
async def test_20_simultaneous_submissions_of_4_processes_give_one_run_or_one_queue(
    postgres_database: str, wait: bool, trials: Trials, say: Say
) -> None:
    processes, times, rounds = 4, 5, trials.of(2, 5)
    async with engine(postgres_database) as e, actors() as other:
        for number in range(rounds):
            resources = [f"{number}:{place}" for place in range(40)]
            order = {
                "resources": resources,
                "wait": wait,
                "times": times,
                "at": time.time() + 0.3,
                "database_url": postgres_database,
            }
            pids = [await other.start("submit", **order) for _ in range(processes)]
            total: Counter[str] = Counter()
            for pid in pids:
                said = await other.heard(pid, "submitted")
                assert said["others"] == []
                total += Counter(runs=said["runs"], refused=said["refused"])
            assert total == (Counter(runs=20) if wait else Counter(runs=1, refused=19))
            assert await e.states() == Counter(queued=total["runs"] * (number + 1))
            assert (
                len({run for resource, run in (await e.claims()).items() if resource in resources})
                == 1
            )
        if wait:
            async with e.working():
                await e.until_all_ended()
    say(f"n={rounds} rounds of {processes} × {times}")


async def test_four_processes_that_tick_together_submit_each_due_run_once(
    postgres_database: str, trials: Trials, say: Say
) -> None:
    processes, rounds, names, hour = 4, trials.of(20, 250), 5, 3_600

    def never(
        _connection: Connection, _schedule: Schedule, _busy: Callable[[Sequence[str]], set[str]]
    ) -> Submission | None:
        raise AssertionError

    async with engine(postgres_database) as e, actors() as other:
        every = [
            Schedule(name=f"s{number}", kind="nothing", interval_s=10 * hour, params={})
            for number in range(names)
        ]
        await SqlSchedules(e.database, e.dispatch, never).put(every)
        pids = [await other.start("tick", database_url=postgres_database) for _ in range(processes)]
        for number in range(rounds):
            await e.until(lambda number=number: made(e, names * (number + 1)))  # type: ignore[misc]
            # As after a sleep, but at another second each time: one due time gives one run.
            await e.move("schedule", "next_run_at", -10 * hour - 10)
        await e.until(lambda: made(e, names * (rounds + 1)))
        await e.change("DELETE FROM schedule")
        said = [await other.heard(pid, "ticked") for pid in pids]
        rows = await e.rows(
            "SELECT job_name, count(*) AS n, count(DISTINCT task_id) AS different FROM run"
            " GROUP BY job_name"
        )
        assert {row["job_name"]: row["n"] for row in rows} == {
            schedule.name: rounds + 1 for schedule in every
        }
        assert all(row["n"] == row["different"] for row in rows)
        submitted = sum(message["submitted"] for message in said)
        assert submitted == names * (rounds + 1)
    ticks, by_process = (
        sum(message["ticks"] for message in said),
        [message["submitted"] for message in said],
    )
    say(f"n={ticks} ticks, {submitted} runs, by process {by_process}")


async def made(e: Engine, count: int) -> bool:
    [row] = await e.rows("SELECT count(*) AS n FROM run")
    assert row["n"] <= count
    return int(row["n"]) == count
