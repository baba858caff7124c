"""The run loop: the record shows how the work ended, and nothing continues afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from penstock.errors import (
    ConflictError,
    RateLimitedError,
    RetryableError,
    RunUnavailableError,
    SourceRefusedError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from penstock.runs.runner import Cancelled, PutBack, Runner, RunnerOptions
from tests.engine.engines import FAST, PATIENCE_S, Engine, Held, engine, nothing, raising, started
from tests.engine.faulty import FaultyLedger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.runs.context import RunContext
    from penstock.runs.runner import Outcome


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


async def test_any_error_of_the_work_is_recorded_and_an_ended_run_holds_no_claim(
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


async def test_a_retry_waits_as_long_as_the_provider_asks(database_url: str) -> None:
    async with engine(database_url) as e:
        run = await started(e)
        with pytest.raises(RateLimitedError):
            await Runner(e.ledger, FAST).run(
                run, raising(RateLimitedError("banned", retry_after_s=500))
            )
        assert await due_in_s(e) > 495


async def test_a_check_without_an_answer_from_the_database_does_not_end_the_run(
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


async def test_the_outcome_waits_for_a_database_that_is_briefly_unavailable(
    database_url: str,
) -> None:
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
        assert (row["state"], row["attempt"]) == ("queued", 2), "one failure gives one more attempt"


async def test_an_error_of_the_record_does_not_hide_the_error_of_the_work(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        run = await started(e)
        ledger = FaultyLedger(e.ledger, {"finish": [RuntimeError("something else")]})
        with capture_logs() as logs, pytest.raises(ValueError, match="the cause"):
            await Runner(ledger, FAST).run(run, raising(ValueError("the cause")))
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == [
            "run failed",
            "the end of the run could not be recorded",
        ]


async def test_a_run_that_keeps_killing_its_workers_fails_in_the_end(database_url: str) -> None:
    async with engine(database_url) as e:
        task_id = await e.submit("a")
        await e.take(1)
        await e.change("UPDATE run SET fence = 100")
        await e.bury()
        assert await e.take(1) == []
        row = await e.run_row(task_id)
        assert (row["state"], row["error"]) == ("failed", "its worker died, after 100 starts")
        assert await e.claims() == {}
