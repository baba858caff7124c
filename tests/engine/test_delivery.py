"""Delivery: late, doubled and lost deliveries change nothing, and no run stays behind."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from penstock.engine.queue import QueueOptions, opened_queue
from penstock.errors import ConflictError, FencedError, StoreUnavailableError
from penstock.runs.dispatch import StartToken
from penstock.runs.run import RunEnd, RunState
from penstock.store.write.runs.submit import submit
from tests.dispatches import dispatch_over
from tests.engine.engines import PATIENCE_S, Done, Engine, Held, engine
from tests.engine.faulty import FaultyLedger
from tests.engine.processes import actors
from tests.engine.test_events import plan_of
from tests.statements import statements_sent

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.runs.context import RunContext

_JOBS = "SELECT id, status, args FROM procrastinate_jobs ORDER BY id"
_LOST = 10
_SOON_S = 1.5


async def no_jobs(e: Engine) -> bool:
    return e.database.file is not None or await e.rows(_JOBS) == []


async def test_a_late_finish_after_a_take_over_changes_nothing(database_url: str) -> None:
    async with engine(database_url) as e:
        task_id = await e.submit("a")
        [late] = await e.take()
        await e.bury()
        [again] = await e.take()
        for attempt in (
            e.ledger.finish(late, RunEnd(state=RunState.FAILED, error="late")),
            e.ledger.requeue(late, error="late", delay_s=0),
        ):
            with pytest.raises(FencedError):
                await attempt
        row = await e.run_row(task_id)
        assert (row["state"], row["fence"], row["error"]) == ("running", 2, None)
        await e.ledger.finish(again, RunEnd(state=RunState.SUCCEEDED))
        assert await no_jobs(e)


async def test_a_late_finish_before_the_next_start_changes_nothing(database_url: str) -> None:
    async with engine(database_url) as e:
        task_id = await e.submit("a")
        [late] = await e.take()
        await e.bury()
        with pytest.raises(FencedError):
            await e.ledger.finish(late, RunEnd(state=RunState.SUCCEEDED))
        assert (await e.run_row(task_id))["state"] == "queued"
        [again] = await e.take()
        assert again.fence == 2


async def test_doubled_and_late_tokens_start_a_run_once(postgres_database: str) -> None:
    begun: list[int] = []

    async def work(context: RunContext) -> Done:
        begun.append(context.run.fence)
        return Done()

    async with engine(postgres_database) as e:
        task_id = await e.submit("a", kind="work")
        run_id = (await e.run_row(task_id))["id"]
        tokens = [StartToken(run_id=run_id, start=start) for start in (1, 1, 0, 7)]
        await e.database.write(lambda connection: e.dispatch.put(connection, tokens))
        async with e.working({"work": work}):
            await e.until_all_ended()
            await e.until(lambda: no_jobs(e))
        assert begun == [1]


async def test_a_rollback_leaves_neither_run_nor_claim_nor_job(database_url: str) -> None:
    async with engine(database_url) as e:
        await e.submit("held")
        before = None if e.database.file else await e.rows(_JOBS)

        def fail(connection: Connection) -> None:
            submit(connection, e.dispatch, plan_of("free"))
            raise RuntimeError("after it was submitted")

        with pytest.raises(RuntimeError):
            await e.database.write(fail)
        with pytest.raises(ConflictError):
            await e.submit("free", "held")
        assert await e.states() == {"queued": 1}
        assert set(await e.claims()) == {"held"}
        assert before is None or await e.rows(_JOBS) == before


async def test_a_lost_wake_up_delays_a_start_by_at_most_one_poll(
    database_url: str,
) -> None:
    """The queue forgets a notification that arrives during a fetch, so some are missed."""
    delays: list[float] = []
    submitted: dict[str, float] = {}

    async def work(context: RunContext) -> Done:
        delays.append(time.monotonic() - submitted[str(context.run.params["n"])])
        return Done()

    async with engine(database_url) as e, e.working({"work": work}, poll_s=1.0):
        await e.until_state(await e.submit(), "succeeded")
        for number in range(_LOST):
            for half in (0, 1):
                submitted[f"{number}.{half}"] = time.monotonic()
                await e.submit(kind="work", params={"n": f"{number}.{half}"})
            await asyncio.sleep(0.01 * number)
        await e.until_all_ended()
    # Far above a poll, in case the machine stalls.
    assert sorted(delays)[len(delays) // 2] < _SOON_S
    assert len(delays) == 2 * _LOST


async def test_a_run_whose_end_cannot_be_recorded_is_started_again_while_its_worker_lives(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        away: dict[str, list[BaseException]] = {
            name: [StoreUnavailableError("away")] for name in ("finish", "requeue")
        }
        ledger = FaultyLedger(e.ledger, away)
        task_id = await e.submit("a")
        async with e.working(ledger=ledger, record_s=0.0):
            row = await e.until_state(task_id, "succeeded")
            await e.until(lambda: no_jobs(e))
        assert (row["fence"], await e.claims()) == (2, {})


async def test_a_job_forgotten_by_its_worker_is_deleted(postgres_database: str) -> None:
    """The run of the job has ended or has a newer start, and its worker lives."""
    async with engine(postgres_database, dead_after_s=0.2) as e:
        ended, queued = await e.submit("a"), await e.submit("b")
        [run] = await e.take(task_id=ended)
        await e.change("UPDATE run SET job_id = NULL WHERE id = :id", id=run.id)
        object.__setattr__(run, "job_id", None)
        await e.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
        await e.ledger.cancel(queued)
        assert [job["status"] for job in await e.rows(_JOBS)] == ["doing", "todo"]
        await asyncio.sleep(0.3)
        await e.change("UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp()")
        await e.ledger.sweep()
        assert await e.rows(_JOBS) == []
        assert (await e.run_row(ended))["state"] == "succeeded"


async def test_a_run_without_a_job_gets_one_and_a_run_with_a_job_gets_no_second(
    postgres_database: str,
) -> None:
    async with engine(postgres_database) as e:
        lost, kept, waiting = await e.submit("a"), await e.submit("b"), None
        waiting = await e.submit("b", wait=True)
        lost_id = (await e.run_row(lost))["id"]
        [lost_job, kept_job] = await e.rows(_JOBS)
        await e.change("DELETE FROM procrastinate_jobs WHERE id = :id", id=lost_job["id"])
        for _ in range(2):
            await e.ledger.sweep()
        [first, second] = await e.rows(_JOBS)
        assert (first["id"], second["args"]) == (
            kept_job["id"],
            {"run_id": lost_id, "start": 1},
        )
        assert {(await e.run_row(task))["state"] for task in (lost, kept, waiting)} == {"queued"}


async def test_two_concurrent_sweeps_requeue_a_run_once(postgres_database: str) -> None:
    async with engine(postgres_database) as e:
        for number in range(20):
            await e.submit(f"r{number}")
        await e.change("DELETE FROM procrastinate_jobs")
        await asyncio.gather(*(e.ledger.sweep() for _ in range(5)))
        assert len(await e.rows(_JOBS)) == 20


async def test_only_a_foreground_process_works_on_its_run_until_it_is_killed(
    postgres_database: str,
) -> None:
    settings = {"database_url": postgres_database, "heartbeat_s": 0.1}
    async with engine(postgres_database) as e, actors() as processes, e.working():
        pid = await processes.start("foreground", settings=settings)
        task_id = uuid.UUID((await processes.heard(pid, "begun", fence=1))["task"])
        for _ in range(3):
            await e.ledger.sweep()
        assert await e.rows("SELECT status, queue_name FROM procrastinate_jobs") == [
            {"status": "doing", "queue_name": "foreground"}
        ]
        with pytest.raises(ConflictError, match=r"its last heartbeat was \d s ago"):
            await e.submit("mine")
        processes.signal(pid, signal.SIGKILL)
        await e.grow_old(task_id)
        row = await e.until_state(task_id, "succeeded")
        assert (row["fence"], await e.claims()) == (2, {})


async def test_a_working_worker_sends_heartbeats_also_after_its_connections_were_cut(
    postgres_database: str,
) -> None:
    held = Held()
    beat = "SELECT max(last_heartbeat) AS at FROM procrastinate_workers"

    async with engine(postgres_database) as e, e.working({"held": held}):
        task_id = await e.submit("a", kind="held")
        await held.until_begun()
        for _ in range(2):
            [before] = await e.rows(beat)

            async def beaten(before: object = before["at"]) -> bool:
                return bool((await e.rows(beat))[0]["at"] > before)

            await e.until(beaten)
            with psycopg.connect(postgres_database, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        await e.rows(beat)
                        break
                    except StoreUnavailableError:
                        await asyncio.sleep(0.05)
        other_id = await e.submit("b")
        await e.until_state(other_id, "succeeded")
        assert (await e.run_row(task_id))["fence"] == 1
        held.let_go.set()
        await e.until_state(task_id, "succeeded")


async def test_three_hundred_series_are_claimed_in_one_statement(database_url: str) -> None:
    async with engine(database_url) as e:
        spent = []
        for count in (1, 300):
            with statements_sent() as sent:
                await e.submit(*(f"series:{count}:{number}" for number in range(count)))
            spent.append(len(sent))
        assert spent[0] == spent[1]
        assert len(await e.claims()) == 301


async def test_the_executor_within_a_process_refuses_postgresql(
    postgres_database: str, sqlite_database: str
) -> None:
    async with engine(sqlite_database) as file, engine(postgres_database) as e:
        here = dispatch_over(file.database)
        with pytest.raises(RuntimeError, match="PostgreSQL"):
            await e.database.write(lambda connection: here.put(connection, []))


async def test_a_queue_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/penstock"
        options = QueueOptions(conninfo=address, parameters={}, timeout_s=0.2)
        async with asyncio.timeout(20):
            with pytest.raises(StoreUnavailableError, match=r"no connection within 0\.2 s"):
                async with opened_queue(options):
                    pass
