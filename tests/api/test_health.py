"""`/livez`, `/readyz`, and where the service may listen."""

from __future__ import annotations

import contextlib
import socket
import sqlite3

import aiohttp
import pytest

from penstock.api.server import listening
from penstock.errors import ConflictError
from penstock.settings import load_settings
from tests.api.service import served


async def test_livez_and_readyz_report_the_state(client: aiohttp.ClientSession) -> None:
    async with client.get("/livez") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})
    async with client.get("/readyz") as answer:
        ready = await answer.json()
    assert (answer.status, ready["status"], ready["database"]) == (200, "ok", "ok")
    assert ready["schema_version"].isdecimal()
    assert 0 <= ready["loop_lag_p99_ms"] <= ready["loop_lag_max_ms"]
    # This service does not work on runs.
    assert (ready["executor"], ready["active_runs"], ready["scheduler"], ready["last_tick"]) == (
        "off",
        0,
        "off",
        None,
    )


async def test_a_service_reads_a_file_while_another_process_writes_to_it(
    sqlite_database: str,
) -> None:
    with (
        served(sqlite_database, timeout_s=1) as url,
        contextlib.closing(sqlite3.connect(sqlite_database.removeprefix("sqlite:///"))) as writer,
    ):
        writer.execute("BEGIN EXCLUSIVE")
        async with (
            aiohttp.ClientSession(url) as client,
            client.get("/api/v1/candles?symbol=BTCUSDT&timeframe=1m") as answer,
        ):
            assert answer.status == 200
            assert len((await answer.json())["candles"]) == 25


def test_an_answer_does_not_wait_until_its_first_packet_is_acknowledged() -> None:
    with listening(load_settings(port=0)) as door:
        assert door.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_only_one_service_can_use_a_port() -> None:
    with listening(load_settings(port=0)) as door:
        port = int(door.url.rpartition(":")[2])
        with (
            pytest.raises(
                ConflictError, match=r"cannot be listened on \(Address already in use\); end"
            ),
            listening(load_settings(port=port)),
        ):
            pass
