"""Collecting without an executor, while somebody waits: `penstock collect`, `penstock.script`."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from penstock.domains.market import MarketParts
from penstock.errors import ConflictError, RunFailedError, RunUnavailableError
from penstock.foreground import foreground
from penstock.market.runs.orders import CollectOrder
from penstock.runs.run import Submission
from tests.simulated import MINUTE, NOW, World, world

_RUNNING = NOW - NOW % MINUTE


async def states(one: World) -> list[tuple[str, str]]:
    return [
        (row["kind"], row["state"])
        for row in await one.read("SELECT kind, state FROM run ORDER BY id")
    ]


async def leave(one: World, *symbols: str, since: int | None = None, waiting: bool = False) -> str:
    """A collection that a process which is gone was working on, or that waits for one."""
    submission = await one.app.of(MarketParts).runs.submission(
        CollectOrder(symbols=symbols, timeframes=["1m"], since=since), wait=waiting
    )
    if waiting:
        return str(await one.app.ledger.submit(submission))
    run = await one.app.ledger.start(submission)
    await one.app.ledger.put_back()
    return str(run.task_id)


async def state_of(one: World, task_id: str) -> str:
    [row] = await one.read("SELECT state FROM run WHERE task_id = :task_id", task_id=task_id)
    return str(row["state"])


async def test_a_failure_that_may_pass_is_told_and_leaves_nothing_in_the_queue(
    database_url: str,
) -> None:
    async with world(database_url, request_attempts=1) as one:
        await one.exchange.faults({"name": "server_error", "path": "klines"})
        with pytest.raises(RunUnavailableError):
            await one.collect("BTCUSDT")
        assert await states(one) == [("data_collection", "failed")]
        await one.exchange.faults()
        assert (await one.collect("BTCUSDT", limit=5)).result.failures == {}


async def test_a_worker_beside_it_does_not_take_its_run(postgres_database: str) -> None:
    async with world(postgres_database) as one, one.app.working():
        for _ in range(20):
            await one.collect("BTCUSDT", limit=5)
        assert {row["fence"] for row in await one.read("SELECT fence FROM run")} == {1}


async def test_on_postgresql_what_others_have_queued_is_left_to_their_workers(
    postgres_database: str,
) -> None:
    async with world(postgres_database) as one:
        await one.collect("BTCUSDT", limit=1)
        others = await leave(one, "ETHUSDT", waiting=True)
        async with foreground(one.app) as here:
            submission = await one.app.of(MarketParts).runs.submission(
                CollectOrder(symbols=["BTCUSDT"], timeframes=["1m"])
            )
            await here.outcome(await here.submit(submission))
            assert not here.has_more
            await here.work_off()
        assert await state_of(one, others) == "queued"


async def test_what_is_left_at_its_end_is_cancelled_and_recorded_as_that(database_url: str) -> None:
    async with world(database_url, request_deadline_s=60, request_idle_s=60) as one:
        await one.exchange.faults({"name": "hang", "path": "klines"})
        async with foreground(one.app) as here:
            submission = await one.app.of(MarketParts).runs.submission(
                CollectOrder(symbols=["BTCUSDT"], timeframes=["1m"])
            )
            task_id = str(await here.submit(submission))
            assert await state_of(one, task_id) == "running"
        assert await state_of(one, task_id) == "cancelled"
        assert await one.read("SELECT * FROM run_claim") == []


async def test_a_run_that_somebody_else_cancels_says_so(database_url: str) -> None:
    async with world(database_url, request_deadline_s=60, request_idle_s=60) as one:
        await one.exchange.faults({"name": "hang", "path": "klines"})
        collecting = asyncio.create_task(one.collect("BTCUSDT"))
        while not (left := await one.read("SELECT task_id FROM run WHERE state = 'running'")):
            await asyncio.sleep(0.01)
        task_id = left[0]["task_id"]
        await one.app.ledger.cancel(uuid.UUID(task_id))
        with pytest.raises(RunFailedError, match=f"task {task_id} was cancelled"):
            await collecting
        assert await states(one) == [("data_collection", "cancelled")]


async def test_on_sqlite_what_a_dead_process_left_in_the_way_is_finished_first(
    sqlite_database: str,
) -> None:
    async with world(sqlite_database) as one:
        await one.collect("BTCUSDT", limit=1)
        left = await leave(one, "BTCUSDT", since=NOW - 30 * MINUTE)
        behind = await leave(one, "BTCUSDT", since=NOW - 60 * MINUTE, waiting=True)
        report = await one.collect("BTCUSDT", since=NOW - 90 * MINUTE)
        assert await states(one) == [("data_collection", "succeeded")] * 4
        assert len({left, behind, str(report.task_id)}) == 3
        assert await one.table() == await one.exchange.rows("BTCUSDT", "1m", _RUNNING - 90 * MINUTE)
        await one.check_coverage()


async def test_on_sqlite_how_what_was_left_ends_is_no_answer_to_the_order(
    sqlite_database: str,
) -> None:
    async with world(sqlite_database, request_attempts=1) as one:
        await one.collect("BTCUSDT", "ETHUSDT", limit=1)
        left = await leave(one, "ETHUSDT")
        behind = await leave(one, "BTCUSDT", "ETHUSDT", waiting=True)
        await one.exchange.faults({"name": "server_error", "symbol": "ETHUSDT"})
        await one.exchange.move_to(NOW + MINUTE)
        report = await one.collect("ETHUSDT", "BTCUSDT")
        assert list(report.result.failures) == ["ETHUSDT 1m"]
        assert (
            await state_of(one, left),
            await state_of(one, behind),
            (await one.last_run())["state"],
        ) == ("failed", "succeeded", "succeeded")
        assert await one.read("SELECT * FROM run_claim") == []


async def test_on_postgresql_what_another_process_does_is_in_the_way_and_is_named(
    postgres_database: str,
) -> None:
    async with world(postgres_database) as one:
        await one.collect("BTCUSDT", limit=1)
        run = await one.app.ledger.start(
            Submission(kind="data_collection", params={}, resources=["series:binance:BTCUSDT:1m"])
        )
        with pytest.raises(
            ConflictError, match=f"Data collection already running: task {run.task_id}"
        ):
            await one.collect("BTCUSDT")
