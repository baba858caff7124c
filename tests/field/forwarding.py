"""A forwarding HTTP proxy on loopback that counts, and can require a password or refuse tunnels."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Forwarding:
    """Requests as `GET http://…` or `CONNECT host:port`; all are forwarded to the port `to`."""

    to: int
    password: str = ""
    tunnel_status: int = 200
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.suppress(ConnectionError, asyncio.IncompleteReadError),
            contextlib.closing(writer),
        ):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            method, target, _ = first.split(" ")
            self.asked.append(f"{method} {target}")
            if self.password and not self._is_let_in(lines):
                writer.write(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
                )
                await writer.drain()
                return
            if method == "CONNECT":
                writer.write(f"HTTP/1.1 {self.tunnel_status} Tunnel\r\n\r\n".encode())
                if self.tunnel_status == 200:
                    await self._joined(reader, writer, b"")
                return
            address = urlsplit(target)
            kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection"))]
            await self._joined(
                reader,
                writer,
                "\r\n".join(
                    [
                        f"{method} {address.path}?{address.query} HTTP/1.1",
                        *kept,
                        "Connection: close",
                        "",
                        "",
                    ]
                ).encode(),
            )

    def _is_let_in(self, lines: list[str]) -> bool:
        credentials = "Basic " + base64.b64encode(f"user:{self.password}".encode()).decode()
        return any(
            line.lower().startswith("proxy-authorization:") and line.endswith(credentials)
            for line in lines
        )

    async def _joined(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes
    ) -> None:
        there_reader, there = await asyncio.open_connection("127.0.0.1", self.to)
        with contextlib.closing(there):
            there.write(first)
            back = asyncio.create_task(_copied(there_reader, writer))
            out = asyncio.create_task(_copied(reader, there))
            await asyncio.wait({back, out}, return_when=asyncio.FIRST_COMPLETED)
            if out.done():
                await back
            out.cancel()
            await asyncio.gather(out, back, return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextlib.asynccontextmanager
async def forwarding(proxy: Forwarding) -> AsyncIterator[Forwarding]:
    """The proxy on a port of loopback."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()
