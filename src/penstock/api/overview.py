"""What is active and what is collected, kept in memory, because it is asked for many times a second while runs are at their busiest.

A read in a thread waits for its turn beside the threads that write: 50 to 100 ms during a large run. So one is made when something was queued or
has ended; mere progress is caught up with behind the answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.core.events import EventsLost, QueueChanged, RunChanged
from penstock.market import queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.app import App
    from penstock.core.events import Event
    from penstock.store.run_queries import ActiveRuns

# An event can be missed while the database is out of reach: after this a view is looked at again, and soon it is not answered any more.
_LOOK_AGAIN_S = 1.0
_TOO_OLD_S = 10.0


@dataclass(frozen=True, slots=True)
class View:
    """The active runs by kind and state, and the symbols that are collected by themselves."""

    active: Sequence[ActiveRuns]
    symbols: Sequence[str]
    read_at_s: float


class Overview:
    """The view of this process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._view: View | None = None
        self._asked = 0
        self._shown = -1
        self._moved = False
        self._reading: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hear of what changes while the block runs."""
        hearing = asyncio.create_task(self._hear(), name="overview")
        try:
            yield
        finally:
            hearing.cancel()
            await asyncio.wait([hearing, *([self._reading] if self._reading else [])])

    async def view(self) -> View:
        """As of the last time that something was queued or ended; StoreUnavailableError when that cannot be read."""
        while self._view is None or self._shown < self._asked or self._age_s() > _TOO_OLD_S:
            await asyncio.shield(self._read())
        if self._moved or self._age_s() > _LOOK_AGAIN_S:
            self._reading = self._read()
        return self._view

    def changed(self) -> None:
        """What was read so far is no answer any more."""
        self._asked += 1

    def _age_s(self) -> float:
        return time.monotonic() - (self._view.read_at_s if self._view else 0.0)

    def _read(self) -> asyncio.Task[None]:
        """The read that goes on, or a new one."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._refresh(), name="overview read")
            self._reading.add_done_callback(_seen)
        return self._reading

    async def _refresh(self) -> None:
        asked, self._moved = self._asked, False
        began_s = time.monotonic()

        runs, configured = self._app.runs, self._app.market.configured
        self._view = await self._app.database.read(
            lambda connection: View(runs.active(connection), queries.configured_symbols(connection, configured), began_s)
        )
        self._shown = asked

    async def _hear(self) -> None:
        with self._app.database.events.subscribed() as subscription:
            async for events in subscription:
                for event in events:
                    self._note(event)

    def _note(self, event: Event) -> None:
        match event:
            case QueueChanged() | EventsLost():
                self.changed()
            case RunChanged():
                self._moved = True


def _seen(read: asyncio.Task[None]) -> None:
    """Who waits for it gets its error; a read behind an answer that was given has nobody to tell."""
    if not read.cancelled():
        read.exception()
