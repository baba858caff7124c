"""A service is killed, stopped or taken over during a run: the same task completes once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.commands import put_faults

if TYPE_CHECKING:
    from tests.acceptance.commands import Command, Penstock, Service

_SILENT = {"name": "hang", "path": "/api/v3/klines", "symbol": "ETHUSDT"}
# Each of these gets two pages, then no answer.
_STOPS = {"name": "hang", "path": "/api/v3/klines", "after": 6}
_LIMIT = 5_000
_PATIENCE_S = 60


def _impatient(penstock: Penstock, database_url: str) -> Penstock:
    """On PostgreSQL a worker counts as dead after a second; on SQLite a restart resumes at once."""
    dead_after_s = "3600" if database_url.startswith("sqlite") else "1"
    return penstock.with_settings(
        database_url=database_url,
        request_deadline_s="600",
        request_idle_s="600",
        heartbeat_s="0.2",
        dead_after_s=dead_after_s,
    )


@pytest.fixture
def impatient(penstock: Penstock, database_url: str) -> Penstock:
    return _impatient(penstock, database_url)


async def _under_way(service: Service, task_id: str) -> dict[str, Any]:
    return await service.until(task_id, lambda task: task["counters"]["inserted"] > 0)


async def _check_whole(penstock: Penstock, task_id: str, candles: int) -> None:
    """Assert that the task has completed and every candle is stored once."""
    runs = await penstock.rows(
        "SELECT task_id, state, inserted, updated FROM run WHERE kind = 'data_collection'"
    )
    assert runs == [(task_id, "succeeded", candles, 0)]
    # The key allows no duplicates, so the count is enough.
    assert await penstock.rows("SELECT count(*) FROM candle") == [(candles,)]
    assert await penstock.rows("SELECT count(*) FROM gap") == [(0,)]
    assert await penstock.rows("SELECT count(*) FROM restatement") == [(0,)]


async def test_a_run_continues_after_kill_9_of_the_service(
    impatient: Penstock, exchange: str
) -> None:
    async with impatient.serving() as service:
        await put_faults(exchange, _STOPS)
        task_id = await service.start("BTCUSDT ETHUSDT BNBUSDT", limit=_LIMIT)
        written = (await _under_way(service, task_id))["counters"]["inserted"]
        service.command.process.kill()
        assert await service.command.process.wait() == -signal.SIGKILL
    assert 0 < written < 3 * _LIMIT
    await put_faults(exchange)
    async with impatient.serving() as service:
        task = await service.ended(task_id)
        assert (task["task_id"], task["status"], task["progress"], task["error"]) == (
            task_id,
            "completed",
            100,
            None,
        )
    await _check_whole(impatient, task_id, 3 * _LIMIT)


async def test_the_next_command_continues_the_run_of_a_killed_one(
    impatient: Penstock, exchange: str
) -> None:
    command = ("collect", "BTC/USDT", "-t", "1m", "--limit", str(_LIMIT))
    await put_faults(exchange, {"name": "hang", "path": "/api/v3/klines", "after": 2})
    penstock = impatient.with_settings(request_concurrency="1")
    await penstock("migrate")
    async with penstock.started(*command) as collecting:
        async with asyncio.timeout(_PATIENCE_S):
            while not (await penstock.rows("SELECT sum(inserted) FROM run"))[0][0]:
                await asyncio.sleep(0.05)  # another process writes without any notification
        collecting.process.kill()
        assert await collecting.process.wait() == -signal.SIGKILL
    await put_faults(exchange)
    async with asyncio.timeout(_PATIENCE_S):
        # On PostgreSQL the dead process holds the series until its last heartbeat is old.
        while (ended := await penstock(*command)).code == 5:
            assert "if its process is dead, this is free in" in ended.complaint
    assert ended.code == 0, ended.err
    runs = await penstock.rows("SELECT state, error FROM run ORDER BY id")
    assert runs in ([("succeeded", None)] * 2, [("failed", "its worker died"), ("succeeded", None)])
    assert await penstock.rows("SELECT count(*) FROM candle") == [(_LIMIT,)]
    assert await penstock.rows("SELECT count(*) FROM run_claim") == [(0,)]


async def test_a_stopped_service_requeues_its_run_and_tells_its_clients(
    impatient: Penstock, exchange: str
) -> None:
    async with impatient.serving() as service, service.session.ws_connect("/api/v1/ws") as socket:
        await put_faults(exchange, _SILENT)
        task_id = await service.start("BTCUSDT ETHUSDT", limit=10)
        await _under_way(service, task_id)
        await socket.send_json({"subscribe": [{"channel": "tasks", "task_id": task_id}]})
        assert (await socket.receive_json())["status"] == "running"
        async with asyncio.timeout(_PATIENCE_S):
            closing, ended = await asyncio.gather(
                _close_code(socket), service.command.ended(signal.SIGTERM)
            )
        assert closing == 1012
        assert (ended.code, ended.out) == (0, "")
    assert await impatient.rows(
        f"SELECT state, inserted, error FROM run WHERE task_id = '{task_id}'"
    ) == [("queued", 10, None)]
    await put_faults(exchange)
    async with impatient.serving() as service:
        assert (await service.ended(task_id))["status"] == "completed"
    await _check_whole(impatient, task_id, 20)


async def _close_code(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    async for message in socket:
        assert message.type is aiohttp.WSMsgType.TEXT
    return socket.close_code


async def test_a_queued_task_waits_for_the_next_start(impatient: Penstock, exchange: str) -> None:
    """This includes a task that waits behind another."""
    async with impatient.serving() as service:
        await put_faults(exchange, _SILENT)
        first = await service.start("ETHUSDT", limit=10)
        second = await service.start("ETHUSDT BTCUSDT", limit=10, wait=True)
        await service.until(first, lambda task: task["status"] == "running")
        await service.command.ended(signal.SIGTERM)
    assert await impatient.rows(
        "SELECT state, waiting FROM run WHERE kind = 'data_collection' ORDER BY id"
    ) == [("queued", False), ("queued", True)]
    await put_faults(exchange)
    async with impatient.serving() as service:
        for task_id in (first, second):
            assert (await service.ended(task_id))["status"] == "completed"
    assert await impatient.rows("SELECT count(*) FROM candle") == [(20,)]


async def test_on_sqlite_a_second_worker_and_a_service_without_one_are_refused(
    penstock: Penstock, sqlite_database: str
) -> None:
    refused = await penstock.with_settings(database_url=sqlite_database).all_of(
        "worker", "serve --port 0 --no-worker"
    )
    assert [(command.code, "PostgreSQL" in command.complaint) for command in refused] == [
        (2, True)
    ] * 2


async def test_another_worker_takes_over_from_a_killed_one(
    penstock: Penstock, exchange: str, postgres_database: str
) -> None:
    penstock = _impatient(penstock, postgres_database)
    await put_faults(exchange, _SILENT)
    async with contextlib.AsyncExitStack() as stack:
        service = await stack.enter_async_context(penstock.serving("--no-worker"))
        workers = [
            await stack.enter_async_context(
                penstock.with_settings(scheduler_delay_s="3600", log_level="debug").started(
                    "worker"
                )
            )
            for _ in range(2)
        ]
        for worker in workers:
            await worker.says("The worker takes runs")
        task_id = await service.start("BTCUSDT ETHUSDT", limit=10)
        await _under_way(service, task_id)
        await put_faults(exchange)
        killed, other = await _who_works(workers, task_id)
        killed.process.kill()
        task = await service.ended(task_id)
        assert (task["status"], task["error"]) == ("completed", None)
        assert f'"run": "{task_id}"' in (await other.says("run succeeded"))
        for command in (other, service.command):
            assert (await command.ended(signal.SIGTERM)).code == 0
    await _check_whole(penstock, task_id, 20)
    assert await penstock.rows(f"SELECT fence, attempt FROM run WHERE task_id = '{task_id}'") == [
        (2, 1)
    ]


async def _who_works(workers: list[Command], task_id: str) -> tuple[Command, Command]:
    """The worker that says it has started the task, and the other."""
    waiting = {
        asyncio.ensure_future(worker.says(f'"run": "{task_id}"')): worker for worker in workers
    }
    done, rest = await asyncio.wait(
        waiting, return_when=asyncio.FIRST_COMPLETED, timeout=_PATIENCE_S
    )
    for task in rest:
        task.cancel()
    await asyncio.wait(rest)
    [works], [other] = [waiting[task] for task in done], [waiting[task] for task in rest]
    return works, other
