"""The executor survives errors, notices cancellations, and leaves nothing behind at its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from penstock.errors import SourceUnavailableError, StoreUnavailableError
from penstock.runs.events import CancelAsked
from tests.engine.engines import PATIENCE_S, Done, Held, background, engine
from tests.engine.faulty import FaultyLedger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.runs.context import RunContext


def messages(logs: Sequence[Mapping[str, Any]], *levels: str) -> list[str]:
    return [entry["event"] for entry in logs if entry["log_level"] in levels]


async def test_the_executor_survives_failing_fetches_and_logs_the_outage_and_its_end_once(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        failures: list[BaseException] = [
            StoreUnavailableError("away"),
            StoreUnavailableError("away"),
            RuntimeError("nobody expected this"),
        ]
        ledger = FaultyLedger(e.ledger, {"begin": failures})
        task_id = await e.submit()
        with capture_logs() as logs:
            async with e.working(ledger=ledger, poll_s=0.02):
                await e.until_state(task_id, "succeeded")
        assert messages(logs, "warning", "error") == ["no runs can be taken"]
        assert messages(logs, "info").count("runs can be taken again") == 1


async def test_a_mistake_in_delivery_is_logged_as_what_it_is_with_its_traceback(
    postgres_database: str,
) -> None:
    async with engine(postgres_database) as e:
        with capture_logs() as logs:
            async with e.working(max_concurrent="five"), asyncio.timeout(PATIENCE_S):
                while not logs:
                    await asyncio.sleep(0.01)
        [entry] = logs
        assert entry["event"] == "no runs can be taken"
        assert isinstance(entry["exc_info"], TypeError)
        assert "database" not in entry["error"]


async def test_a_retryable_failure_is_tried_again_until_it_succeeds(database_url: str) -> None:
    attempts: list[int] = []

    async def work(context: RunContext) -> Done:
        attempts.append(context.run.attempt)
        if context.run.attempt < 3:
            raise SourceUnavailableError("out")
        return Done()

    async with engine(database_url) as e, e.working({"work": work}):
        row = await e.until_state(await e.submit("a", kind="work"), "succeeded")
        assert (attempts, row["error"], await e.claims()) == ([1, 2, 3], None, {})


async def test_a_run_of_an_unknown_kind_fails_with_the_reason(database_url: str) -> None:
    async with engine(database_url) as e, e.working():
        row = await e.until_state(await e.submit(kind="of the future"), "failed")
        assert row["error"] == "this version knows no runs of kind of the future"


async def test_a_queued_run_is_cancelled_at_once_and_never_starts(database_url: str) -> None:
    async with engine(database_url) as e:
        task_id = await e.submit("a")
        assert await e.ledger.cancel(task_id) == "queued"
        assert (await e.run_row(task_id))["state"] == "cancelled"
        assert (await e.claims(), await e.take(5)) == ({}, [])


async def test_a_running_run_is_cancelled_long_before_its_next_heartbeat(
    database_url: str,
) -> None:
    held = Held()
    async with engine(database_url) as e:
        # Before the worker: it would see a run that comes before it listens at its next poll.
        task_id = await e.submit("a", kind="held")
        async with e.working({"held": held}, heartbeat_s=600.0, poll_s=600.0):
            await held.until_begun()
            assert await e.ledger.cancel(task_id) == "running"
            await e.until_state(task_id, "cancelled")
            assert (held.active, await e.claims()) == (0, {})


async def test_a_cancellation_during_the_start_of_a_run_is_not_lost(
    database_url: str,
) -> None:
    held = Held()
    async with engine(database_url) as e:
        task_id = await e.submit("a", kind="held")

        async def cancel() -> None:
            with e.database.events.subscribed() as subscription:
                await e.ledger.cancel(task_id)
                async for events in subscription:
                    if any(isinstance(event, CancelAsked) for event in events):
                        break
            # Earlier subscribers have handled the event by now.
            for _ in range(10):
                await asyncio.sleep(0)

        ledger = FaultyLedger(e.ledger, after_begin=cancel)
        async with e.working({"held": held}, ledger=ledger, heartbeat_s=600.0):
            await e.until_state(task_id, "cancelled")


async def test_a_cancellation_while_a_run_fails_is_not_lost_in_the_retry(
    database_url: str,
) -> None:
    async with engine(database_url) as e:

        async def work(context: RunContext) -> Done:
            await e.ledger.cancel(context.run.task_id)
            raise SourceUnavailableError("out")

        executor = e.executor({"work": work}, retry_s=600.0)
        task_id = await e.submit("a", kind="work")
        [run] = await e.take(1)
        with pytest.raises(SourceUnavailableError):
            await executor.work(run)
        assert (await e.run_row(task_id))["state"] == "cancelled"
        assert await e.claims() == {}


async def test_a_dead_run_with_a_requested_cancellation_is_cancelled_and_not_restarted(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        task_id = await e.submit("a")
        await e.take(1)
        await e.ledger.cancel(task_id)
        await e.bury()
        assert await e.take(1) == []
        assert (await e.run_row(task_id))["state"] == "cancelled"
        assert await e.claims() == {}


async def test_when_the_executor_ends_every_run_is_put_back_with_its_claims(
    database_url: str,
) -> None:
    held, written = Held(), []

    async def slow_page(context: RunContext) -> Done:
        try:
            return await held(context)
        finally:
            for _ in range(10):
                await asyncio.sleep(0)
            written.append(context.run.id)

    async def deaf(context: RunContext) -> Done:
        while True:
            try:
                return await held(context)
            except asyncio.CancelledError:
                await asyncio.sleep(1.2)

    async with engine(database_url) as e:
        for number, kind in enumerate(("held", "held", "slow", "deaf", "held")):
            await e.submit(f"r{number}", kind=kind)
        await e.submit("waits", kind="held")
        async with background(
            e.dispatch.run(
                e.executor({"held": held, "slow": slow_page, "deaf": deaf}, shutdown_s=1.0)
            )
        ) as running:
            await held.until_begun(5)
            running.cancel()
            await asyncio.wait([running], timeout=PATIENCE_S)
            assert running.done()
        assert await e.states() == {"queued": 6}
        assert set(await e.claims()) == {"r0", "r1", "r2", "r3", "r4", "waits"}
        assert len(written) == 1, "the page that was being written is finished"
        held.let_go.set()
        async with e.working({"held": held, "slow": slow_page, "deaf": deaf}):
            await e.until_all_ended()
        assert await e.states() == {"succeeded": 6}
        assert {row["attempt"] for row in await e.rows("SELECT attempt FROM run")} == {1}, (
            "a run that is put back has not failed"
        )


async def test_runs_being_taken_when_the_executor_ends_are_put_back_too(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        taking, held = asyncio.Event(), Held()

        async def say() -> None:
            taking.set()
            await asyncio.sleep(0.1)

        for number in range(3):
            await e.submit(f"r{number}", kind="held")
        async with background(
            e.dispatch.run(
                e.executor({"held": held}, ledger=FaultyLedger(e.ledger, after_begin=say))
            )
        ):
            await taking.wait()
        assert await e.states() == {"queued": 3}
        assert held.active == 0


async def test_a_run_delivered_while_others_are_put_back_is_put_back_too(
    sqlite_database: str,
) -> None:
    async with engine(sqlite_database) as e:
        begun, held = [asyncio.Event(), asyncio.Event()], Held()

        async def say() -> None:
            begun[begun[0].is_set()].set()
            await asyncio.sleep(0.1)

        ids = [(await e.run_row(await e.submit(f"r{n}", kind="held")))["id"] for n in range(2)]
        executor = e.executor({"held": held}, ledger=FaultyLedger(e.ledger, after_begin=say))
        first = executor.start(ids[0], 1, 0)
        await begun[0].wait()
        ending = asyncio.create_task(executor.put_back())
        await asyncio.sleep(0.05)
        second = executor.start(ids[1], 1, 0)
        await asyncio.gather(begun[1].wait(), ending, first, second)
        assert await e.states() == {"queued": 2}


@pytest.mark.parametrize("ticks", range(6))
async def test_the_executor_ends_on_request_also_when_woken_at_the_same_moment(
    sqlite_database: str, ticks: int
) -> None:
    async with engine(sqlite_database) as e:
        executor = e.executor(poll_s=600.0)
        running = asyncio.create_task(e.dispatch.run(executor))
        await e.until_state(await e.submit(), "succeeded")
        await asyncio.sleep(0.05)
        e.dispatch._wake.set()  # type: ignore[attr-defined]
        for _ in range(ticks):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=30)
        running.cancel()
        assert done


async def test_on_sqlite_a_restart_continues_the_runs_of_the_last_process_at_once(
    sqlite_database: str,
) -> None:
    async with engine(sqlite_database) as e:
        left, unwanted, behind = (
            await e.submit("a"),
            await e.submit("b"),
            await e.submit("a", wait=True),
        )
        await e.take(5)
        await e.ledger.cancel(unwanted)
        assert await e.ledger.put_back() == 1
        assert (await e.run_row(unwanted))["state"] == "cancelled"
        assert set(await e.claims()) == {"a"}
        async with e.working():
            await e.until_state(behind, "succeeded", patience_s=PATIENCE_S)
            assert (await e.run_row(left))["state"] == "succeeded"


async def test_two_workers_share_the_queue_and_each_run_starts_once(postgres_database: str) -> None:
    n, begun = 60, []

    async def work(context: RunContext) -> Done:
        begun.append(context.run.id)
        await asyncio.sleep(0.005)
        return Done()

    async with (
        engine(postgres_database) as e,
        e.working({"work": work}) as first,
        e.working({"work": work}) as other,
    ):
        for number in range(n):
            await e.submit(f"r{number}", kind="work")
        await e.until_all_ended()
        assert sorted(begun) == sorted(set(begun))
        assert len(begun) == n
        # A run ends in the database a moment before its worker is done with it.
        async with asyncio.timeout(PATIENCE_S):
            while first.active or other.active:
                await asyncio.sleep(0)
