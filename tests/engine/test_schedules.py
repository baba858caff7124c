"""Schedules: each due run exists once, whatever clocks and other processes do."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from penstock.collection.domain import awake
from penstock.errors import StoreUnavailableError
from penstock.runs.run import Submission
from penstock.runs.schedule import Schedule, Ticked
from penstock.runs.scheduler import Scheduler
from penstock.store.write.schedules import SqlSchedules
from penstock.store.write.schedules import schedules as listed
from tests.engine.engines import PATIENCE_S, Engine, background, engine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from tests.conftest import Say
    from tests.trials import Trials

HOUR = 3_600


def plan(
    _connection: Connection, schedule: Schedule, _busy: Callable[[Sequence[str]], set[str]]
) -> Submission | None:
    """A plan that claims what the parameters name; "broken" is a plan that fails."""
    if schedule.params.get("broken"):
        raise KeyError("exchange")
    resources = [str(schedule.params["resource"])] if "resource" in schedule.params else []
    return Submission(kind="nothing", params={}, resources=resources)


def schedules(e: Engine) -> SqlSchedules:
    return SqlSchedules(e.database, e.dispatch, plan)


def every(interval_s: int, name: str = "one", **params: object) -> Schedule:
    return Schedule(name=name, kind="nothing", interval_s=interval_s, params=params)


async def submitted(e: Engine) -> int:
    [row] = await e.rows("SELECT count(*) AS n FROM run")
    return int(row["n"])


async def test_a_due_run_is_submitted_once_under_the_name_of_its_schedule(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        kept = schedules(e)
        await kept.put([every(300)])
        assert (await kept.tick(50)).submitted == ["one"]
        ticked = await kept.tick(50)
        assert (ticked.submitted, ticked.skipped) == ([], [])
        assert ticked.next_in_s is not None
        assert 295 < ticked.next_in_s <= 300
        assert [row["job_name"] for row in await e.rows("SELECT job_name FROM run")] == ["one"]


async def test_a_start_with_other_params_changes_them_and_keeps_the_next_time(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        kept = schedules(e)
        await kept.put([every(300, symbols=None)])
        await kept.tick(50)
        due = await kept.next_due()
        await kept.put([every(300, symbols=["ETH/USDT"])])
        [shown] = await e.database.read(lambda connection: listed(connection, awake, limit=10))
        assert shown.schedule.params == {"symbols": ["ETH/USDT"]}
        assert await kept.next_due() == due


async def test_a_schedule_that_is_asleep_submits_nothing_and_soon_wakes_up(
    database_url: str,
) -> None:
    reasons: dict[str, str] = {}

    def asleep(_connection: Connection, kind: str) -> str | None:
        return reasons.get(kind)

    async with engine(database_url) as e:
        kept = SqlSchedules(e.database, e.dispatch, plan, asleep)
        await kept.put([every(24 * HOUR)])
        reasons["nothing"] = "nobody asked"
        ticked = await kept.tick(50)
        assert (ticked.asleep, ticked.submitted, ticked.skipped, ticked.failed) == (
            {"one": "nobody asked"},
            [],
            [],
            {},
        )
        assert ticked.next_in_s is not None
        assert 295 < ticked.next_in_s <= 300
        assert await submitted(e) == 0
        assert await kept.next_due() is None
        [shown] = await e.database.read(lambda connection: listed(connection, asleep, limit=10))
        assert (shown.asleep, shown.last_run_at) == ("nobody asked", None)
        await e.move("schedule", "next_run_at", -300)
        reasons.clear()
        assert (await kept.tick(50)).submitted == ["one"]


async def test_falling_asleep_and_waking_up_are_logged_once() -> None:
    states = [{"one": "a"}, {"one": "a"}, {"one": "b"}, {}, {}]
    ticks = [
        Ticked(submitted=[] if asleep else ["one"], skipped=[], next_in_s=0.0, asleep=asleep)
        for asleep in states
    ]
    ended = asyncio.Event()

    class Prepared:
        async def tick(self, _most: int) -> Ticked:
            if ticks:
                return ticks.pop(0)
            ended.set()
            return Ticked(submitted=[], skipped=[], next_in_s=None)

    scheduler = Scheduler(Prepared(), check_interval_s=60, first_after_s=0)
    with capture_logs() as logs:
        async with background(scheduler.run()), asyncio.timeout(PATIENCE_S):
            await ended.wait()
    told = [(line["event"], line.get("reason")) for line in logs if line["log_level"] == "info"]
    assert told == [
        ("a schedule is asleep", "a"),
        ("a schedule is asleep", "b"),
        ("a schedule is awake again", None),
    ]


async def test_one_run_makes_up_for_a_long_sleep_and_the_rhythm_stays(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        kept = schedules(e)
        await kept.put([every(300)])
        await kept.tick(50)
        await e.move("schedule", "next_run_at", -8 * HOUR - 100)
        for _ in range(5):
            ticked = await kept.tick(50)
        assert await submitted(e) == 2
        assert ticked.next_in_s is not None
        assert 195 < ticked.next_in_s <= 200, "due at the same seconds of the hour as before"


async def test_a_clock_set_back_by_an_hour_causes_neither_a_flood_of_runs_nor_a_pause(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        kept = schedules(e)
        await kept.put([every(300)])
        await kept.tick(50)
        await e.move("schedule", "next_run_at", HOUR)
        for _ in range(20):
            ticked = await kept.tick(50)
        assert await submitted(e) == 2, "one run at the step"
        assert ticked.next_in_s is not None
        assert ticked.next_in_s <= 300
        await e.move("schedule", "next_run_at", 2)
        assert (await kept.tick(50)).submitted == [], (
            "a clock that is corrected by seconds starts nothing"
        )


async def test_a_clock_set_forward_by_an_hour_causes_one_run(database_url: str) -> None:
    async with engine(database_url) as e:
        kept = schedules(e)
        await kept.put([every(300)])
        await kept.tick(50)
        await e.move("schedule", "next_run_at", -HOUR)
        for _ in range(20):
            await kept.tick(50)
        assert await submitted(e) == 2


async def test_schedules_survive_a_restart_and_a_changed_interval_takes_effect(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        await schedules(e).put([every(300)])
        await schedules(e).tick(50)
    async with engine(database_url, migrated=False) as e:
        await schedules(e).put([every(300)])
        assert (await schedules(e).tick(50)).submitted == [], "a restart starts no run"
        await schedules(e).put([every(60)])
        assert (await schedules(e).tick(50)).submitted == ["one"]
        ticked = await schedules(e).tick(50)
        assert ticked.next_in_s is not None
        assert ticked.next_in_s <= 60


async def test_a_schedule_whose_series_are_all_busy_is_skipped_and_says_so(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        kept = schedules(e)
        await kept.put([every(1, resource="r")])
        await e.submit("r")
        with capture_logs() as logs:
            async with background(Scheduler(kept, check_interval_s=600, first_after_s=0).run()):
                await e.until(lambda: asyncio.sleep(0, result=bool(logs)))
        said = [
            entry
            for entry in logs
            if entry["event"] == "Data collection already running, skipping scheduled collection"
        ]
        assert said[0]["job"] == "one"
        assert await submitted(e) == 1
        [row] = await e.rows("SELECT last_due_at, last_submitted_at FROM schedule")
        assert row["last_due_at"] is not None
        assert row["last_submitted_at"] is None


async def test_a_schedule_that_cannot_be_planned_does_not_stop_others_and_is_logged_once(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        kept = schedules(e)
        await kept.put([every(HOUR, "bad", broken=True), every(HOUR, "good")])
        scheduler = Scheduler(kept, check_interval_s=0.05, first_after_s=0)
        with capture_logs() as logs:
            async with background(scheduler.run()):
                for count in (1, 2, 3):
                    await e.until(lambda count=count: _counted(e, count))  # type: ignore[misc]
                    await e.move("schedule", "next_run_at", -HOUR - 100 * count)
        assert [entry["job"] for entry in logs if entry["log_level"] == "warning"] == ["bad"]


async def _counted(e: Engine, count: int) -> bool:
    return await submitted(e) >= count


class Faulty:
    """Raises the given errors, then reports that nothing is due."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.ticks = 0
        self.enough = asyncio.Event()

    async def tick(self, most: int) -> Ticked:
        assert most > 0
        self.ticks += 1
        if self.errors:
            raise self.errors.pop(0)
        self.enough.set()
        return Ticked(submitted=[], skipped=[], next_in_s=None)


async def test_the_scheduler_survives_failing_reads_and_logs_them_once() -> None:
    faulty = Faulty(
        StoreUnavailableError("away"),
        StoreUnavailableError("away"),
        RuntimeError("nobody expected this"),
    )
    with capture_logs() as logs:
        async with (
            background(Scheduler(faulty, check_interval_s=0.01, first_after_s=0).run()),
            asyncio.timeout(60),
        ):
            await faulty.enough.wait()
    assert [entry["event"] for entry in logs] == [
        "schedules cannot be read",
        "schedules can be read again",
    ]


@pytest.mark.parametrize("ticks", range(5))
async def test_the_scheduler_ends_when_told_to_also_while_a_schedule_changes(
    ticks: int,
) -> None:
    faulty = Faulty()
    scheduler = Scheduler(faulty, check_interval_s=600, first_after_s=0)
    running = asyncio.create_task(scheduler.run())
    await faulty.enough.wait()
    # By now it sleeps.
    for _ in range(10):
        await asyncio.sleep(0)
    scheduler.changed()
    for _ in range(ticks):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=30)
    running.cancel()
    assert done


@dataclass
class Counting:
    """Counts the ticks."""

    inner: SqlSchedules
    ticks: int = 0

    async def tick(self, most: int) -> Ticked:
        self.ticks += 1
        return await self.inner.tick(most)


async def test_a_schedule_locked_by_another_process_is_not_polled_without_pause(
    postgres_database: str,
) -> None:
    # The deadlines of the database are long here, because one transaction waits for the test.
    async with engine(postgres_database, timeout_s=PATIENCE_S) as e:
        kept = Counting(schedules(e))
        await kept.inner.put([every(300)])
        scheduler = Scheduler(kept, check_interval_s=600, first_after_s=0)
        locked, free = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold(connection: Connection) -> None:
            connection.exec_driver_sql("SELECT * FROM schedule FOR UPDATE").all()
            loop.call_soon_threadsafe(locked.set)
            asyncio.run_coroutine_threadsafe(free.wait(), loop).result(PATIENCE_S)

        holding = asyncio.create_task(e.database.write(hold))
        await locked.wait()
        began = loop.time()
        async with background(scheduler.run()):
            while kept.ticks < 4:
                await asyncio.sleep(0.01)
            # However slow the machine: the scheduler sleeps between two ticks.
            assert kept.ticks <= 1 + (loop.time() - began) / 0.2
            free.set()
            await holding
            await e.until(lambda: _counted(e, 1))


async def test_many_loops_submit_each_due_run_once(
    database_url: str, trials: Trials, say: Say
) -> None:
    """Four loops and many ticks; due times move into the past at random, as after a sleep."""
    loops, rounds, ticks, names = 4, trials.of(3, 10), 25, 5
    chosen = random.Random(trials.seed)
    async with engine(database_url) as e:
        await schedules(e).put([every(10 * HOUR, f"s{number}") for number in range(names)])
        due = names
        for _ in range(rounds):
            done = await asyncio.gather(*(_ticks(schedules(e), ticks) for _ in range(loops)))
            assert sum(done) == due, f"seed={trials.seed}"
            due = chosen.randint(1, names)
            await e.move(
                "schedule",
                "next_run_at",
                -11 * HOUR,
                f"id IN (SELECT id FROM schedule ORDER BY id LIMIT {due})",
            )
        [row] = await e.rows("SELECT count(*) AS n, count(DISTINCT task_id) AS different FROM run")
        assert row["n"] == row["different"]
    say(f"n={rounds * loops * ticks} ticks, {row['n']} runs, seed={trials.seed}")


async def _ticks(kept: SqlSchedules, count: int) -> int:
    return sum([len((await kept.tick(3)).submitted) for _ in range(count)])


async def test_a_thousand_schedules_due_at_once_are_all_submitted(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        await schedules(e).put([every(300, f"s{number}") for number in range(1_000)])
        async with background(Scheduler(schedules(e), check_interval_s=600, first_after_s=0).run()):
            await e.until(lambda: _counted(e, 1_000))
        assert await submitted(e) == 1_000
