"""What is active and what is collected, in memory: clients poll it while runs are busiest.

A read in a thread waits for its turn beside the threads that write: 50 to 100 ms during a large
run. So a request gets what was read last, and later changes are read behind the answer. A request
that changes something is answered once that was read: every client sees its own changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.domains.automatic import COLLECT_ALL
from penstock.domains.market import MarketParts
from penstock.errors import PenstockError
from penstock.loop import background
from penstock.runs.events import EventsLost, QueueChanged, RunChanged
from penstock.store.write.schedules import schedule_named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.app import App
    from penstock.runs.events import Event
    from penstock.runs.queries import ActiveRuns
    from penstock.store.write.schedules import ScheduleRow

# Events can be missed while the database is unreachable: a view is read again after the first
# time, and no longer answered after the second.
_LOOK_AGAIN_S = 1.0
_TOO_OLD_S = 10.0


@dataclass(frozen=True, slots=True)
class View:
    """The active runs by kind and state, the default schedule, and the symbols that it collects."""

    active: Sequence[ActiveRuns]
    default: ScheduleRow | None
    symbols: Sequence[str]
    read_at_s: float


class Overview:
    """The view of this process."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._view: View | None = None
        self._asked = 0
        self._shown = -1
        self._moved = self._outdated = False
        self._reading: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow changes while the block runs."""
        try:
            async with background(self._hear(), "overview"):
                yield
        finally:
            self._outdated = False
            if self._reading is not None:
                await asyncio.wait([self._reading])

    async def view(self) -> View:
        """What was read last; StoreUnavailableError when it cannot be read for long."""
        while self._view is None or self._age_s() > _TOO_OLD_S:
            await asyncio.shield(self._read())
        if self._moved or self._age_s() > _LOOK_AGAIN_S:
            self._reading = self._read()
        return self._view

    async def caught_up(self) -> None:
        """Come back when the view shows all that is committed now, or cannot be read."""
        self._asked += 1
        asked = self._asked
        with contextlib.suppress(PenstockError):
            while self._shown < asked:
                await asyncio.shield(self._read())

    def _age_s(self) -> float:
        return time.monotonic() - (self._view.read_at_s if self._view else 0.0)

    def _read(self) -> asyncio.Task[None]:
        """The read that is going on, or a new one."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._refresh(), name="overview read")
            self._reading.add_done_callback(self._was_read)
        return self._reading

    async def _refresh(self) -> None:
        asked, self._moved, self._outdated = self._asked, False, False
        began_s = time.monotonic()

        runs, automatic = self._app.runs, self._app.of(MarketParts).automatic
        self._view = await self._app.database.look(
            lambda connection: View(
                runs.active(connection),
                schedule_named(connection, automatic.asleep, COLLECT_ALL),
                automatic.symbols(connection),
                began_s,
            )
        )
        self._shown = asked

    def _was_read(self, read: asyncio.Task[None]) -> None:
        """Read again after a change in between; an error goes to those who wait for the read."""
        if not read.cancelled() and read.exception() is None and self._outdated:
            self._reading = self._read()

    async def _hear(self) -> None:
        with self._app.database.events.subscribed() as subscription:
            async for events in subscription:
                for event in events:
                    self._note(event)

    def _note(self, event: Event) -> None:
        match event:
            case QueueChanged() | EventsLost():
                self._outdated = True
                self._reading = self._read()
            case RunChanged():
                self._moved = True
