"""A body of any length costs almost nothing, with and without a token."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.api.collector import PATIENCE_S, collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.collector import Collector

_ADMIN = "an-admin-token-of-a-deployment-4711"
_PATH = "/api/v1/data-collector/start"
_PIECE = b"x" * 65_536
_SIZE = 4_580 * len(_PIECE)
_WITH = f"Authorization: Bearer {_ADMIN}\r\n"


@pytest.fixture
async def service(sqlite_database: str) -> AsyncIterator[Collector]:
    async with collector(sqlite_database, work=False, admin_token=_ADMIN) as found:
        yield found


async def _send(
    service: Collector, headers: str, *, chunked: bool
) -> tuple[int, dict[str, Any], int]:
    """POST the body until the service ends the connection: status, answer, peak memory."""
    address = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {_SIZE}"
    writer.write(
        f"POST {_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\n{headers}{length}\r\n\r\n".encode()
    )
    answered = asyncio.create_task(_answer(reader))
    most = 0
    async with asyncio.timeout(PATIENCE_S):
        # The connection ends if the service stops discarding before the whole body is sent.
        with contextlib.suppress(ConnectionError):
            for number in range(_SIZE // len(_PIECE)):
                writer.write(
                    f"{len(_PIECE):x}\r\n".encode() + _PIECE + b"\r\n" if chunked else _PIECE
                )
                await writer.drain()
                if number % 64 == 0:
                    most = max(most, _memory())
            writer.write(b"0\r\n\r\n" if chunked else b"")
        head, answer = await answered
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()
    assert b"\r\nconnection: close" in head.lower()
    return int(head.split()[1]), answer, max(most, _memory())


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, dict[str, Any]]:
    """Its head and its body, read while the request is still being sent, as clients do."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length: (\d+)\r\n", head.lower())
    assert found, head
    return head, json.loads(await reader.readexactly(int(found[1])))


def _memory() -> int:
    """The current memory of this process, which is also the service."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(
    ("headers", "status"), [("", 401), (_WITH, 413)], ids=["stranger", "token"]
)
async def test_a_body_of_300_mb_is_refused_without_using_memory(
    service: Collector, headers: str, status: int, chunked: bool
) -> None:
    before = _memory()
    found, answer, most = await _send(service, headers, chunked=chunked)
    assert (found, answer["status"]) == (status, status)
    if status == 413:
        assert answer["detail"] == "body: it is longer than 1,048,576 bytes; send less at a time"
    assert most - before < 30_000_000
    async with service.session.get("/livez") as alive:
        assert alive.status == 200


async def test_a_body_within_the_limit_is_accepted_in_any_form(service: Collector) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"symbols": ["BTCUSDT"],'
        yield b'"timeframes": ["1m"]}'

    async with service.session.post(
        _PATH,
        data=pieces(),
        headers={"Authorization": f"Bearer {_ADMIN}", "Content-Type": "application/json"},
    ) as answer:
        assert answer.status == 202


async def test_a_chunked_body_just_over_the_limit_is_too_large(service: Collector) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65_536

    headers = {"Authorization": f"Bearer {_ADMIN}", "Content-Type": "application/json"}
    async with service.session.post(_PATH, data=pieces(), headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "too_large")
