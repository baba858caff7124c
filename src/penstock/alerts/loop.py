"""The alerting of one process: looks when it is its turn, and sends what is due. Which process does either is decided by the alert book alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from penstock.errors import PenstockError
from penstock.loop import Outage, event_or_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.alerts.book import AlertBook, Notifier, Outgoing

T = TypeVar("T")

_AGAIN_S = 5.0
_TAKING = ("alert messages cannot be taken", "alert messages can be taken again")
_LOOKING = ("alerts cannot be evaluated", "alerts can be evaluated again")


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
        self._outages: dict[str, Outage] = {}

    async def run(self) -> None:
        """Until cancelled; a message that is being sent then is sent again later."""
        looking = asyncio.create_task(self._look(), name="alerts")
        try:
            while True:
                self._wake.clear()
                taken = await self._tried(*_TAKING, self._book.take)
                for message in taken or ():
                    self._start(message)
                await event_or_time(self._wake, self._options.poll_s)
        finally:
            running = {looking, *self._tasks}
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def _look(self) -> None:
        await asyncio.sleep(self._options.first_after_s)
        while True:
            wait_s = await self._tried(*_LOOKING, self._book.evaluate)
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
        name = message.target.name
        delivery = self._outage(f"alerts do not reach {name}", f"alerts reach {name} again")
        recording = ("what was sent cannot be recorded", "what was sent can be recorded again")
        error = await self._delivered(message)
        if error is None:
            delivery.ended()
            await self._tried(*recording, lambda: self._book.sent(message))
        else:
            delivery.began(error)
            await self._tried(*recording, lambda: self._book.failed(message, error))

    async def _delivered(self, message: Outgoing) -> str | None:
        """Why it has not arrived, None if it has."""
        try:
            await self._notifier.send(message.target, message.body)
        except PenstockError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - code of others runs there, and others wait
            return f"{type(error).__name__}, which is unexpected"
        return None

    async def _tried(
        self, failing: str, working: str, work: Callable[[], Awaitable[T]]
    ) -> T | None:
        """What the work gives, None when it failed: nothing would start this loop again."""
        outage = self._outage(failing, working)
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - the loop has to go on
            outage.began(error)
            return None
        outage.ended()
        return result

    def _outage(self, failing: str, working: str) -> Outage:
        return self._outages.setdefault(failing, Outage(failing, working))
