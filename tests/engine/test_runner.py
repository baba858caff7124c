"""The run loop: however the work ends, the record says so; and nothing goes on after it."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from penstock.errors import (
    ConflictError,
    FencedError,
    RateLimitedError,
    RetryableError,
    RunUnavailableError,
    SourceRefusedError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from penstock.runs.run import RunEnd, RunState
from penstock.runs.runner import Cancelled, PutBack, Runner, RunnerOptions
from penstock.store.write.runs.end import end_job
from tests.engine.engines import FAST, PATIENCE_S, Done, Engine, Held, engine, nothing
from tests.engine.faulty import FaultyLedger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.runs.context import RunContext
    from penstock.runs.run import Run
    from penstock.runs.runner import Outcome


async def started(e: Engine, *resources: str) -> Run:
    task_id = await e.submit(*resources)
    [run] = await e.take(1, task_id=task_id)
    return run


def raising(error: BaseException) -> Callable[[RunContext], Awaitable[Done]]:
    async def work(_context: RunContext) -> Done:
        raise error

    return work


class Unrecordable:
    def summary(self) -> dict[str, object]:
        return {"note": object()}


class Nameless(Exception):  # noqa: N818 - an error without any text
    pass


ENDINGS: list[tuple[BaseException, str]] = [
    (ValueError("nobody expected this"), "failed"),
    (Nameless(), "failed"),
    (KeyError("x"), "failed"),
    (SourceRefusedError("no such symbol"), "failed"),
    (ConflictError("held"), "failed"),
    (Cancelled(), "cancelled"),
    (asyncio.CancelledError(), "cancelled"),
    (PutBack(), "queued"),
    (SourceUnavailableError("out"), "queued"),
    (StoreUnavailableError("locked"), "queued"),
    (RunUnavailableError("every series failed"), "queued"),
]


async def test_whatever_the_work_raises_is_recorded_and_nothing_is_held_by_an_ended_run(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        for error, state in ENDINGS:
            run = await started(e, "a", "b")
            with pytest.raises(type(error)):
                await Runner(e.ledger, FAST).run(run, raising(error))
            row = await e.run_row(run.task_id)
            assert row["state"] == state, repr(error)
            assert bool(row["error"]) == (state == "failed" or isinstance(error, RetryableError)), (
                repr(error)
            )
            assert (row["finished_at"] is not None) == (state != "queued"), repr(error)
            assert set(await e.claims()) == ({"a", "b"} if state == "queued" else set()), repr(
                error
            )
            await e.change("DELETE FROM run_claim")


async def test_success_is_recorded_with_its_result(database_url: str) -> None:
    async with engine(database_url) as e:
        run = await started(e)
        await Runner(e.ledger, FAST).run(run, nothing)
        row = await e.run_row(run.task_id)
        assert (row["state"], row["error"], row["progress"]) == ("succeeded", None, 100)
        assert "done" in str(row["result"])


async def test_a_result_that_cannot_be_recorded_fails_the_run(database_url: str) -> None:
    async def work(_context: RunContext) -> Unrecordable:
        return Unrecordable()

    async with engine(database_url) as e:
        run = await started(e)
        with pytest.raises(Exception, match="not JSON serializable"):
            await Runner(e.ledger, FAST).run(run, work)
        assert (await e.run_row(run.task_id))["state"] == "failed"


async def test_an_error_of_any_text_is_recorded(database_url: str) -> None:
    async with engine(database_url) as e:
        for text in (
            "a\0b",
            "half a character \ud800",
            "x" * 100_000,
            'it\'s "broken"; DROP TABLE run; -- ☃ %s :name \\',
        ):
            run = await started(e)
            with pytest.raises(ValueError, match=r".*"):
                await Runner(e.ledger, FAST).run(run, raising(ValueError(text)))
            row = await e.run_row(run.task_id)
            assert (row["state"], row["error"][:1]) == ("failed", text[:1])
            run = await started(e)
            await Runner(e.ledger, FAST).run(run, saying(text))
            assert (await e.run_row(run.task_id))["state"] == "succeeded"


def saying(text: str) -> Callable[[RunContext], Awaitable[Outcome]]:
    class Said:
        def summary(self) -> dict[str, object]:
            return {"failures": {text[:10]: [text]}}

    async def work(_context: RunContext) -> Said:
        return Said()

    return work


async def test_a_retry_is_due_later_each_time_and_the_last_attempt_fails(database_url: str) -> None:
    options = RunnerOptions(heartbeat_s=0.1, attempts=3, retry_s=1_000.0)
    async with engine(database_url) as e:
        task_id = await e.submit("a")
        waits = []
        for attempt in (1, 2, 3):
            [run] = await e.take(1)
            assert run.attempt == attempt
            with pytest.raises(SourceUnavailableError):
                await Runner(e.ledger, options).run(run, raising(SourceUnavailableError("out")))
            row = await e.run_row(task_id)
            assert (row["error"], row["attempt"]) == ("out", min(attempt + 1, 3))
            if attempt < 3:
                assert row["state"] == "queued"
                assert await e.take(1) == [], "it is not due yet"
                waits.append(await due_in_s(e))
                await e.make_due()
        assert row["state"] == "failed"
        assert await e.claims() == {}
        assert 480 < waits[0] <= 1_000 < waits[1] + 20 <= 2_020


async def due_in_s(e: Engine) -> float:
    statement = (
        "SELECT (next_try_at - (julianday('now') - 2440587.5) * 86400000) / 1000 AS s FROM run"
    )
    if e.database.file is None:
        statement = "SELECT extract(epoch FROM next_try_at - clock_timestamp()) AS s FROM run"
    return float((await e.rows(statement))[0]["s"])


async def test_a_provider_that_says_how_long_is_not_asked_before(database_url: str) -> None:
    async with engine(database_url) as e:
        run = await started(e)
        with pytest.raises(RateLimitedError):
            await Runner(e.ledger, FAST).run(
                run, raising(RateLimitedError("banned", retry_after_s=500))
            )
        assert await due_in_s(e) > 495


async def test_a_check_that_the_database_does_not_answer_does_not_end_the_run(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        run, held = await started(e), Held()
        ledger = FaultyLedger(e.ledger, {"is_to_stop": [StoreUnavailableError("away")] * 3})
        running = asyncio.create_task(
            Runner(ledger, RunnerOptions(heartbeat_s=0.02)).run(run, held)
        )
        async with asyncio.timeout(PATIENCE_S):
            while ledger.calls["is_to_stop"] < 5:
                await asyncio.sleep(0.01)
        held.let_go.set()
        await running
        assert (await e.run_row(run.task_id))["state"] == "succeeded"


async def test_a_run_that_was_taken_over_stops_working_and_leaves_the_record_alone(
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


async def test_a_run_that_is_ended_with_its_job_is_told_as_cancelled_and_no_more(
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
        told = (
            ["run cancelled"]
            if isinstance(ended.value, Cancelled)
            else ["run was taken over by another worker"]
        )
        assert [entry["event"] for entry in logs if entry["event"] != "run started"] == told


async def test_a_run_that_goes_beyond_its_deadline_fails(database_url: str) -> None:
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
async def test_work_that_ends_at_the_moment_of_an_interruption_has_ended_by_itself(
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
async def test_an_interruption_stops_the_work_after_the_page_that_is_being_written(
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
        assert runner.active == 0


async def test_the_outcome_waits_for_a_database_that_is_away_for_a_while(database_url: str) -> None:
    async with engine(database_url) as e:
        for method, work, state in (
            ("finish", nothing, "succeeded"),
            ("finish", raising(ValueError()), "failed"),
        ):
            run = await started(e)
            ledger = FaultyLedger(e.ledger, {method: [StoreUnavailableError("away")]})
            await asyncio.gather(Runner(ledger, FAST).run(run, work), return_exceptions=True)
            assert (await e.run_row(run.task_id))["state"] == state
        run = await started(e)
        ledger = FaultyLedger(e.ledger, {"requeue": [StoreUnavailableError("away")]})
        await asyncio.gather(
            Runner(ledger, FAST).run(run, raising(SourceUnavailableError("out"))),
            return_exceptions=True,
        )
        assert (await e.run_row(run.task_id))["state"] == "queued"


async def test_an_outcome_whose_acknowledgement_was_lost_stands(database_url: str) -> None:
    async with engine(database_url) as e:
        run = await started(e)
        await Runner(
            FaultyLedger(e.ledger, unheard={"finish": [StoreUnavailableError("cut")]}), FAST
        ).run(run, nothing)
        assert (await e.run_row(run.task_id))["state"] == "succeeded"
        run = await started(e)
        ledger = FaultyLedger(e.ledger, unheard={"requeue": [StoreUnavailableError("cut")]})
        with pytest.raises(SourceUnavailableError):
            await Runner(ledger, FAST).run(run, raising(SourceUnavailableError("out")))
        row = await e.run_row(run.task_id)
        assert (row["state"], row["attempt"]) == ("queued", 2), "one failure is one further attempt"


async def test_the_error_of_the_work_is_not_hidden_by_one_of_the_record(database_url: str) -> None:
    async with engine(database_url) as e:
        run = await started(e)
        ledger = FaultyLedger(e.ledger, {"finish": [RuntimeError("something else")]})
        with capture_logs() as logs, pytest.raises(ValueError, match="the cause"):
            await Runner(ledger, FAST).run(run, raising(ValueError("the cause")))
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
            "run failed",
            "the end of the run could not be recorded",
        ]


async def test_one_worker_can_have_two_starts_of_a_run_and_the_later_one_counts(
    database_url: str,
) -> None:
    """As after a laptop was asleep: the worker is given what it is still working on itself."""
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


async def test_a_run_that_kills_its_workers_is_given_up_in_the_end(database_url: str) -> None:
    async with engine(database_url) as e:
        task_id = await e.submit("a")
        await e.take(1)
        await e.change("UPDATE run SET fence = 100")
        await e.bury()
        assert await e.take(1) == []
        row = await e.run_row(task_id)
        assert (row["state"], row["error"]) == ("failed", "its worker died, after 100 starts")
        assert await e.claims() == {}


async def test_no_task_error_goes_unheard(database_url: str) -> None:
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
