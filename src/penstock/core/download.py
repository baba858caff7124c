"""A body too large to hold: read as it comes, in blocks, with a time-out for each silence and one for all of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from penstock.errors import SourceUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BLOCK_BYTES = 256 * 1024
_ENCODINGS = {"identity": False, "": False, "gzip": True, "x-gzip": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """How long a download may take: to its first byte, in silence between two bytes, and in all.

    `attempts` (the first one included) and `backoff_s` are for what goes wrong before the first byte.
    """

    first_byte_s: float = 180.0
    idle_s: float = 60.0
    total_s: float = 1_800.0
    attempts: int = 8
    backoff_s: float = 1.0


class Download:
    """An answer whose body is still to come. `gzip`: it comes compressed. `length`: its bytes on the wire, None when nobody says."""

    def __init__(self, response: aiohttp.ClientResponse, limits: DownloadLimits, until: float) -> None:
        encoding = response.headers.get("Content-Encoding", "")
        if encoding not in _ENCODINGS:
            message = f"GET {response.url}: an answer encoded as {encoding[:20]} was not asked for"
            raise SourceUnavailableError(message)
        self.gzip = _ENCODINGS[encoding]
        self.length = response.content_length
        self.received = 0
        self._response = response
        self._limits = limits
        self._until = until

    async def blocks(self) -> AsyncGenerator[bytes]:
        """The body in blocks of some 256 KiB; SourceUnavailableError when its framing says that it is not whole, or no more comes."""
        block = bytearray()
        while part := await self._part():
            self.received += len(part)
            block += part
            if len(block) >= BLOCK_BYTES:
                yield bytes(block)
                block.clear()
        if block:
            yield bytes(block)

    async def _part(self) -> bytes:
        """What has come since; empty at the end."""
        silence_s = self._limits.idle_s if self.received else self._limits.first_byte_s
        left_s = self._until - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(silence_s, left_s)):
                return await self._response.content.readany()
        except TimeoutError as error:
            why = f"nothing came for {silence_s:g} s" if silence_s < left_s else f"it took longer than {self._limits.total_s:g} s"
            raise self._broken(why) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(str(error) or type(error).__name__) from error

    def _broken(self, why: str) -> SourceUnavailableError:
        return SourceUnavailableError(f"GET {self._response.url}: the answer was cut after {self.received} bytes: {why}")
