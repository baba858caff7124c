"""The WebSocket and clients that fall behind, do not read, or miss events."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import WSMsgType
from sqlalchemy import text

from penstock.api.live.hub import HubOptions
from penstock.api.server import ServeOptions
from penstock.runs.events import EventsLost, RowsStored
from tests.api.collector import PATIENCE_S, SILENT, Collector, collector
from tests.api.websocket_client import SERIES, TASKS, WS, Socket, socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


MANY = ["BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "TRXUSDT"]


EACH = [SERIES | {"symbol": symbol} for symbol in MANY]


@contextlib.asynccontextmanager
async def narrow_socket(service: Collector) -> AsyncIterator[Socket]:
    """A client whose small socket buffer is soon full when it does not read."""

    def factory(address: tuple[Any, ...]) -> sockets.socket:
        made = sockets.socket(*address[:3])
        made.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        return made

    connector = aiohttp.TCPConnector(socket_factory=factory)
    async with (
        aiohttp.ClientSession(service.url, connector=connector) as session,
        session.ws_connect(WS) as ws,
    ):
        yield Socket(ws)


async def _store(service: Collector, times: int) -> None:
    """Change the newest candle of each series this many times."""
    change = text("UPDATE candle SET trades = trades + 1 WHERE NOT closed")
    for _ in range(times):
        await service.app.database.write(lambda connection: connection.execute(change))
        service.app.database.events.publish(
            *(RowsStored("candle", series) for series in range(1, len(MANY) + 1))
        )


async def _store_until(service: Collector, counter: str) -> None:
    """Do the same until a counter of /metrics is 1."""

    async def counted() -> str:
        await _store(service, 10)
        async with service.session.get("/metrics") as answer:
            return await answer.text()

    await service.until(
        counted, lambda metrics: f"penstock_websocket_{counter}_total 1.0" in metrics
    )


async def test_a_client_that_falls_behind_is_told_and_gets_the_current_state(
    sqlite_database: str,
) -> None:
    options = ServeOptions(ping_s=600, hub=HubOptions(queue=20, stuck_s=600, pause_s=0))
    async with (
        collector(sqlite_database, options=options) as service,
        narrow_socket(service) as client,
    ):
        await service.collect(" ".join(MANY), limit=1)
        await client.subscribe(*EACH)
        await client.next()
        await _store_until(service, "resyncs")
        assert "more slowly than messages come" in (await client.next("resync"))["reason"]
        state = {(message := await client.next())["symbol"]: message["candle"] for _ in MANY}
        for symbol in MANY:
            newest = await service.get(f"/api/v1/candles?symbol={symbol}&timeframe=1m&limit=1")
            assert [state[symbol]] == newest["candles"]


async def test_a_client_that_does_not_read_is_disconnected_and_the_others_continue(
    sqlite_database: str,
) -> None:
    options = ServeOptions(ping_s=600, hub=HubOptions(queue=20, stuck_s=2, sweep_s=0.1, pause_s=0))
    async with (
        collector(sqlite_database, options=options) as service,
        narrow_socket(service) as mute,
        socket(service) as client,
    ):
        await service.collect(" ".join(MANY), limit=1)
        for each in (mute, client):
            await each.subscribe(*EACH)
            await each.next()
        reading = asyncio.create_task(_read_on(client))
        await _store_until(service, "evictions")
        before = client.number
        await _store(service, 1)
        await service.until(
            lambda: asyncio.sleep(0.01, client.number), lambda number: number > before
        )
        reading.cancel()
        assert (await mute.closed())[0] in {1006, 1008}


async def _read_on(client: Socket) -> None:
    while True:
        await client.next()


async def test_a_client_that_does_not_answer_a_ping_is_disconnected(sqlite_database: str) -> None:
    async with (
        collector(sqlite_database, work=False, options=ServeOptions(ping_s=2)) as service,
        service.session.ws_connect(WS, autoping=False) as deaf,
        socket(service) as client,
    ):
        await deaf.send_json({"subscribe": [TASKS]})
        reading = asyncio.create_task(_read_on(client))
        async with asyncio.timeout(PATIENCE_S):
            while (await deaf.receive()).type is WSMsgType.PING:
                pass
        assert deaf.close_code == 1011
        assert not reading.done()
        reading.cancel()


async def test_lost_events_are_announced_with_the_current_state(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service, socket(service) as client:
        await service.exchange.faults(SILENT)
        task_id = await service.start("BTCUSDT")
        await client.subscribe(TASKS)
        await service.call("POST", f"/task/{task_id}/cancel")
        await service.ended(task_id)
        await client.in_force()
        service.app.database.events.publish(EventsLost())
        assert "missed" in (await client.next("resync"))["reason"]
        task = await client.next("task")
        assert (task["task_id"], task["status"]) == (task_id, "cancelled")
