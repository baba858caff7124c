"""A run that is interrupted, taken over or too late stops, and its record has the reason."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from penstock.errors import FencedError
from penstock.runs.run import RunEnd, RunState
from penstock.runs.runner import Cancelled, PutBack, Runner, RunnerOptions
from penstock.store.write.runs.end import end_job
from tests.engine.engines import FAST, Done, Held, engine, nothing, started

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.runs.context import RunContext
    from penstock.runs.runner import Outcome


async def test_a_run_that_was_taken_over_stops_and_does_not_change_the_record(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        run, held = await started(e), Held()
        with capture_logs() as logs:
            running = asyncio.create_task(Runner(e.ledger, FAST).run(run, held))
            await held.until_begun()
            await e.bury()
            [again] = await e.take(1)
            with pytest.raises(FencedError):
                await running
        assert held.active == 0
        assert (await e.run_row(run.task_id))["state"] == "running"
        assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == [
            "run was taken over by another worker"
        ]
        await e.ledger.finish(again, RunEnd(state=RunState.SUCCEEDED))


async def test_a_run_ended_with_its_config_is_logged_once_as_cancelled_or_taken_over(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        task_id = await e.submit(job_name="mine")
        [run] = await e.take(1, task_id=task_id)
        held, runner = Held(), Runner(e.ledger, FAST)
        with capture_logs() as logs:
            running = asyncio.create_task(runner.run(run, held))
            await held.until_begun()
            await e.database.write(
                lambda connection: end_job(
                    connection,
                    e.dispatch,
                    "mine",
                    states=[RunState.RUNNING],
                    why="its config was changed",
                )
            )
            runner.interrupt(run.id, Cancelled())
            with pytest.raises((Cancelled, FencedError)) as ended:
                await running
        row = await e.run_row(task_id)
        assert (row["state"], row["error"]) == ("cancelled", "its config was changed")
        expected = (
            ["run cancelled"]
            if isinstance(ended.value, Cancelled)
            else ["run was taken over by another worker"]
        )
        assert [entry["event"] for entry in logs if entry["event"] != "run started"] == expected


async def test_a_run_beyond_its_deadline_fails(database_url: str) -> None:
    async with engine(database_url) as e:
        run, held = await started(e), Held()
        with pytest.raises(Exception, match=r"the run did not end within 0.1 s"):
            await Runner(e.ledger, RunnerOptions(deadline_s=0.1)).run(run, held)
        row = await e.run_row(run.task_id)
        assert (row["state"], row["error"], held.active) == (
            "failed",
            "the run did not end within 0.1 s",
            0,
        )


@pytest.mark.parametrize("why", [Cancelled(), PutBack()])
async def test_work_that_ends_during_an_interruption_keeps_its_own_outcome(
    database_url: str, why: Cancelled | PutBack
) -> None:
    async with engine(database_url) as e:
        run, runner = await started(e), Runner(e.ledger, FAST)

        async def work(_context: RunContext) -> Done:
            runner.interrupt(run.id, why)
            return Done()

        await runner.run(run, work)
        assert (await e.run_row(run.task_id))["state"] == "succeeded"
        run = await started(e)
        with pytest.raises(ValueError, match="at once"):
            await runner.run(run, interrupted_and_broken(runner, why))
        assert (await e.run_row(run.task_id))["state"] == "failed"


def interrupted_and_broken(
    runner: Runner, why: Cancelled | PutBack
) -> Callable[[RunContext], Awaitable[Done]]:
    async def work(context: RunContext) -> Done:
        runner.interrupt(context.run.id, why)
        raise ValueError("at once")

    return work


@pytest.mark.parametrize(("why", "state"), [(Cancelled(), "cancelled"), (PutBack(), "queued")])
async def test_an_interruption_stops_the_work_after_the_current_page_is_written(
    database_url: str, why: Cancelled | PutBack, state: str
) -> None:
    async with engine(database_url) as e:
        runner, begun, pages = Runner(e.ledger, FAST), asyncio.Event(), []

        async def work(_context: RunContext) -> Done:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.05)
                pages.append("written")
            return Done()

        runs = [await started(e), await started(e)]
        running = [asyncio.create_task(runner.run(run, work)) for run in runs]
        await begun.wait()
        await asyncio.sleep(0)
        runner.interrupt(runs[0].id, why)
        with pytest.raises(type(why)):
            await running[0]
        assert pages == ["written"]
        assert (await e.run_row(runs[0].task_id))["state"] == state
        assert (await e.run_row(runs[1].task_id))["state"] == "running", "others are left alone"
        runner.interrupt(None, why)
        with pytest.raises(type(why)):
            await running[1]
        assert not runner._holds


async def test_one_worker_can_have_two_starts_of_a_run_and_the_later_one_counts(
    database_url: str,
) -> None:
    """As after a laptop was asleep: a worker is given a run that it is still working on."""
    async with engine(database_url) as e:
        first, held, runner = await started(e), Held(), Runner(e.ledger, FAST)
        early = asyncio.create_task(runner.run(first, held))
        await held.until_begun(1)
        await e.bury()
        [second] = await e.take(1)
        late = asyncio.create_task(runner.run(second, held))
        await held.until_begun(2)
        with pytest.raises(FencedError):
            await early
        held.let_go.set()
        await late
        assert (await e.run_row(first.task_id))["state"] == "succeeded"


async def test_every_task_error_is_logged(database_url: str) -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: heard.append(context))
    async with engine(database_url) as e:
        runner = Runner(e.ledger, FAST)
        for number in range(4):
            run = await started(e)
            interrupted: Callable[[RunContext], Awaitable[Outcome]] = interrupted_and_broken(
                runner, Cancelled()
            )
            work = [interrupted, broken_when_stopped, nothing, nothing][number]
            running = asyncio.create_task(runner.run(run, work))
            await asyncio.sleep(0.02)
            runner.interrupt(None, Cancelled())
            await asyncio.gather(running, return_exceptions=True)
    del running
    gc.collect()
    await asyncio.sleep(0)
    assert [context["message"] for context in heard] == []


async def broken_when_stopped(_context: RunContext) -> Done:
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("while it was stopped")
