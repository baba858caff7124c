"""The commands that run until they are stopped: `serve`, `demo`, `simulate`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from penstock.cli.client import COLLECTOR
from tests.acceptance.commands import PROGRAM, Penstock, url_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.acceptance.commands import Command


async def _get(url: str) -> Any:  # noqa: ANN401 - whatever the service answers
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_one_process_owns_a_file_and_others_read_beside_it(penstock: Penstock) -> None:
    await penstock("collect", "BTC/USDT", "-t", "1m", "--limit", "5")
    async with penstock.started("serve", "--port", "0") as serving:
        url = url_in(await serving.says("Penstock serves at"))
        page = await _get(f"{url}/api/v1/candles?symbol=BTCUSDT&timeframe=1m")
        assert len(page["candles"]) == 5

        second, taken, writing, reading = await penstock.all_of(
            "serve --port 0",
            f"serve --port {url.rpartition(':')[2]}",
            "collect BTC/USDT -t 1m",
            "candles BTC/USDT -t 1m --json",
        )
        assert second.code == 5
        assert (
            f"in use by another process ({serving.process.pid}, which serves at {url})"
            in second.complaint
        )
        assert writing.code == 0
        assert f"by the service at {url}" in writing.out
        assert len(reading.json) == 5

        assert taken.code == 5
        assert taken.complaint.endswith(
            "(Address already in use); end what uses it or choose another with --port"
        )

        ended = await serving.ended(signal.SIGTERM)
    assert (ended.code, ended.out) == (0, "")
    assert _levels(ended.err) <= {"info"}


async def test_ctrl_c_ends_a_service_cleanly_while_a_connection_is_open(
    penstock: Penstock, database_url: str
) -> None:
    penstock = penstock.with_settings(database_url=database_url)
    async with (
        penstock.started("serve", "--port", "0") as serving,
        aiohttp.ClientSession() as session,
    ):
        url = url_in(await serving.says("Penstock serves at"))
        async with session.get(f"{url}/readyz") as answer:
            assert (await answer.json())["database"] == "ok"
        ended = await serving.ended(signal.SIGINT)
    assert (ended.code, ended.out) == (0, "")
    assert _levels(ended.err) <= {"info"}


def _levels(log: str) -> set[str]:
    """The levels of log lines, which are JSON when the log is not a terminal."""
    return {json.loads(line)["level"] for line in log.splitlines()}


async def test_a_database_of_a_newer_penstock_is_left_alone(
    penstock: Penstock, sqlite_database: str
) -> None:
    penstock = penstock.with_settings(database_url=sqlite_database)
    await penstock("migrate")
    with contextlib.closing(sqlite3.connect(sqlite_database.removeprefix("sqlite:///"))) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    commands = ("collect BTC/USDT -t 1m", "candles BTC/USDT -t 1m", "migrate")
    for command, ended in zip(commands, await penstock.all_of(*commands), strict=True):
        assert ended.code == 5, command
        assert (
            "schema version 9999" in ended.complaint
            or "in use by another process" in ended.complaint
        )


async def test_the_demo_collects_into_its_own_file_and_a_second_run_only_adds_new_candles(
    penstock: Penstock,
) -> None:
    penstock = penstock.with_settings(
        database_url="postgresql://nobody@127.0.0.1:1/nothing", binance_url="http://127.0.0.1:1"
    )
    first = (await penstock("demo", "--once", "--json")).json
    assert (first["symbols"], first["timeframes"], first["failures"]) == (50, 6, {})
    assert first["database"] == f"sqlite:///{penstock.data / 'demo.db'}"
    # Its exchange uses real time: a candle that begins meanwhile adds to its series.
    demo_database = penstock.with_settings(database_url=first["database"])
    stored = [
        count
        for (count,) in await demo_database.rows("SELECT count(*) FROM candle GROUP BY series_id")
    ]
    assert (len(stored), sum(stored)) == (300, first["candles_written"])
    assert min(stored) >= 100
    assert (first["inventory"]["counts"]["new"], first["inventory"]["held"]) == (3_000, False)

    async with penstock.started("demo", "--port", "0", "--json") as demo:
        url = url_in(await demo.says("Penstock serves at"))
        assert len((await _get(f"{url}/api/v1/data-collector/latest-prices"))["prices"]) == 50
        schedules = (await _get(f"{url}/api/v1/schedules"))["items"]
        assert {schedule["asleep"] for schedule in schedules} == {None}, "in spite of its seller"
        ended = await demo.ended(signal.SIGINT)
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["candles_written"] < 3_000
    assert json.loads(ended.out)["inventory"]["counts"]["unchanged"] == 3_000


async def test_the_demo_ends_with_commands_that_work_on_what_it_collected(
    penstock: Penstock,
) -> None:
    async with penstock.started("demo", "--port", "0") as demo:
        url = url_in(await demo.says("Penstock serves at"))
        said = await _lines_from(demo, "  export PENSTOCK_DATABASE_URL=", 4)
        assert max(map(len, said)) <= 80
        while_served = await _in_shell(penstock, said)
        page = await _get(f"{url}/api/v1/candles?symbol=BTC/USDT&timeframe=1h")
        assert page["candles"]
        await demo.ended(signal.SIGINT)
    afterwards = await _in_shell(penstock, said)
    for answer in (while_served, afterwards):
        candles, series, products = answer.split("\n\n")
        assert candles.startswith("BTC/USDT 1h\n")
        assert len(candles.splitlines()) == 2 + 3
        assert series.count("BTC/USDT") == 6
        assert len(products.splitlines()) == 1 + 3


async def _lines_from(command: Command, begin: str, count: int) -> list[str]:
    """So many lines of the output, from the one that begins so."""
    output = command.process.stdout
    assert output is not None
    while not (line := await output.readline()).decode().startswith(begin):
        assert line, f"never said {begin!r}"
    lines = [line, *[await output.readline() for _ in range(count - 1)]]
    return [line.decode().rstrip() for line in lines]


async def _in_shell(penstock: Penstock, commands: Sequence[str]) -> str:
    """What the commands print one after the other, with an empty line between them."""
    environment = penstock.process_environment()
    environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
    setting, *others = commands
    script = "\n".join(["set -e", setting, " && echo && ".join(others)])
    shell = await asyncio.create_subprocess_exec(
        "sh", "-c", script, env=environment, cwd=penstock.folder, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await shell.communicate()
    assert shell.returncode == 0
    return out.decode()


async def test_the_demo_reports_a_taken_port_before_it_collects(
    penstock: Penstock, exchange: str
) -> None:
    refused = await penstock("demo", "--port", exchange.rpartition(":")[2])
    assert refused.code == 5
    assert "Address already in use" in refused.complaint
    assert not penstock.data.exists()


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_the_simulator_prints_its_address_and_ends_on_a_signal(
    penstock: Penstock, stop_signal: signal.Signals
) -> None:
    async with penstock.started(
        "simulate", "--port", "0", "--symbols", "5", "--now", "2026-01-15T12:00", "--speed", "0"
    ) as simulating:
        said = await simulating.says("The simulator answers at")
        url = url_in(said)
        pointed = await simulating.says("Point Penstock at it")
        settings = {f"PENSTOCK_{name}_URL={url}" for name in ("BINANCE", "CARDTRADER")}
        assert settings <= set(pointed.split())
        assert (await _get(f"{url}/api/v3/time"))["serverTime"] == 1_768_478_400_000
        ended = await simulating.ended(stop_signal)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


async def test_a_service_whose_database_is_removed_is_not_ready_until_it_is_back(
    penstock: Penstock, sqlite_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "penstock.db"
    async with penstock.with_settings(database_url=sqlite_database).serving() as service:
        task_id = await service.start(limit=5)
        assert (await service.ended(task_id))["status"] == "completed"
        file.rename(tmp_path / "away.db")
        for method, path in (("GET", "/readyz"), ("POST", f"{COLLECTOR}/refresh-symbols")):
            async with service.session.request(method, path) as answer:
                problem = await answer.json()
            assert (answer.status, problem["code"]) == (503, "database_unavailable")
            assert f"{file} was removed or replaced" in problem["detail"]
        (tmp_path / "away.db").rename(file)
        assert (await _get(f"{service.url}/readyz"))["database"] == "ok"
        ended = await service.command.ended(signal.SIGTERM)
    assert ended.code == 0
    named = [line for line in ended.err.splitlines() if "was removed or replaced" in line]
    # Each part of the service that needs the database says it once.
    assert len(named) == len({json.loads(line)["event"] for line in named}) <= 5
