"""The log of a service: JSON when piped, readable on a terminal."""

from __future__ import annotations

import datetime as dt
import json
import re
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.commands import put_faults, url_in
from tests.acceptance.terminal import on_a_terminal

if TYPE_CHECKING:
    from tests.acceptance.commands import Ended, Penstock, Service

_PATIENCE_S = 60
_CYCLES = 5
_BROKEN = {"name": "server_error", "path": "/api/v3/klines"}


@pytest.fixture
def penstock(penstock: Penstock, sqlite_database: str) -> Penstock:
    return penstock.with_settings(database_url=sqlite_database, run_attempts="1")


def _lines(ended: Ended) -> list[dict[str, Any]]:
    """The log lines, each a JSON object."""
    lines = [json.loads(line) for line in ended.err.splitlines()]
    for line in lines:
        assert {"event", "level", "timestamp"} <= line.keys()
    return lines


async def _collected(service: Service, symbols: str, timeframes: str = "1m", **more: object) -> str:
    task_id = await service.start(symbols, timeframes, limit=10, **more)
    await service.ended(task_id)
    return task_id


async def test_a_run_is_one_line_with_its_figures(penstock: Penstock) -> None:
    async with penstock.serving() as service:
        task_id = await _collected(service, "BTC/USDT ETHUSDT", "1m 1h")
        again = await _collected(service, "BTC/USDT ETHUSDT", "1m 1h")
        ended = await service.command.ended(signal.SIGTERM)
    found = [line for line in _lines(ended) if line.get("job") == "collect_data_manual"]
    assert [(line["level"], line["event"], line["run"]) for line in found] == [
        ("info", "run succeeded", task_id),
        ("info", "run succeeded", again),
    ]
    assert {(line["result"]["series"], line["result"]["failures"]) for line in found} == {(4, 0)}
    assert all(0 < line["seconds"] < _PATIENCE_S for line in found)


async def test_a_scheduled_cycle_is_one_line(penstock: Penstock) -> None:
    scheduled = penstock.with_settings(
        symbols="BTC/USDT,ETH/USDT", timeframes="1m,1h", scheduler_delay_s="0"
    )
    await penstock("collect", "BTC/USDT", "-t", "1d")
    async with scheduled.started("serve", "--port", "0") as command:
        await command.says("Penstock serves at")
        line = json.loads(await command.says("collect_data_all"))
        ended = await command.ended(signal.SIGTERM)
    assert (line["level"], line["event"]) == ("info", "run succeeded")
    assert line["result"]["series"] == 4
    assert not [line for line in _lines(ended) if "series" in line]


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_the_start_line_names_the_database_and_the_next_run(
    penstock: Penstock, request: pytest.FixtureRequest, command: str
) -> None:
    arguments = ["worker"] if command == "worker" else [command, "--port", "0"]
    database = "postgres_database" if command == "worker" else "sqlite_database"
    url: str = request.getfixturevalue(database)
    started = penstock.with_settings(database_url=url, scheduler_delay_s="3600").started(
        *arguments, "--database", url
    )
    async with started as process:
        line = await process.says("press Ctrl-C to stop")
        await process.ended(signal.SIGTERM)
    shown = re.sub(r"(://[^/:@]+):[^@]*@", r"\1:***@", url)
    assert f"; database: {shown}; " in line
    assert re.search(r"next run: \w+ at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", line)


async def test_at_debug_each_line_of_a_run_names_the_run_and_each_series_has_a_line(
    penstock: Penstock,
) -> None:
    async with penstock.with_settings(log_level="debug").serving() as service:
        task_id = await _collected(service, "BTC/USDT ETHUSDT", "1m 1h")
        ended = await service.command.ended(signal.SIGTERM)
    found = [json.loads(line) for line in ended.err.splitlines() if task_id in line]
    assert {line["job"] for line in found} == {"collect_data_manual"}
    assert (found[0]["event"], found[-1]["event"]) == ("run started", "run succeeded")
    assert {line["level"] for line in found[:-1]} == {"debug"}
    series = [
        (line["event"], line["series"], line["candles"]) for line in found[:-1] if "series" in line
    ]
    assert sorted(series) == [
        ("series collected", f"{symbol} {step}", 10)
        for symbol in ("BTC/USDT", "ETHUSDT")
        for step in ("1h", "1m")
    ]


async def test_at_debug_each_flush_says_how_many_rows_were_new_changed_or_equal(
    penstock: Penstock,
) -> None:
    async with penstock.with_settings(log_level="debug").serving() as service:
        first = await _collected(service, "BTC/USDT ETHUSDT")
        again = await _collected(service, "BTC/USDT ETHUSDT")
        ended = await service.command.ended(signal.SIGTERM)
    flushes = [line for line in _lines(ended) if line["event"] == "flush written"]
    assert {line["level"] for line in flushes} == {"debug"}
    # The second run reads the open candle and the three before it again.
    for task_id, counts in ((first, (20, 0, 0)), (again, (0, 0, 8))):
        ours = [line for line in flushes if line["run"] == task_id]
        assert {line["job"] for line in ours} == {"collect_data_manual"}
        assert (
            tuple(sum(line[name] for line in ours) for name in ("inserted", "updated", "unchanged"))
            == counts
        )


async def test_a_failing_provider_is_logged_once_and_its_recovery_once(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.with_settings(log_level="debug").serving() as service:
        await _collected(service, "BTCUSDT")
        await put_faults(exchange, _BROKEN)
        for symbols in ("BTCUSDT ETHUSDT BNBUSDT", "BTCUSDT SOLUSDT", "XRPUSDT"):
            await _collected(service, symbols)
        await put_faults(exchange)
        for symbols in ("BTCUSDT ETHUSDT", "XRPUSDT"):
            await _collected(service, symbols)
        ended = await service.command.ended(signal.SIGTERM)
    lines = _lines(ended)
    outages = [
        (line["level"], line["event"], line["provider"], line["path"])
        for line in lines
        if "provider" in line
    ]
    assert outages == [
        ("warning", "the provider does not answer", exchange, "/api/v3/klines"),
        ("info", "the provider answers again", exchange, "/api/v3/klines"),
    ]
    [failing] = [line for line in lines if line["event"] == "the provider does not answer"]
    assert "HTTP 500" in failing["error"]
    assert failing["job"] == "collect_data_manual"
    failed = [line for line in lines if line["event"] == "series failed"]
    assert len(failed) == 6
    assert {line["level"] for line in failed} == {"debug"}


async def test_an_unreachable_provider_is_logged_once(penstock: Penstock) -> None:
    async with penstock.serving() as service:
        await _collected(service, "BTCUSDT ETHUSDT")
        await service.command.ended(signal.SIGTERM)
    async with penstock.with_settings(binance_url="http://127.0.0.1:1").serving() as service:
        for symbols in ("BTCUSDT ETHUSDT", "BTCUSDT"):
            await _collected(service, symbols)
        ended = await service.command.ended(signal.SIGTERM)
    [line] = [line for line in _lines(ended) if line["event"] == "the provider does not answer"]
    assert "Cannot connect to host 127.0.0.1:1" in line["error"]


async def test_one_failing_series_is_not_logged_as_a_failing_provider(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.with_settings(
        request_concurrency="1", log_level="debug"
    ).serving() as service:
        await put_faults(exchange, _BROKEN | {"symbol": "ETHUSDT"})
        await _collected(service, "BTCUSDT ETHUSDT BNBUSDT")
        ended = await service.command.ended(signal.SIGTERM)
    events = [(line["event"], line.get("series")) for line in _lines(ended)]
    assert events.count(("series failed", "ETHUSDT 1m")) == 1
    assert {series for event, series in events if event == "series collected"} == {
        "BTCUSDT 1m",
        "BNBUSDT 1m",
    }


async def test_on_a_terminal_the_log_is_readable(penstock: Penstock) -> None:
    async with on_a_terminal(penstock, "serve", "--port", "0") as terminal:
        url = url_in(await terminal.shows(r"Penstock serves at \S+"))
        order = {"symbols": ["BTC/USDT"], "timeframes": ["1h"]}
        async with (
            aiohttp.ClientSession(url) as session,
            session.post("/api/v1/data-collector/start", json=order) as answer,
        ):
            task_id = (await answer.json())["task_id"]
        await terminal.shows(f"run succeeded .*job=collect_data_manual .*run={task_id}")
        assert await terminal.ended(signal.SIGTERM) == 0
    assert not [line for line in terminal.lines if line.startswith("{")]


async def test_the_log_of_the_demo_grows_by_a_line_a_run(penstock: Penstock) -> None:
    """The ordinary demo has a run in five minutes; this one has one a second."""
    busy = penstock.with_settings(
        log_level="info", scheduler_delay_s="0", collection_interval="1", check_interval="0.2"
    )
    async with busy.started("demo", "--port", "0") as command:
        await command.says("press Ctrl-C to stop")
        lines: list[dict[str, Any]] = []
        while sum(line["event"] == "run succeeded" for line in lines) < _CYCLES:
            lines.append(json.loads(await command.says("")))
        ended = await command.ended(signal.SIGTERM)
    lines += _lines(ended)
    skipped = "Data collection already running, skipping scheduled collection"
    assert {line["event"] for line in lines} <= {"run succeeded", "run put back", skipped}
    runs = [line["run"] for line in lines if line["event"] != skipped]
    assert len(runs) == len(set(runs))
    first, last = (dt.datetime.fromisoformat(lines[at]["timestamp"]) for at in (0, -1))
    of_collection = [line for line in lines if line["job"] == "collect_data_all"]
    # A second has one due time; the first line may be late, and of a run from before it.
    assert len(of_collection) <= (last - first).total_seconds() + 3
    assert all(line in of_collection for line in lines if line["event"] == skipped)
    assert all(len(json.dumps(line)) <= 1_000 for line in lines)
