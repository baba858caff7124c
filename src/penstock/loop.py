"""What endless loops need in outages: waiting, cutting what hangs, logging once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING, Any

from penstock.errors import RetryableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator

    from structlog.stdlib import BoundLogger


@contextlib.asynccontextmanager
async def background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Do the work while the block runs, then cancel it."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def event_or_time(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after `seconds`."""
    # Before Python 3.12 wait_for loses a cancellation that comes with the event.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def first_of(*works: Awaitable[None]) -> None:
    """Return when one of the works has ended, and cancel the others; raises its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def cut_socket(descriptor: int) -> None:
    """Shut a socket down at our end, which wakes what waits for it; OSError if closed."""
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


class Outage:
    """Logs repeated failures once when they begin, and once when they end.

    Both log lines have `context`.
    """

    def __init__(self, failing: str, working: str, **context: object) -> None:
        self._failing = failing
        self._working = working
        self._context = context
        self._since: float | None = None

    @contextlib.contextmanager
    def logged(self) -> Iterator[None]:
        """Log an error of the block instead of raising it; without one, the outage is over."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - an endless loop has to go on
            self.began(error)
        else:
            self.ended()

    def began(self, error: Exception | str) -> None:
        """Log the first error of an outage; an unexpected one with its traceback."""
        if self._since is not None:
            return
        self._since = time.monotonic()
        expected = isinstance(error, RetryableError | str)
        trace = None if expected else error
        _log().warning(self._failing, error=str(error), exc_info=trace, **self._context)

    def ended(self) -> None:
        """Log the end of the outage, if there was one, and its length."""
        if self._since is None:
            return
        seconds, self._since = time.monotonic() - self._since, None
        _log().info(self._working, after_s=round(seconds, 1), **self._context)


def _log() -> BoundLogger:
    import structlog  # noqa: PLC0415 - commands that only read come here and have no log

    log: BoundLogger = structlog.get_logger()
    return log
