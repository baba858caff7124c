"""Uploaded files: received onto the disk, a few at a time, and worked on one after the other.

So many of them take no more memory than one.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from penstock.errors import TooLargeError, TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import BinaryIO

    from starlette.requests import Request

_AT_ONCE = 4
_RETRY_S = 10.0
# A client that sends a byte now and then does not keep the others out.
_DEADLINE_S = 300.0
_PIECE_BYTES = 1_048_576


class Uploads:
    """The uploads of this process."""

    def __init__(self) -> None:
        self._count = 0
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[BinaryIO]:
        """The body as a file while the block runs, one block at a time.

        TooManyRequestsError when there are enough already.
        """
        if self._count >= _AT_ONCE:
            raise TooManyRequestsError(
                f"{_AT_ONCE} files are being uploaded already; come back in {_RETRY_S:g} s",
                retry_after_s=_RETRY_S,
            )
        self._count += 1
        try:
            with tempfile.TemporaryFile() as file:
                await _receive(request, file)
                async with self._turn:
                    yield file
        finally:
            self._count -= 1


async def _receive(request: Request, file: BinaryIO) -> None:
    """Write the body to the file; the guard counts its length."""
    try:
        async with asyncio.timeout(_DEADLINE_S):
            waiting = bytearray()
            async for piece in request.stream():
                waiting += piece
                if len(waiting) >= _PIECE_BYTES:
                    await asyncio.to_thread(file.write, waiting)
                    waiting = bytearray()
            await asyncio.to_thread(file.write, waiting)
    except TimeoutError:
        raise TooLargeError(
            f"body: it was not complete within {_DEADLINE_S:g} s; send it faster, or less"
        ) from None
    except ClientDisconnect:
        # It is not answered: the client is gone, or the guard says that the body is too large.
        raise TooLargeError("body: it was not complete") from None
    file.seek(0)
