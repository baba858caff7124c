"""Bodies that may come compressed, unpacked as they come: a small one may hold a thousand times its size."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from penstock.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import aiohttp

_READ_BYTES = 65_536
# A piece of this size is unpacked in less than a millisecond, and the event loop is only held for that.
_PIECE_BYTES = 256 * 1024
_ENCODINGS = {"": False, "identity": False, "gzip": True, "x-gzip": True}
_GZIP = zlib.MAX_WBITS | 16


def is_packed(response: aiohttp.ClientResponse) -> bool:
    """Whether its body comes as gzip; SourceUnavailableError for what was not asked for."""
    encoding = response.headers.get("Content-Encoding", "").lower()
    if encoding not in _ENCODINGS:
        message = f"GET {response.url}: an answer encoded as {encoding[:20]} was not asked for"
        raise SourceUnavailableError(message)
    return _ENCODINGS[encoding]


async def pieces(
    response: aiohttp.ClientResponse, heard: Callable[[], None]
) -> AsyncIterator[bytes]:
    """The unpacked body; `heard` is called whenever something has come. SourceUnavailableError when it is cut or damaged."""
    packed = _Packed() if is_packed(response) else None
    while part := await response.content.read(_READ_BYTES):
        heard()
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


class _Packed:
    """A gzip stream of one member or several."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=_GZIP)
        self._left = b""

    @property
    def whole(self) -> bool:
        return self._member.eof and not self._left

    def next(self, part: bytes) -> bytes:
        """The next piece, with what has come since; empty when more has to come first."""
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
