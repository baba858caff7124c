"""`penstock collect` while a service owns the SQLite file: the service collects, as usual."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.commands import NOON, put_faults
from tests.acceptance.terminal import on_a_terminal

if TYPE_CHECKING:
    from tests.acceptance.commands import Penstock

_HOUR = 3_600_000
# The second answer and all later ones arrive when the faults are changed.
_STOPS = {"name": "gate", "path": "/api/v3/klines", "after": 1}


@pytest.fixture
def penstock(penstock: Penstock) -> Penstock:
    return penstock.with_settings(request_concurrency="1", run_attempts="1")


async def test_a_terminal_sees_the_bar_of_the_service(penstock: Penstock, exchange: str) -> None:
    async with penstock.serving() as service:
        await put_faults(exchange, _STOPS)
        async with on_a_terminal(
            penstock, "collect", "BTC/USDT", "ETH/USDT", "BNB/USDT", "-t", "1m", "--limit", "10"
        ) as terminal:
            await terminal.shows(r"━.* \d+ of 30 candles, \d+/s")
            await put_faults(exchange)
            assert await terminal.ended() == 0
    assert max(len(line) for line in terminal.lines if "━" in line) <= penstock.columns
    assert "30 candles written (30 new, 0 updated), 0 unchanged" in terminal.text
    assert f"by the service at {service.url}" in terminal.text


async def test_options_and_exit_codes_are_those_of_a_collection_in_this_process(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.serving():
        first = (await penstock("collect", "BTC/USDT", "-t", "1h", "--limit", "10", "--json")).json
        assert (
            first["candles_written"],
            first["symbols"],
            first["timeframes"],
            first["failures"],
        ) == (10, 1, 1, {})
        since = (
            await penstock(
                "collect", "BTC/USDT", "-t", "1h", "--since", "2026-01-14T16:00", "--json"
            )
        ).json
        assert since["candles_written"] == 11
        stored = (
            await penstock("candles", "BTC/USDT", "-t", "1h", "--limit", "100", "--json")
        ).json
        assert [candle["open_time"] for candle in stored] == [
            NOON - hours * _HOUR for hours in range(20, -1, -1)
        ]

        unknown = await penstock("collect", "BTCUSTD", "-t", "1m")
        assert (unknown.code, "did you mean BTC/USDT" in unknown.complaint) == (2, True)
        await put_faults(
            exchange, {"name": "server_error", "path": "/api/v3/klines", "symbol": "ETHUSDT"}
        )
        part = await penstock(
            "collect", "BTC/USDT", "ETH/USDT", "-t", "1m", "--limit", "10", "--json"
        )
        assert (part.code, json.loads(part.out)["candles_written"]) == (6, 10)
        assert list(json.loads(part.out)["failures"]) == ["ETH/USDT 1m"]
        failed = await penstock("collect", "ETH/USDT", "-t", "1m")
        assert failed.code == 4
        assert failed.complaint.startswith("0 of 1 series finished; ETH/USDT 1m: ")


async def test_ctrl_c_leaves_the_task_to_the_service_and_says_how_to_stop_it(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.serving() as service:
        await put_faults(exchange, _STOPS)
        async with on_a_terminal(
            penstock, "collect", "BTC/USDT", "ETH/USDT", "BNB/USDT", "-t", "1m", "--limit", "10"
        ) as terminal:
            await terminal.shows(r"━.* 33 %, 10 of 30 candles")
            assert await terminal.ended(signal.SIGINT) == 130
        [task] = (await service.call("GET", "/tasks?task_type=data_collection"))["tasks"]
        assert (
            f"see penstock watch {task['task_id']}, or penstock cancel {task['task_id']}"
            in terminal.text
        )
        assert task["status"] == "running"
        await put_faults(exchange)
        # It finds the service that owns the database, on whatever address that listens.
        watched = await penstock("watch", task["task_id"])
        assert (watched.code, watched.err.split()[:2]) == (0, [task["task_id"], "completed"])


async def test_a_triggered_config_is_reported_like_a_collection_with_its_failed_series(
    penstock: Penstock, exchange: str
) -> None:
    async with penstock.serving():
        await penstock("config", "add", "ETH/USDT", "-t", "1m,1h")
        await put_faults(
            exchange, {"name": "server_error", "path": "/api/v3/klines", "interval": "1h"}
        )
        there = await penstock("config", "trigger", "1")
        triggered = await penstock("config", "trigger", "1", "--json")
    here = await penstock("config", "trigger", "1")
    assert (there.code, triggered.code, here.code) == (6, 6, 6)
    assert there.out.startswith("1 symbol × 2 timeframes into ")
    assert "100 candles written (100 new, 0 updated)" in there.out
    for ended in (there, here):
        gap, failure = ended.err.splitlines()
        assert gap.startswith("ETH/USDT 1h: 99 candles missing from ")
        assert failure.startswith("ETH/USDT 1h: failed: ")
    assert list(json.loads(triggered.out)["failures"]) == ["ETH/USDT 1h"]
