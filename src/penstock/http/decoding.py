"""Decoding answers beside other work: small pages in turns on the loop, all else in a thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# How long an answer may be: a page of 1,000 rows has a tenth of it; a list of everything that a
# provider has may be longer.
PAGE_BYTES = 2 * 1024 * 1024
LIST_BYTES = 32 * 1024 * 1024
# A page of 1,000 candles is smaller, and has a bracket for each.
_SMALL_BYTES = 256 * 1024
_FEW_BRACKETS = 4_000


class Turnstile:
    """Lets one task through per turn: ten answers at once do not hold the event loop together."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def passed(self) -> None:
        async with self._lock:
            await asyncio.sleep(0)


class Decoding:
    """Decodes the answers of one client, one after another."""

    def __init__(self) -> None:
        self._turnstile = Turnstile()
        self._thread = _thread()

    async def decoded(
        self, decode: Callable[[bytes], T], body: bytes, *, any_length: bool = False
    ) -> T:
        """What `decode` gives or raises; `any_length`: nobody asked for a number of rows."""
        if any_length or not _is_small(body):
            return await asyncio.get_running_loop().run_in_executor(self._thread, decode, body)
        await self._turnstile.passed()
        return decode(body)

    def close(self) -> None:
        """End the thread after its present work."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = _thread()


def _is_small(body: bytes) -> bool:
    """Whether its rows and what is in them take a turn of the loop that nobody notices."""
    return (
        len(body) <= _SMALL_BYTES
        and sum(body.count(bracket) for bracket in (b"[", b"{")) <= _FEW_BRACKETS
    )


def _thread() -> ThreadPoolExecutor:
    """It starts with its first work."""
    return ThreadPoolExecutor(1, thread_name_prefix="decode")
