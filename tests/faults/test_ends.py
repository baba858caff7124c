"""SIGTERM ends every process within 10 s, whatever it waits for, and leaves nothing half.

These tests measure time, because that time is the promise itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from penstock.access.vault import new_key
from penstock.simulator.server import SimulatorSettings, running
from tests.acceptance.commands import Command, Penstock, put_faults, simulated
from tests.faults.locking import locked
from tests.processes import start
from tests.seller_builders import EXPORT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import Say
    from tests.faults.black_hole import BlackHole

_PROMISE_S = 10.0
_PATIENCE_S = 60.0
_CUT = "something still waits"


@pytest.fixture
async def exchange() -> AsyncIterator[str]:
    async with simulated() as url:
        yield url


@pytest.fixture
def penstock(tmp_path: Path, exchange: str) -> Penstock:
    """With the time-outs that users have."""
    return Penstock(tmp_path).with_settings(binance_url=exchange)


class Ends:
    """Ends processes by SIGTERM, and says how long each took."""

    def __init__(self, say: Say) -> None:
        self._say = say

    async def __call__(
        self, command: Command, stop: signal.Signals = signal.SIGTERM
    ) -> tuple[int, str]:
        """The exit code and standard error."""
        began = time.monotonic()
        ended = await command.ended(stop)
        took_s = time.monotonic() - began
        self._say(f"ended with {ended.code} after {took_s:.1f} s")
        assert took_s < _PROMISE_S
        return ended.code, ended.err


@pytest.fixture
def ends(say: Say) -> Ends:
    return Ends(say)


async def _running(penstock: Penstock) -> None:
    """Wait for a run that has begun."""
    async with asyncio.timeout(_PATIENCE_S):
        while not await penstock.rows("SELECT 1 FROM run WHERE state = 'running'"):
            await asyncio.sleep(0.05)


async def test_a_service_whose_file_is_locked_ends_in_time_and_its_run_goes_on_at_the_next_start(
    penstock: Penstock, sqlite_database: str, exchange: str, tmp_path: Path, ends: Ends
) -> None:
    penstock = penstock.with_settings(database_url=sqlite_database)
    await put_faults(exchange, {"name": "gate", "path": "/api/v3/klines"})
    async with penstock.serving() as service:
        task_id = await service.start("BTCUSDT", "1m", limit=10)
        await _running(penstock)
        async with locked(tmp_path / "penstock.db"):
            await put_faults(exchange)
            code, err = await ends(service.command)
    assert (code, _CUT in err) == (128 + signal.SIGTERM, True)
    async with penstock.serving() as service:
        task = await service.ended(task_id)
        assert (task["status"], task["counters"]["inserted"]) == ("completed", 10)
        code, err = await ends(service.command)
    assert (code, _CUT in err) == (0, False)
    assert await penstock.rows("SELECT count(*) FROM candle") == [(10,)]


async def test_a_command_whose_file_is_locked_ends_in_time(
    penstock: Penstock, sqlite_database: str, exchange: str, tmp_path: Path, ends: Ends
) -> None:
    penstock = penstock.with_settings(database_url=sqlite_database)
    await put_faults(exchange, {"name": "gate", "path": "/api/v3/klines"})
    async with penstock.started("collect", "BTCUSDT", "-t", "1m", "--limit", "10") as command:
        await _running(penstock)
        async with locked(tmp_path / "penstock.db"):
            code, err = await ends(command)
    assert (code, _CUT in err) == (128 + signal.SIGTERM, True)
    await put_faults(exchange)
    assert (await penstock("collect", "BTCUSDT", "-t", "1m", "--limit", "10")).code == 0
    assert await penstock.rows("SELECT count(*) FROM candle") == [(10,)]


@pytest.mark.parametrize("words", [["serve", "--port", "0"], ["worker"]], ids=" ".join)
async def test_a_process_whose_postgresql_falls_silent_ends_in_time(
    penstock: Penstock,
    database_behind: str,
    black_hole: BlackHole,
    ends: Ends,
    words: list[str],
) -> None:
    silent = penstock.with_settings(database_url=database_behind)
    async with silent.started(*words) as command:
        await command.says("press Ctrl-C to stop")
        black_hole.swallow()
        assert await asyncio.to_thread(black_hole.swallowed.wait, _PATIENCE_S)
        code, _ = await ends(command)
    assert code in {0, 128 + signal.SIGTERM}


@contextlib.asynccontextmanager
async def _seller(folder: Path, database_url: str) -> AsyncIterator[Penstock]:
    """A seller whose export stops in the middle."""
    settings = SimulatorSettings(symbols=2, accounts=("demo:2000",), expansions=2, limits=False)
    async with running(settings) as url:
        penstock = Penstock(folder).with_settings(
            database_url=database_url,
            binance_url=url,
            cardtrader_url=url,
            cardtrader_token="demo",
            secret_key=new_key(),
        )
        assert (await penstock("accounts", "add", "shop")).code == 0
        await put_faults(url, {"name": "gate", "path": EXPORT, "at": 200_000})
        yield penstock


async def _staging(penstock: Penstock) -> None:
    """Wait for the first rows of an export."""
    begun = "SELECT 1 FROM run WHERE kind = 'inventory_sync' AND work IS NOT NULL"
    async with asyncio.timeout(_PATIENCE_S):
        while not await penstock.rows(begun):
            await asyncio.sleep(0.05)


async def test_a_service_in_the_middle_of_an_export_puts_its_sync_back(
    tmp_path: Path, sqlite_database: str, ends: Ends
) -> None:
    async with _seller(tmp_path, sqlite_database) as penstock:
        async with penstock.serving() as service:
            async with service.session.post("/api/v1/inventory/accounts/1/sync") as answer:
                assert answer.status == 202
            await _staging(penstock)
            code, err = await ends(service.command)
        assert (code, _CUT in err) == (0, False)
        syncs = "SELECT state FROM run WHERE kind = 'inventory_sync'"
        assert await penstock.rows(syncs) == [("queued",)]
        assert await penstock.rows("SELECT count(*) FROM product") == [(0,)]
        assert not list(tmp_path.glob("penstock.db.stage-*"))


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_a_command_in_the_middle_of_an_export_ends_in_time(
    tmp_path: Path, sqlite_database: str, ends: Ends, stop: signal.Signals
) -> None:
    async with _seller(tmp_path, sqlite_database) as penstock:
        async with penstock.started("sync", "shop") as command:
            await _staging(penstock)
            code, err = await ends(command, stop)
        assert (code, _CUT in err) == (128 + stop, False)
        assert await penstock.rows("SELECT state FROM run") == [("cancelled",)]
        assert await penstock.rows("SELECT count(*) FROM product") == [(0,)]


async def test_a_service_with_sockets_and_slow_readers_ends_in_time(
    penstock: Penstock, sqlite_database: str, ends: Ends
) -> None:
    penstock = penstock.with_settings(database_url=sqlite_database)
    assert (await penstock("collect", "BTCUSDT", "-t", "1m", "--limit", "5000")).code == 0
    async with penstock.serving() as service, contextlib.AsyncExitStack() as open_sockets:
        place = urlsplit(service.url)
        for _ in range(5):
            slow = open_sockets.enter_context(socket.socket())
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            slow.connect((place.hostname, place.port))
            path = "/api/v1/candles?symbol=BTCUSDT&timeframe=1m&limit=5000"
            slow.sendall(f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode() * 20)
            assert slow.recv(100).startswith(b"HTTP/1.1 200")
            idle = await open_sockets.enter_async_context(service.session.ws_connect("/api/v1/ws"))
            await idle.send_json({"subscribe": [{"channel": "tasks"}]})
        code, err = await ends(service.command)
    assert (code, _CUT in err) == (0, False)


_WORK = """
import asyncio, sys, threading
import typer
from penstock.cli.signals import run, until_signal

def begin():
    print("begun", flush=True)

async def computes():
    begin()
    while True:
        pass

async def ends_by_one_long_call():
    begin()
    try:
        await asyncio.sleep(3600)
    finally:
        sum(range(10**15))

async def writes_to_nobody():
    begin()
    while True:
        print("x" * 1000, flush=True)

async def leaves_a_thread_behind():
    hanging = asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    asyncio.get_running_loop().call_soon(begin)
    await until_signal("started")
    hanging.cancel()

async def waits_for_a_thread():
    hanging = asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    begin()
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.wait([hanging])

try:
    run(globals()[sys.argv[1]]())
except typer.Exit as ended:
    sys.exit(ended.exit_code)
"""


@pytest.mark.parametrize(
    ("work", "code"),
    [
        ("computes", 128 + signal.SIGTERM),
        ("ends_by_one_long_call", -signal.SIGALRM),
        ("writes_to_nobody", 128 + signal.SIGTERM),
        ("leaves_a_thread_behind", 0),
        ("waits_for_a_thread", 128 + signal.SIGTERM),
    ],
)
async def test_work_that_does_not_let_go_is_cut(say: Say, work: str, code: int) -> None:
    process = await start("-c", _WORK, work)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"begun\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_PATIENCE_S):
            assert await process.wait() == code
        took_s = time.monotonic() - began
        say(f"{work}: ended after {took_s:.1f} s")
        assert took_s < _PROMISE_S
    finally:
        process.kill()
        await process.communicate()


_STOPPED_AT_ONCE = """
import os, signal
from penstock.cli import signals

signals.err.print = lambda started: os.kill(os.getpid(), signal.SIGTERM)
signals.run(signals.until_signal("started"))
"""


async def test_a_service_that_is_stopped_as_it_says_that_it_started_ends_with_success() -> None:
    process = await start("-c", _STOPPED_AT_ONCE)
    async with asyncio.timeout(_PATIENCE_S):
        _, said = await process.communicate()
    assert (process.returncode, said) == (0, b"")
