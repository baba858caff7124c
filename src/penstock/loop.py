"""What loops that never end share: how they wait, and how they log what fails for a while."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog

from penstock.errors import RetryableError

_log: structlog.stdlib.BoundLogger = structlog.get_logger()


async def event_or_time(event: asyncio.Event, seconds: float) -> None:
    """Come back when the event is set, or after so many seconds."""
    # Not wait_for: before Python 3.12 it forgets a cancellation that comes with the event.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Outage:
    """What is tried again and again: logged once when it begins to fail, once when it works again.

    `context` stands on both log lines.
    """

    def __init__(self, failing: str, working: str, **context: object) -> None:
        self._failing = failing
        self._working = working
        self._context = context
        self._since: float | None = None

    def began(self, error: Exception | str) -> None:
        """Log the error unless the outage goes on; an unexpected one with its traceback."""
        if self._since is not None:
            return
        self._since = time.monotonic()
        expected = isinstance(error, RetryableError | str)
        trace = None if expected else error
        _log.warning(self._failing, error=str(error), exc_info=trace, **self._context)

    def ended(self) -> None:
        """Log that it works again, and how long it did not; nothing when there was no outage."""
        if self._since is None:
            return
        seconds, self._since = time.monotonic() - self._since, None
        _log.info(self._working, after_s=round(seconds, 1), **self._context)
