"""Decompresses bodies as they arrive, in small pieces: a body can grow a thousandfold."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from penstock.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import aiohttp

_READ_BYTES = 65_536
# Decompressing this much holds the event loop for less than a millisecond.
_PIECE_BYTES = 256 * 1024
_ENCODINGS = {"": False, "identity": False, "gzip": True, "x-gzip": True}
_GZIP = zlib.MAX_WBITS | 16
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


def is_packed(response: aiohttp.ClientResponse) -> bool:
    """Whether the body is gzip; SourceUnavailableError for an encoding that was not requested."""
    encoding = response.headers.get("Content-Encoding", "").lower()
    if encoding not in _ENCODINGS:
        raise SourceUnavailableError(
            f"GET {response.url}: the encoding {encoding[:20]} was not requested"
        )
    return _ENCODINGS[encoding]


async def pieces(
    response: aiohttp.ClientResponse, received: Callable[[], None]
) -> AsyncIterator[bytes]:
    """The decompressed body; SourceUnavailableError when it is cut or damaged.

    `received` is called for each part that arrives.
    """
    packed = _Packed() if is_packed(response) else None
    while part := await response.content.read(_READ_BYTES):
        received()
        if packed is None:
            yield part
            continue
        try:
            while piece := packed.next(part):
                yield piece
                part = b""
                await asyncio.sleep(0)
        except zlib.error as error:
            raise SourceUnavailableError(
                f"GET {response.url}: the compressed answer is damaged: {error}"
            ) from error
    if packed is not None and not packed.whole:
        raise SourceUnavailableError(
            f"GET {response.url}: the compressed answer was cut: its end marker is missing"
        )


async def first_bytes(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The beginning of the body, decompressed if it is compressed."""
    body = await response.content.read(limit)
    if response.headers.get("Content-Encoding", "identity") == "identity":
        return body
    try:
        return zlib.decompressobj(wbits=_GZIP_OR_ZLIB).decompress(body, limit)
    except zlib.error:
        return body


class _Packed:
    """A gzip stream of one or more members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=_GZIP)
        self._left = b""

    @property
    def whole(self) -> bool:
        return self._member.eof and not self._left

    def next(self, part: bytes) -> bytes:
        """The next piece, given more input; empty when it needs still more."""
        self._left += part
        piece = b""
        while self._left and not piece:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=_GZIP)
            piece = self._member.decompress(self._left, _PIECE_BYTES)
            self._left = (
                self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            )
        return piece
