"""A thousand WebSocket clients, a tenth of which never read: delays of the others, and memory.

`python -m benchmarks.websocket URL READERS` is the process of the readers: it prints `reading`, and
JSON when its standard input ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import msgspec
from sqlalchemy import func, select, text, update

from benchmarks.cycle import listed, settings_for
from benchmarks.exchange import exchange
from benchmarks.places import KINDS
from benchmarks.report import Figure, percentile, worst_of
from benchmarks.sizes import FULL
from penstock.api.server import listening, running
from penstock.app import open_app
from penstock.market.runs.orders import CollectOrder
from penstock.market.tables import candle, series
from penstock.process import allow_many_files, prepare_to_serve
from penstock.runs.events import RowsStored
from penstock.script import collect_into
from penstock.store.postgres.listen import stored_message
from penstock.store.session.backend import announce

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes
    from penstock.app import App

_SYMBOLS = 3
_CLIENTS, _MUTE = 1_000, 100
_QUICK_SHARE = 20
_STORED_EVERY_S = 0.5
_READ_S = 20.0
_CALM_S = 3.0
_PATIENCE_S = 60.0
_AT_ONCE = 50

_DELAY_MS, _GONE_S, _MEMORY_MB = 1_000.0, 10.0, 50.0


@dataclass(slots=True)
class _Run:
    """Milliseconds from commit to reader, seconds until each mute client is cut, growth in MB."""

    delays: list[float] = field(default_factory=list)
    holes: int = 0
    gone: list[float] = field(default_factory=list)
    grown: float = 0.0


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """One run on each database."""
    clients, mute = (
        (_CLIENTS, _MUTE) if sizes is FULL else (_CLIENTS // _QUICK_SHARE, _MUTE // _QUICK_SHARE)
    )
    allow_many_files()
    for kind in KINDS:
        with exchange() as simulator, places.fresh(kind) as url:
            run = asyncio.run(_run(url, simulator.url, clients, mute))
        name = f"{clients:,} WebSocket clients, {mute} never read"
        note = f"{run.holes} holes in the numbers"
        delays = run.delays
        yield Figure(
            name=f"{name}, delay p99",
            database=kind,
            unit="ms",
            samples=delays,
            value=percentile(delays, 99),
            limit=_DELAY_MS,
            note=note,
        )
        yield worst_of(f"{name}, until those are gone", kind, "s", run.gone, limit=_GONE_S)
        if kind == KINDS[0]:
            # The second run reuses memory that the process has already taken.
            yield worst_of(f"{name}, memory added", kind, "MB", [run.grown], limit=_MEMORY_MB)


async def _run(url: str, exchange_url: str, clients: int, mute: int) -> _Run:
    settings = settings_for(url, exchange_url).model_copy(update={"port": 0})
    run = _Run()
    with listening(settings) as door:
        async with open_app(settings) as app, app.database.listening(), running(app, door):
            symbols = await listed(app, _SYMBOLS)
            await collect_into(app, CollectOrder(symbols=symbols, timeframes=["1m"]))
            prepare_to_serve()
            before = _resident_mb()
            storing = asyncio.create_task(_store_for_ever(app))
            readers = await _readers(door.url, clients - mute)
            await asyncio.sleep(_CALM_S)
            *run.gone, _ = await asyncio.gather(
                *(_mute(door.url) for _ in range(mute)), asyncio.sleep(_READ_S, 0.0)
            )
            run.grown = _resident_mb() - before
            storing.cancel()
            out, _ = await readers.communicate(b"")
            heard = json.loads(out)
            run.delays, run.holes = heard["ms"], heard["holes"]
    return run


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def _store_for_ever(app: App) -> None:
    """Change the newest candles repeatedly; the price is the time in microseconds."""
    ids = await app.database.read(lambda connection: connection.scalars(select(series.c.id)).all())
    while True:
        await app.database.write(lambda connection: _store(connection, ids))
        await asyncio.sleep(_STORED_EVERY_S)


def _store(connection: Connection, ids: Sequence[int]) -> None:
    for series_id in ids:
        newest = (
            select(func.max(candle.c.open_time))
            .where(candle.c.series_id == series_id)
            .scalar_subquery()
        )
        change = update(candle).where(candle.c.series_id == series_id, candle.c.open_time == newest)
        connection.execute(change.values(close=str(time.time_ns() // 1_000)))
    announce(connection, *(RowsStored("candle", series_id) for series_id in ids))
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_notify('penstock', :changed)"),
            {"changed": stored_message("candle", ids)},
        )


async def _readers(url: str, count: int) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.websocket",
        url,
        str(count),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    if process.stdout is None or (await process.stdout.readline()).strip() != b"reading":
        message = "the process of the readers did not start"
        raise RuntimeError(message)
    return process


_SUBSCRIBE = {
    "subscribe": [
        {"channel": "market_data", "symbol": symbol, "timeframe": "1m"}
        for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT")
    ]
}


async def _mute(url: str) -> float:
    """Subscribe and never read; gives the seconds until a write finds the connection cut."""
    address = urlsplit(url)
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature
        await loop.sock_connect(connection, (address.hostname, address.port))
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = (
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"
        )
        await loop.sock_sendall(
            connection,
            f"GET /api/v1/ws HTTP/1.1\r\nHost: {address.netloc}\r\n{upgrade}\r\n\r\n".encode(),
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await loop.sock_recv(connection, 1)
        body = json.dumps(_SUBSCRIBE).encode()
        # A text frame with a two-byte length, masked with zeros.
        await loop.sock_sendall(
            connection, b"\x81\xfe" + len(body).to_bytes(2, "big") + b"\0\0\0\0" + body
        )
        since = time.monotonic()
        async with asyncio.timeout(_PATIENCE_S):
            while _is_up(connection):
                await asyncio.sleep(0.2)
        return time.monotonic() - since


def _is_up(connection: socket.socket) -> bool:
    """Send an unsolicited pong, which the service accepts and does not answer."""
    try:
        connection.send(b"\x8a\x80\0\0\0\0")
    except OSError:
        return False
    return True


@dataclass(slots=True)
class _Heard:
    """The messages of the readers."""

    ms: list[float] = field(default_factory=list)
    holes: int = 0


async def _read_all(url: str, count: int) -> None:
    allow_many_files()
    heard = _Heard()
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
        tasks: list[asyncio.Task[None]] = []
        for start in range(0, count, _AT_ONCE):
            tasks += [
                asyncio.create_task(_read(session, heard))
                for _ in range(min(_AT_ONCE, count - start))
            ]
            await asyncio.sleep(0.1)
        print("reading", flush=True)
        await asyncio.sleep(_CALM_S)
        heard.ms.clear()
        await asyncio.to_thread(sys.stdin.read)
        if ended := sum(task.done() for task in tasks):
            message = f"{ended} of the readers were cut off"
            raise RuntimeError(message)
        print(json.dumps({"ms": heard.ms, "holes": heard.holes}), flush=True)
        os._exit(0)


async def _read(session: aiohttp.ClientSession, heard: _Heard) -> None:
    last = 0
    async with session.ws_connect("/api/v1/ws") as connection:
        await connection.send_json(_SUBSCRIBE)
        async for message in connection:
            now_us = time.time_ns() // 1_000
            update = msgspec.json.decode(message.data)
            heard.holes += update["seq"] != last + 1
            last = update["seq"]
            if update["type"] == "market_data" and last > _SYMBOLS:
                heard.ms.append((now_us - int(update["candle"]["close"])) / 1_000)


if __name__ == "__main__":
    asyncio.run(_read_all(sys.argv[1], int(sys.argv[2])))
