"""The alerting of one process: evaluates the rules and sends due messages.

The alert book decides which process does either.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock.errors import PenstockError
from penstock.loop import Outage, event_or_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.alerts.book import AlertBook, AlertMessage, Notifier

_RETRY_S = 5.0


class Alerting:
    """Evaluates the rules and sends messages while it runs.

    `first_after_s` delays the first evaluation, so that missed collections can catch up first.
    `poll_s` is the time between two polls for messages.
    """

    def __init__(
        self, book: AlertBook, notifier: Notifier, *, first_after_s: float, poll_s: float = 5.0
    ) -> None:
        self._book = book
        self._notifier = notifier
        self._first_after_s = first_after_s
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking = Outage("alert messages cannot be taken", "alert messages can be taken again")
        self._evaluating = Outage("alerts cannot be evaluated", "alerts can be evaluated again")
        self._recording = Outage(
            "alert deliveries cannot be recorded", "alert deliveries can be recorded again"
        )
        self._deliveries: dict[str, Outage] = {}

    async def run(self) -> None:
        """Run until cancelled; a message that is being sent then is sent again later."""
        evaluating = asyncio.create_task(self._evaluate(), name="alerts")
        try:
            while True:
                self._wake.clear()
                taken: Sequence[AlertMessage] = ()
                with self._taking.logged():
                    taken = await self._book.take()
                for message in taken:
                    self._start(message)
                await event_or_time(self._wake, self._poll_s)
        finally:
            running = {evaluating, *self._tasks}
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def _evaluate(self) -> None:
        await asyncio.sleep(self._first_after_s)
        while True:
            wait_s = _RETRY_S
            with self._evaluating.logged():
                wait_s = await self._book.evaluate()
            self._wake.set()
            await asyncio.sleep(wait_s)

    def _start(self, message: AlertMessage) -> None:
        task = asyncio.create_task(self._send(message), name=f"alert message {message.id}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _send(self, message: AlertMessage) -> None:
        name = message.target.name
        delivery = self._deliveries.setdefault(
            name, Outage(f"alerts do not reach {name}", f"alerts reach {name} again")
        )
        error = await self._delivery_error(message)
        with self._recording.logged():
            if error is None:
                delivery.ended()
                await self._book.sent(message)
            else:
                delivery.began(error)
                await self._book.failed(message, error)

    async def _delivery_error(self, message: AlertMessage) -> str | None:
        try:
            await self._notifier.send(message.target, message.body)
        except PenstockError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a plugin's error must not end the loop
            return f"unexpected {type(error).__name__}"
        return None
