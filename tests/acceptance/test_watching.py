"""`penstock watch`, `tasks` and `cancel`: a user follows what a service does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import pytest

from penstock.app import open_app
from tests.acceptance.commands import put_faults
from tests.acceptance.terminal import on_a_terminal
from tests.simulated import Exchange, World, settings_for

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock, Service

# The exchange never answers requests for this symbol.
_SILENT = {"name": "hang", "path": "/api/v3/klines", "symbol": "ETHUSDT"}
# The third answer and all later ones arrive when the faults are changed.
_STOPS = {"name": "gate", "path": "/api/v3/klines", "after": 2}
_BROKEN = {"name": "server_error", "path": "/api/v3/klines"}
_EIGHT = "BTCUSDT ETHUSDT BNBUSDT SOLUSDT XRPUSDT ADAUSDT DOGEUSDT TRXUSDT"
_UNKNOWN = "00000000-0000-0000-0000-000000000007"


@pytest.fixture
def penstock(penstock: Penstock) -> Penstock:
    """Requests are sent one after the other, so a run lasts as long as the exchange is slow."""
    return penstock.with_settings(
        request_concurrency="1", request_deadline_s="600", request_idle_s="600", run_attempts="1"
    )


async def test_watch_follows_a_run_to_its_end_and_prints_each_state_as_json_for_scripts(
    penstock: Penstock, exchange: str, database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=database_url)
    async with penstock.serving() as service:
        await put_faults(exchange, _STOPS)
        task_id = await service.start(_EIGHT, limit=10)
        async with penstock.started("watch", task_id, "--json", "--url", service.url) as watching:
            assert watching.process.stdout is not None
            first = json.loads(await watching.process.stdout.readline())
            assert (first["task_id"], first["status"]) == (task_id, "running")
            await put_faults(exchange)
            ended = await watching.ended()
        assert (ended.code, ended.err) == (0, "")
        states = [json.loads(line) for line in ended.out.splitlines()]
        assert {state["task_id"] for state in states} == {task_id}
        progress = [first["progress"], *(state["progress"] for state in states)]
        assert progress == sorted(progress)
        assert [state["status"] for state in states[:-1]] == ["running"] * (len(states) - 1)
        assert (
            states[-1]["status"],
            states[-1]["progress"],
            states[-1]["counters"]["inserted"],
        ) == ("completed", 100, 80)

        afterwards = await penstock("watch", task_id, "--url", service.url)
        assert (afterwards.code, afterwards.out) == (0, "")
        assert afterwards.err.startswith(f"{task_id} completed Collected data for ")


async def test_watch_ends_with_three_when_the_task_did_not_complete(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.serving() as service:
        await put_faults(exchange, _BROKEN)
        failed = await service.start()
        ended = await penstock("watch", failed, "--url", service.url)
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.startswith(f"{failed} failed 0 of 1 series finished; BTCUSDT 1m: ")

        await put_faults(exchange, _SILENT)
        cancelled = await service.start("ETHUSDT")
        async with penstock.started("watch", cancelled, "--json", "--url", service.url) as watching:
            assert watching.process.stdout is not None
            await watching.process.stdout.readline()
            assert (
                await penstock("cancel", cancelled, "--url", service.url)
            ).out == f"task {cancelled} is being cancelled\n"
            ended = await watching.ended()
        assert ended.code == 3
        assert json.loads(ended.out.splitlines()[-1])["status"] == "cancelled"


async def test_a_missing_task_is_reported_in_one_line(penstock: Penstock) -> None:
    async with penstock.serving() as service:
        for command in (f"watch {_UNKNOWN}", f"watch {_UNKNOWN} --json", f"cancel {_UNKNOWN}"):
            ended = await penstock(*command.split(), "--url", service.url)
            assert (ended.code, ended.complaint) == (2, f"there is no task {_UNKNOWN}"), command
        ended = await penstock("watch", "seven", "--url", service.url)
        assert ended.code == 2
        assert "task_id" in ended.complaint


async def test_a_missing_service_is_reported_in_one_line(penstock: Penstock) -> None:
    commands = ("watch", "watch --json", f"watch {_UNKNOWN}", "tasks", f"cancel {_UNKNOWN}")
    ended = await penstock.with_settings(port="1").all_of(*commands)
    for command, result in zip(commands, ended, strict=True):
        assert result.code == 4, command
        assert result.complaint.startswith("the service at http://127.0.0.1:1 does not answer: ")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["told to end", "killed"])
async def test_watch_reports_in_one_line_that_the_service_has_ended(
    penstock: Penstock, exchange: str, how: signal.Signals
) -> None:
    async with penstock.serving() as service:
        await put_faults(exchange, _SILENT)
        task_id = await service.start("ETHUSDT")
        await service.until(task_id, lambda task: task["status"] == "running")
        async with penstock.started("watch", task_id, "--json", "--url", service.url) as watching:
            assert watching.process.stdout is not None
            await watching.process.stdout.readline()
            service.command.process.send_signal(how)
            ended = await watching.ended()
    assert ended.code == 4
    assert ended.err == f"penstock: the service at {service.url} has ended\n"


@pytest.mark.parametrize("columns", [80, 200])
async def test_the_bar_of_a_watched_run_is_never_wider_than_the_terminal(
    penstock: Penstock, exchange: str, columns: int
) -> None:
    penstock = replace(penstock, columns=columns)
    async with penstock.serving() as service:
        await put_faults(exchange, _STOPS)
        task_id = await service.start(_EIGHT, limit=10)
        async with on_a_terminal(penstock, "watch", task_id, "--url", service.url) as terminal:
            await terminal.shows(r"━.* [1-9]\d?% *\d+ of 80 candles, \d+/s")
            await put_faults(exchange)
            assert await terminal.ended() == 0
        assert "100%" in terminal.lines[-1]
        assert "completed" in terminal.lines[-1]
        assert not [line for line in terminal.lines if "…" in line], (
            "nothing is cut that could be whole"
        )
        assert max(len(line) for line in terminal.lines) <= columns

        await put_faults(exchange, _BROKEN)
        async with on_a_terminal(
            penstock, "watch", await service.start(), "--url", service.url
        ) as terminal:
            assert await terminal.ended() == 3
        assert "failed  0 of " in terminal.text
        assert not [line for line in terminal.lines if "…" in line], (
            "a line that is too long is wrapped"
        )
        assert max(len(line) for line in terminal.lines) <= columns


async def test_a_message_of_a_provider_is_shown_unchanged(
    penstock: Penstock, exchange: str, sqlite_database: str
) -> None:
    penstock = replace(penstock.with_settings(database_url=sqlite_database), columns=200)
    async with penstock.serving() as service:
        await put_faults(exchange, _BROKEN)
        task_id = await service.start()
        await service.ended(task_id)
        with contextlib.closing(
            sqlite3.connect(sqlite_database.removeprefix("sqlite:///"))
        ) as file:
            file.execute(
                "UPDATE run SET"
                " error = 'say [/b] [red]or[/red]' || char(10) || char(27) || '[2Jnothing'"
                " WHERE task_id = ?",
                [task_id],
            )
            file.commit()
        async with on_a_terminal(penstock, "watch", task_id, "--url", service.url) as terminal:
            assert await terminal.ended() == 3
    assert "say [/b] [red]or[/red] [2Jnothing" in terminal.lines[-1]


async def test_a_running_task_is_listed_and_its_cancellation_keeps_whole_pages(
    penstock: Penstock, exchange: str, database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=database_url, request_concurrency="2")
    async with penstock.serving() as service:
        await put_faults(exchange, _SILENT)
        task_id = await service.start("BTCUSDT ETHUSDT", limit=50)
        await service.until(task_id, lambda task: task["counters"]["inserted"] == 50)

        listed = (await penstock("tasks", "--json", "--url", service.url)).json
        assert [
            (task["task_id"], task["status"])
            for task in listed
            if task["task_type"] == "data_collection"
        ] == [(task_id, "running")]
        await _check_table(penstock, service, task_id)

        cancelled = await penstock("cancel", task_id, "--url", service.url)
        assert (cancelled.code, cancelled.out, cancelled.err) == (
            0,
            f"task {task_id} is being cancelled\n",
            "",
        )
        async with asyncio.timeout(60):
            assert (await service.ended(task_id))["status"] == "cancelled"
        again = await penstock("cancel", task_id, "--url", service.url)
        assert (again.code, again.complaint) == (5, f"task {task_id} has already ended: cancelled")
        await service.command.ended(signal.SIGTERM)
    assert await penstock.rows(f"SELECT state, inserted FROM run WHERE task_id = '{task_id}'") == [
        ("cancelled", 50)
    ]
    await _check_coverage(database_url, exchange)


_WIDE = ["task", "type", "status", "%", "started", "(UTC)", "ended", "(UTC)", "message"]


async def _check_table(penstock: Penstock, service: Service, task_id: str) -> None:
    for columns in (80, 200):
        async with on_a_terminal(
            replace(penstock, columns=columns), "tasks", "--url", service.url
        ) as terminal:
            assert await terminal.ended() == 0
        assert max(len(line.rstrip()) for line in terminal.lines) <= columns
        heads = [line.split() for line in terminal.lines[:2]]
        assert heads == [["started"], ["task", "status", "%", "(UTC)", "message"]] or (
            columns == 200 and heads[0] == _WIDE
        )
        assert task_id in terminal.text
        assert "running" in terminal.text


async def _check_coverage(database_url: str, exchange: str) -> None:
    """Assert that coverage names exactly the stored candles."""
    async with (
        aiohttp.ClientSession() as session,
        open_app(settings_for(database_url, exchange)) as app,
    ):
        world = World(app, Exchange(exchange, session))
        assert len(await world.stored("BTCUSDT")) == 50
        assert await world.stored("ETHUSDT") == []
        await world.check_coverage("BTCUSDT")
        await world.check_coverage("ETHUSDT")
