"""What a service logs: for programs when it is piped, for people on a terminal."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.acceptance.commands import put_faults, url_in
from tests.acceptance.terminal import on_a_terminal

if TYPE_CHECKING:
    from tests.acceptance.commands import Ended, Penstock, Service

_BROKEN = {"name": "server_error", "path": "/api/v3/klines"}


@pytest.fixture
def penstock(penstock: Penstock, sqlite_database: str) -> Penstock:
    return penstock.with_settings(database_url=sqlite_database, run_attempts="1")


def _lines(ended: Ended) -> list[dict[str, Any]]:
    """Every line that was logged: each is one JSON object."""
    lines = [json.loads(line) for line in ended.err.splitlines()]
    for line in lines:
        assert {"event", "level", "timestamp"} <= line.keys()
    return lines


async def _collected(service: Service, symbols: str, timeframes: str = "1m", **more: object) -> str:
    task_id = await service.start(symbols, timeframes, limit=10, **more)
    await service.ended(task_id)
    return task_id


async def test_each_line_of_a_run_names_it_and_there_is_one_for_each_series(
    penstock: Penstock,
) -> None:
    async with penstock.serving() as service:
        task_id = await _collected(service, "BTC/USDT ETHUSDT", "1m 1h")
        again = await _collected(service, "BTC/USDT ETHUSDT", "1m 1h")
        ended = await service.command.ended(signal.SIGTERM)
    found = [json.loads(line) for line in ended.err.splitlines() if "collect_data" in line]
    assert found == [line for line in _lines(ended) if line.get("job") == "collect_data_manual"]
    assert {line["run"] for line in found} == {task_id, again}
    ours = [line for line in found if line["run"] == task_id]
    assert (ours[0]["event"], ours[-1]["event"]) == ("run started", "run succeeded")
    assert {line["level"] for line in ours} == {"info"}
    series = [(line["event"], line["series"], line["candles"]) for line in ours[1:-1]]
    assert sorted(series) == [
        ("series collected", f"{symbol} {step}", 10)
        for symbol in ("BTC/USDT", "ETHUSDT")
        for step in ("1h", "1m")
    ]
    assert len([line for line in found if line["run"] == again]) == 6


async def test_at_debug_each_flush_says_how_many_rows_were_new_changed_or_equal(
    penstock: Penstock,
) -> None:
    async with penstock.with_settings(log_level="debug").serving() as service:
        first = await _collected(service, "BTC/USDT ETHUSDT")
        again = await _collected(service, "BTC/USDT ETHUSDT")
        ended = await service.command.ended(signal.SIGTERM)
    flushes = [line for line in _lines(ended) if line["event"] == "flush written"]
    assert {line["level"] for line in flushes} == {"debug"}
    # The second reads the open candle again, and the three before it.
    for task_id, counts in ((first, (20, 0, 0)), (again, (0, 0, 8))):
        ours = [line for line in flushes if line["run"] == task_id]
        assert {line["job"] for line in ours} == {"collect_data_manual"}
        assert (
            tuple(sum(line[name] for line in ours) for name in ("inserted", "updated", "unchanged"))
            == counts
        )


async def test_a_provider_that_fails_is_logged_once_and_once_when_it_answers_again(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.serving() as service:
        await _collected(service, "BTCUSDT")
        await put_faults(exchange, _BROKEN)
        for symbols in ("BTCUSDT ETHUSDT BNBUSDT", "BTCUSDT SOLUSDT", "XRPUSDT"):
            await _collected(service, symbols)
        await put_faults(exchange)
        for symbols in ("BTCUSDT ETHUSDT", "XRPUSDT"):
            await _collected(service, symbols)
        ended = await service.command.ended(signal.SIGTERM)
    lines = _lines(ended)
    told = [
        (line["level"], line["event"], line["provider"], line["path"])
        for line in lines
        if "provider" in line
    ]
    assert told == [
        ("warning", "the provider does not answer", exchange, "/api/v3/klines"),
        ("info", "the provider answers again", exchange, "/api/v3/klines"),
    ]
    [failing] = [line for line in lines if line["event"] == "the provider does not answer"]
    assert "HTTP 500" in failing["error"]
    assert failing["job"] == "collect_data_manual"
    failed = [line for line in lines if line["event"] == "series failed"]
    assert len(failed) == 6
    assert {line["level"] for line in failed} == {"info"}


async def test_a_provider_that_cannot_be_reached_is_logged_once(penstock: Penstock) -> None:
    async with penstock.serving() as service:
        await _collected(service, "BTCUSDT ETHUSDT")
        await service.command.ended(signal.SIGTERM)
    async with penstock.with_settings(binance_url="http://127.0.0.1:1").serving() as service:
        for symbols in ("BTCUSDT ETHUSDT", "BTCUSDT"):
            await _collected(service, symbols)
        ended = await service.command.ended(signal.SIGTERM)
    [line] = [line for line in _lines(ended) if line["event"] == "the provider does not answer"]
    assert "Cannot connect to host 127.0.0.1:1" in line["error"]


async def test_one_series_that_fails_among_others_is_no_failing_provider(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.with_settings(request_concurrency="1").serving() as service:
        await put_faults(exchange, _BROKEN | {"symbol": "ETHUSDT"})
        await _collected(service, "BTCUSDT ETHUSDT BNBUSDT")
        ended = await service.command.ended(signal.SIGTERM)
    events = [(line["event"], line.get("series")) for line in _lines(ended)]
    assert events.count(("series failed", "ETHUSDT 1m")) == 1
    assert {series for event, series in events if event == "series collected"} == {
        "BTCUSDT 1m",
        "BNBUSDT 1m",
    }


async def test_on_a_terminal_people_can_read_it(penstock: Penstock) -> None:
    async with on_a_terminal(penstock, "serve", "--port", "0") as terminal:
        url = url_in(await terminal.shows(r"Penstock serves at \S+"))
        order = {"symbols": ["BTC/USDT"], "timeframes": ["1h"]}
        async with (
            aiohttp.ClientSession(url) as session,
            session.post("/api/v1/data-collector/start", json=order) as answer,
        ):
            task_id = (await answer.json())["task_id"]
        await terminal.shows(f"run succeeded .*job=collect_data_manual run={task_id}")
        assert await terminal.ended(signal.SIGTERM) == 0
    assert any(
        "series collected" in line and "series='BTC/USDT 1h'" in line and task_id in line
        for line in terminal.lines
    )
    assert not [line for line in terminal.lines if line.startswith("{")]
