"""Collections while a user waits, without an executor: `penstock collect`, `penstock.script`."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from penstock.domains.market import MarketParts
from penstock.errors import ConflictError, RunFailedError, RunUnavailableError
from penstock.foreground import foreground
from penstock.market.runs.orders import CollectOrder
from penstock.runs.run import Submission
from tests.simulated import MINUTE, NOW, World, open_world

_RUNNING = NOW - NOW % MINUTE


async def states(world: World) -> list[tuple[str, str]]:
    return [
        (row["kind"], row["state"])
        for row in await world.read("SELECT kind, state FROM run ORDER BY id")
    ]


async def leave(
    world: World, *symbols: str, since: int | None = None, waiting: bool = False
) -> str:
    """Leave a collection of a dead process, running or waiting for another run."""
    submission = await world.app.of(MarketParts).runs.submission(
        CollectOrder(symbols=symbols, timeframes=["1m"], since=since), wait=waiting
    )
    if waiting:
        return str(await world.app.ledger.submit(submission))
    run = await world.app.ledger.start(submission)
    await world.app.ledger.put_back()
    return str(run.task_id)


async def state_of(world: World, task_id: str) -> str:
    [row] = await world.read("SELECT state FROM run WHERE task_id = :task_id", task_id=task_id)
    return str(row["state"])


async def test_a_temporary_failure_is_reported_and_leaves_nothing_in_the_queue(
    database_url: str,
) -> None:
    async with open_world(database_url, request_attempts=1) as world:
        await world.exchange.faults({"name": "server_error", "path": "klines"})
        with pytest.raises(RunUnavailableError):
            await world.collect("BTCUSDT")
        assert await states(world) == [("data_collection", "failed")]
        await world.exchange.faults()
        assert (await world.collect("BTCUSDT", limit=5)).result.failures == {}


async def test_another_worker_does_not_take_a_foreground_run(postgres_database: str) -> None:
    async with open_world(postgres_database) as world, world.app.working():
        for _ in range(20):
            await world.collect("BTCUSDT", limit=5)
        assert {row["fence"] for row in await world.read("SELECT fence FROM run")} == {1}


async def test_on_postgresql_a_foreground_leaves_queued_runs_to_the_workers(
    postgres_database: str,
) -> None:
    async with open_world(postgres_database) as world:
        await world.collect("BTCUSDT", limit=1)
        others = await leave(world, "ETHUSDT", waiting=True)
        async with foreground(world.app) as here:
            submission = await world.app.of(MarketParts).runs.submission(
                CollectOrder(symbols=["BTCUSDT"], timeframes=["1m"])
            )
            await here.outcome(await here.submit(submission))
            assert not here.has_more
            await here.work_off()
        assert await state_of(world, others) == "queued"


async def test_a_run_left_at_the_end_of_a_foreground_is_recorded_as_cancelled(
    database_url: str,
) -> None:
    async with open_world(database_url, request_deadline_s=60, request_idle_s=60) as world:
        await world.exchange.faults({"name": "hang", "path": "klines"})
        async with foreground(world.app) as here:
            submission = await world.app.of(MarketParts).runs.submission(
                CollectOrder(symbols=["BTCUSDT"], timeframes=["1m"])
            )
            task_id = str(await here.submit(submission))
            assert await state_of(world, task_id) == "running"
        assert await state_of(world, task_id) == "cancelled"
        assert await world.read("SELECT * FROM run_claim") == []


async def test_a_run_cancelled_by_another_process_is_reported_as_cancelled(
    database_url: str,
) -> None:
    async with open_world(database_url, request_deadline_s=60, request_idle_s=60) as world:
        await world.exchange.faults({"name": "hang", "path": "klines"})
        collecting = asyncio.create_task(world.collect("BTCUSDT"))
        while not (left := await world.read("SELECT task_id FROM run WHERE state = 'running'")):
            await asyncio.sleep(0.01)
        task_id = left[0]["task_id"]
        await world.app.ledger.cancel(uuid.UUID(task_id))
        with pytest.raises(RunFailedError, match=f"task {task_id} was cancelled"):
            await collecting
        assert await states(world) == [("data_collection", "cancelled")]


async def test_on_sqlite_the_conflicting_run_of_a_dead_process_is_finished_first(
    sqlite_database: str,
) -> None:
    async with open_world(sqlite_database) as world:
        await world.collect("BTCUSDT", limit=1)
        left = await leave(world, "BTCUSDT", since=NOW - 30 * MINUTE)
        behind = await leave(world, "BTCUSDT", since=NOW - 60 * MINUTE, waiting=True)
        report = await world.collect("BTCUSDT", since=NOW - 90 * MINUTE)
        assert await states(world) == [("data_collection", "succeeded")] * 4
        assert len({left, behind, str(report.task_id)}) == 3
        assert await world.table() == await world.exchange.rows(
            "BTCUSDT", "1m", _RUNNING - 90 * MINUTE
        )
        await world.check_coverage()


async def test_on_sqlite_the_outcome_of_a_left_run_is_not_the_outcome_of_the_new_one(
    sqlite_database: str,
) -> None:
    async with open_world(sqlite_database, request_attempts=1) as world:
        await world.collect("BTCUSDT", "ETHUSDT", limit=1)
        left = await leave(world, "ETHUSDT")
        behind = await leave(world, "BTCUSDT", "ETHUSDT", waiting=True)
        await world.exchange.faults({"name": "server_error", "symbol": "ETHUSDT"})
        await world.exchange.move_to(NOW + MINUTE)
        report = await world.collect("ETHUSDT", "BTCUSDT")
        assert list(report.result.failures) == ["ETHUSDT 1m"]
        assert (
            await state_of(world, left),
            await state_of(world, behind),
            (await world.last_run())["state"],
        ) == ("failed", "succeeded", "succeeded")
        assert await world.read("SELECT * FROM run_claim") == []


async def test_on_postgresql_a_conflict_names_the_run_of_the_other_process(
    postgres_database: str,
) -> None:
    async with open_world(postgres_database) as world:
        await world.collect("BTCUSDT", limit=1)
        run = await world.app.ledger.start(
            Submission(kind="data_collection", params={}, resources=["series:binance:BTCUSDT:1m"])
        )
        with pytest.raises(
            ConflictError, match=f"Data collection already running: task {run.task_id}"
        ):
            await world.collect("BTCUSDT")
