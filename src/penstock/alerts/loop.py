"""The alerting of one process: looks when it is its turn, and sends what is due. Which process does either is decided by the alert book alone."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import structlog

from penstock.errors import PenstockError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.alerts.book import AlertBook, Notifier, Outgoing

T = TypeVar("T")

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingOptions:
    """`first_after_s`: before the first look after a start, so that what was missed can be collected; `poll_s`: between looks for messages."""

    first_after_s: float = 180.0
    poll_s: float = 5.0


class Alerting:
    """Looks and sends while it runs."""

    def __init__(self, book: AlertBook, notifier: Notifier, options: AlertingOptions) -> None:
        self._book = book
        self._notifier = notifier
        self._options = options
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Until cancelled; a message that is being sent then is sent again later."""
        looking = asyncio.create_task(self._look(), name="alerts")
        try:
            while True:
                self._wake.clear()
                for message in (
                    await self._tried("alert messages cannot be taken", self._book.take) or ()
                ):
                    self._start(message)
                # Not wait_for: before Python 3.12 that forgets a cancellation which comes together with the event.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._options.poll_s):
                        await self._wake.wait()
        finally:
            running = {looking, *self._tasks}
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def _look(self) -> None:
        await asyncio.sleep(self._options.first_after_s)
        while True:
            wait_s = await self._tried("alerts cannot be evaluated", self._book.evaluate)
            self._wake.set()
            await asyncio.sleep(_AGAIN_S if wait_s is None else wait_s)

    def _start(self, message: Outgoing) -> None:
        task = asyncio.create_task(self._send(message), name=f"alert message {message.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _send(self, message: Outgoing) -> None:
        error = await self._delivered(message)
        name = f"alerts do not reach {message.target.name}"
        self._note(name, error)
        if error is None:
            await self._tried("what was sent cannot be recorded", lambda: self._book.sent(message))
        else:
            await self._tried(
                "what was sent cannot be recorded", lambda: self._book.failed(message, error)
            )

    async def _delivered(self, message: Outgoing) -> str | None:
        """Why it has not arrived, None if it has."""
        try:
            await self._notifier.send(message.target, message.body)
        except PenstockError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - it goes out over code of others, and nobody would send the next one
            return f"{type(error).__name__}, which nobody expected"
        return None

    async def _tried(self, complaint: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """What the work gives, None when it failed: nobody would start this loop again."""
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - as said
            self._note(
                complaint, str(error), unexpected=not isinstance(error, StoreUnavailableError)
            )
            return None
        self._note(complaint, None)
        return result

    def _note(self, complaint: str, error: str | None, *, unexpected: bool = False) -> None:
        """Say it once when it begins and once when it is over."""
        if error is None:
            if complaint in self._failing:
                self._failing.discard(complaint)
                _log.info(f"over: {complaint}")
        elif complaint not in self._failing:
            self._failing.add(complaint)
            _log.warning(complaint, error=error, exc_info=unexpected)
