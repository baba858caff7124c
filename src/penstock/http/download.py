"""A body too large to hold: read in blocks as it arrives, with an idle and a total deadline."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from penstock.errors import SourceUnavailableError
from penstock.http.deadlines import TooSlowError
from penstock.http.unpacked import is_packed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """How long a download may take: to its first byte, between two bytes, and in all.

    `attempts` (the first included) and `backoff_s` apply to failures before the first byte.
    """

    first_byte_s: float = 180.0
    idle_s: float = 60.0
    total_s: float = 1_800.0
    attempts: int = 8
    backoff_s: float = 1.0


@contextlib.asynccontextmanager
async def first_byte(limits: DownloadLimits) -> AsyncGenerator[None]:
    """End the block with TooSlowError after `first_byte_s`."""
    timer = asyncio.timeout(limits.first_byte_s)
    try:
        async with timer:
            yield
    except TimeoutError as error:
        if not timer.expired():
            raise
        raise TooSlowError(_no_first_byte(limits)) from error


def _no_first_byte(limits: DownloadLimits) -> str:
    return f"no data for {limits.first_byte_s:g} s (PENSTOCK_EXPORT_FIRST_BYTE_S)"


class Download:
    """An answer whose body is still to arrive.

    `gzip`: it is compressed. `length`: its bytes on the wire, None when the server does not say.
    """

    def __init__(
        self, response: aiohttp.ClientResponse, limits: DownloadLimits, until: float
    ) -> None:
        self.gzip = is_packed(response)
        self.length = response.content_length
        self.received = 0
        self._response = response
        self._limits = limits
        self._until = until

    async def blocks(self) -> AsyncGenerator[bytes]:
        """The body in blocks of about 256 KiB; SourceUnavailableError when it is cut or stalls."""
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
        """The bytes received since the last call; empty at the end."""
        silence_s = self._limits.idle_s if self.received else self._limits.first_byte_s
        left_s = self._until - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(silence_s, left_s)):
                return await self._response.content.readany()
        except TimeoutError as error:
            raise self._broken(self._ran_out(total=left_s <= silence_s)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(str(error) or type(error).__name__) from error

    def _ran_out(self, *, total: bool) -> str:
        if total:
            return f"it took longer than {self._limits.total_s:g} s (PENSTOCK_EXPORT_DEADLINE_S)"
        return (
            f"no data for {self._limits.idle_s:g} s (PENSTOCK_EXPORT_IDLE_S)"
            if self.received
            else _no_first_byte(self._limits)
        )

    def _broken(self, why: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"GET {self._response.url}: the answer was cut after {self.received} bytes: {why}"
        )
