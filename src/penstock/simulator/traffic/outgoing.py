"""A response whose framing, compression, pace and end the faults can still change."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.web_request import BaseRequest

Framing: TypeAlias = Literal["length", "chunked", "close"]
# The level at which servers usually compress while they send.
GZIP_LEVEL = 1
_PIECE = 256 * 1024


class Content(Protocol):
    """Bytes of a known length, read a piece at a time."""

    @property
    def length(self) -> int: ...

    def read(self, first: int, size: int) -> bytes: ...


class Source(Protocol):
    """What to send, compressed or not; opening it may take seconds."""

    async def opened(self, *, compressed: bool) -> Content: ...


@dataclass(frozen=True, slots=True)
class Body:
    """A body in memory."""

    text: bytes

    @property
    def length(self) -> int:
        return len(self.text)

    def read(self, first: int, size: int) -> bytes:
        return self.text[first : first + size]

    async def opened(self, *, compressed: bool) -> Content:
        return Body(gzip.compress(self.text, GZIP_LEVEL, mtime=0)) if compressed else self


@dataclass(frozen=True, slots=True)
class SendPace:
    """`size` bytes every `every_s` seconds."""

    size: int
    every_s: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Only `at` bytes until it is `opened`."""

    at: int
    opened: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cut:
    """How many bytes are sent; with `framed` the framing hides that the others are missing."""

    kept: Callable[[int], int]
    framed: bool


class OutgoingResponse(web.StreamResponse):
    """A response that aiohttp sends after the handler returns it, in bounded memory."""

    def __init__(
        self, source: Source, *, status: int = 200, content_type: str = "application/json"
    ) -> None:
        super().__init__(status=status, headers={"Content-Type": content_type})
        self.source = source
        self.compressed = False
        self.framing: Framing = "length"
        self.pace: SendPace | None = None
        self.gate: Gate | None = None
        self.cut: Cut | None = None

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Send headers and body; aiohttp then ends the body as the framing requires."""
        content = await self.source.opened(compressed=self.compressed)
        whole = length = content.length
        if self.cut:
            length = max(0, min(self.cut.kept(whole), whole))
        self._frame(length if self.cut and self.cut.framed else whole)
        writer = await super().prepare(request)
        before = min(self.gate.at, length) if self.gate else 0
        await self._send(content, 0, before)
        if self.gate:
            await self.gate.opened()
        await self._send(content, before, length)
        if length < whole and self.cut and not self.cut.framed and request.transport:
            request.transport.close()
        return writer

    def _frame(self, promised: int) -> None:
        if self.compressed:
            self.headers["Content-Encoding"] = "gzip"
        match self.framing:
            case "length":
                self.content_length = promised
            case "chunked":
                self.enable_chunked_encoding()
            case "close":
                # aiohttp frames every HTTP/1.1 body; its own WebSocketResponse opts out like this.
                self._length_check = False
                self.force_close()

    async def _send(self, content: Content, begin: int, end: int) -> None:
        loop = asyncio.get_running_loop()
        size, due_s = self.pace.size if self.pace else _PIECE, loop.time()
        for first in range(begin, end, size):
            await self.write(content.read(first, min(size, end - first)))
            if self.pace:
                due_s += self.pace.every_s
                await asyncio.sleep(max(0.0, due_s - loop.time()))


def gzipped(pieces: Iterable[bytes], level: int = GZIP_LEVEL) -> Iterator[bytes]:
    """The same bytes, compressed in bounded memory."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def outgoing(response: web.StreamResponse) -> OutgoingResponse | None:
    """A changeable response with the same content; None when it is already being sent."""
    if isinstance(response, OutgoingResponse):
        return response
    if not isinstance(response, web.Response):
        return None
    text = response.body if isinstance(response.body, bytes) else b""
    changeable = OutgoingResponse(Body(text), status=response.status)
    changeable.headers.update(response.headers)
    changeable.headers.popall("Content-Length", None)
    return changeable
