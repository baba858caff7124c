"""Connections that send nothing, or next to nothing, keep nobody out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from penstock.api.guard import connections
from tests.api.collector import PATIENCE_S, collector
from tests.api.guarded import ADMIN, WS, bearer, status_of
from tests.api.steps import steps_on_the_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.collector import Collector

_WAITING = 12
# Of 24 KiB and a piece: 40 ms.
_HEAD_STEPS = 120_000


@pytest.fixture
async def service(
    sqlite_database: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Collector]:
    """A service with room for few connections, of which one address may have a third."""
    monkeypatch.setattr(connections, "_MOST", 3 * _WAITING)
    monkeypatch.setattr(connections, "_MOST_WAITING", 4 * _WAITING)
    async with collector(sqlite_database, work=False, admin_token=ADMIN) as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_PERIOD_S", 0.3)


class _Raw:
    """A connection of which every byte is the test's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def is_open(self) -> bool:
        return not self.reader.at_eof() and self.reader.exception() is None

    async def ended(self) -> None:
        """Return when the service has closed the connection; TimeoutError when it does not."""
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while await self.reader.read(65_536):
                    pass


class _Client:
    """Connections to a service; all are closed with it."""

    def __init__(self, service: Collector) -> None:
        self._address = urlsplit(service.url)
        self._opened: list[_Raw] = []

    async def connect(self) -> _Raw:
        address = self._address
        opened = _Raw(*await asyncio.open_connection(address.hostname, address.port))
        self._opened.append(opened)
        return opened

    async def close(self) -> None:
        for one in self._opened:
            one.writer.transport.abort()
        await asyncio.gather(*(one.ended() for one in self._opened))


@pytest.fixture
async def client(service: Collector) -> AsyncIterator[_Client]:
    made = _Client(service)
    yield made
    await made.close()


async def test_silent_connections_beyond_the_bound_make_room_for_those_that_ask(
    service: Collector, client: _Client
) -> None:
    silent = [await client.connect() for _ in range(10 * _WAITING)]
    assert await status_of(service, headers=bearer(ADMIN)) == 200
    assert await status_of(service) == 401
    still_open = [connection for connection in silent if connection.is_open]
    assert 0 < len(still_open) <= _WAITING
    assert still_open == silent[-len(still_open) :]


async def test_a_websocket_stays_open_while_silent_connections_come(
    service: Collector, client: _Client
) -> None:
    async with service.session.ws_connect(WS, headers=bearer(ADMIN)) as ws:
        for _ in range(5 * _WAITING):
            await client.connect()
        await ws.send_json({"action": "subscribe", "channels": [{"channel": "alerts"}]})
        assert (await ws.receive_json(timeout=PATIENCE_S))["type"]


@pytest.mark.usefixtures("impatient")
async def test_a_head_that_comes_byte_by_byte_ends_the_connection(client: _Client) -> None:
    slow = await client.connect()

    async def trickle() -> None:
        for byte in b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 10_000:
            slow.writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    await slow.ended()
    trickling.cancel()


@pytest.mark.parametrize(("fields", "status"), [(6_000, 200), (8_000, 400)])
async def test_a_head_of_thousands_of_fields_takes_no_long_turn_of_the_loop(
    client: _Client, fields: int, status: int
) -> None:
    asking = await client.connect()
    with steps_on_the_loop() as steps:
        asking.writer.write(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"a:\r\n" * fields)
        asking.writer.write(b"\r\n")
        async with asyncio.timeout(PATIENCE_S):
            answer = await asking.reader.readline()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert steps.most <= _HEAD_STEPS, steps


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_does_not_come_ends_the_connection(client: _Client) -> None:
    slow = await client.connect()
    slow.writer.write(
        b"POST /api/v1/data-collector/start HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n"
        b"Authorization: Bearer " + ADMIN.encode() + b"\r\n\r\n{"
    )
    await slow.ended()


async def test_a_body_with_two_lengths_is_refused_and_ends_the_connection(client: _Client) -> None:
    smuggler = await client.connect()
    smuggler.writer.write(
        b"POST /api/v1/data-collector/start HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    )
    async with asyncio.timeout(PATIENCE_S):
        answer = await smuggler.reader.read()
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_is_not_read_ends_the_connection(client: _Client) -> None:
    asking = (
        f"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {ADMIN}\r\n\r\n"
    )
    lazy = await client.connect()
    lazy.writer.transport.pause_reading()  # type: ignore[attr-defined]
    lazy.writer.write(asking.encode() * 200)
    with pytest.raises(ConnectionError):
        await _send_for_ever(lazy)


async def _send_for_ever(connection: _Raw) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            connection.writer.write(b" ")
            await connection.writer.drain()
            await asyncio.sleep(0.05)
