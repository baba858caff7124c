"""A proxy to a server that a test can close in the middle of an answer, and open again."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BLOCK = 16_384


class Valve:
    """Passes everything on, until one connection has sent a given number of bytes."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._shut_after: int | None = None
        self._open = asyncio.Event()
        self.url = ""

    def shut_after(self, size: int) -> None:
        """Close for the next connection that sends this much; all others continue."""
        self._shut_after = size
        self._open.clear()

    def open(self) -> None:
        """Open: the withheld bytes are sent now."""
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(
            self._target.hostname, self._target.port
        )
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(
                self._pass(reader, far_writer), self._pass(far_reader, writer, shutting=True)
            )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, shutting: bool = False
    ) -> None:
        passed = 0
        try:
            while block := await reader.read(_BLOCK):
                passed += len(block)
                if shutting and self._shut_after is not None and passed > self._shut_after:
                    self._shut_after = None
                    await self._open.wait()
                writer.write(block)
                await writer.drain()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def valve(url: str) -> AsyncIterator[Valve]:
    """A valve to the server at `url`."""
    passing = Valve(url)
    server = await asyncio.start_server(passing.serve, "127.0.0.1", 0)
    passing.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield passing
    finally:
        passing.open()
        server.close()
