"""Delivery within one process, for SQLite: the table of runs is the queue.

One process owns a SQLite file, so there is nobody to agree with and nobody to take over from.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from penstock.loop import background, event_or_time
from penstock.runs.events import CancelAsked, EventsLost, QueueChanged
from penstock.runs.runner import Cancelled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Connection

    from penstock.runs.dispatch import StartToken
    from penstock.runs.events import Events, Subscription
    from penstock.runs.executor import Executor


class InProcessDispatch:
    """A `Dispatch` whose tokens are the queued rows themselves."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._wake = asyncio.Event()

    def put(
        self,
        connection: Connection,
        tokens: Sequence[StartToken],  # noqa: ARG002 - the port's form
    ) -> None:
        """Nothing to add: the row is queued, and its change wakes the executor."""
        _refuse_postgresql(connection)

    def adopt(
        self,
        connection: Connection,
        token: StartToken,  # noqa: ARG002 - the port's form
    ) -> None:
        """There are no jobs."""
        _refuse_postgresql(connection)

    def withdraw(self, connection: Connection, job_id: int | None) -> None:
        """The event that its cancellation is asked for stops the run."""

    def release(self, connection: Connection, job_id: int) -> None:
        """There are no jobs."""

    def silence(self, connection: Connection, job_id: int) -> None:
        """The lock of the file vouches for its worker."""

    def workers(self, connection: Connection) -> None:
        """The lock of the file keeps out others."""

    @contextlib.asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        """The lock of the file vouches for this process."""
        yield

    async def run(self, executor: Executor) -> None:
        with self._events.subscribed() as subscription:
            async with background(self._watch(subscription, executor), "watch queue"):
                executor.running = True
                try:
                    while True:
                        await self._fill(executor)
                        await event_or_time(self._wake, executor.options.poll_s)
                finally:
                    executor.running = False
                    await executor.put_back()

    async def _fill(self, executor: Executor) -> None:
        self._wake.clear()
        await executor.put_back_unrecorded()
        if executor.free <= 0:
            return
        taking = asyncio.create_task(executor.take(), name="take")
        try:
            tasks = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # What is being taken in this moment is ours: it is begun, to be put back with the rest.
            await asyncio.wait([taking])
            raise
        for task in tasks:
            task.add_done_callback(lambda _: self._wake.set())

    async def _watch(self, subscription: Subscription, executor: Executor) -> None:
        async for events in subscription:
            for event in events:
                match event:
                    case CancelAsked(run_id):
                        executor.interrupt(run_id, Cancelled())
                    case QueueChanged() | EventsLost():
                        self._wake.set()


def _refuse_postgresql(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        raise RuntimeError("runs on PostgreSQL are delivered by its queue, not within one process")
