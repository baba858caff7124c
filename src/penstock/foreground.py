"""The foreground: a process works at once on the runs that it submits itself, and on no others.

Whoever waits for a run, as `penstock collect` and `penstock.script` do, needs no worker for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import deque
from typing import TYPE_CHECKING

from penstock.errors import ConflictError, RunFailedError
from penstock.runs.run import Priority, Submission
from penstock.runs.runner import Cancelled
from penstock.store.write.runs.ledger import SqlRunLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.app import App
    from penstock.runs.run import Run
    from penstock.runs.runner import Outcome
    from penstock.store.write.runs.submit import Wanted


class Foreground(SqlRunLedger):
    """The ledger of an application, for a process that works on its own submissions.

    A run begins in the transaction that submits it, so no other worker can take it. It has one
    attempt: whoever waits hears of a failure at once. What runs submit in turn is queued, for
    `work_off`.
    """

    def __init__(self, app: App) -> None:
        super().__init__(
            app.database,
            app.dispatch,
            dead_after_s=app.settings.dead_after_s,
            entries_of=app.domains.log_entries,
        )
        self._app = app
        self._executor = app.executor_of(self, attempts=1)
        self._working: dict[uuid.UUID, asyncio.Task[Outcome]] = {}
        self._further: deque[uuid.UUID] = deque()

    async def submit(self, wanted: Wanted, *, by: Run | None = None) -> uuid.UUID:
        """What a person waits for begins now, the rest when that has ended."""
        later = isinstance(wanted, Submission) and wanted.priority is not Priority.HIGH
        if by is not None or later:
            return await self._submit_further(wanted, by)
        run = await self._begin(wanted)
        working = asyncio.create_task(self._executor.work(run), name=f"run {run.id}")
        working.add_done_callback(_recorded)
        self._working[run.task_id] = working
        return run.task_id

    async def outcome(self, task_id: uuid.UUID) -> Outcome:
        """What a run of this process gives; raises what ends it."""
        try:
            return await self._working[task_id]
        except Cancelled:
            raise RunFailedError(f"task {task_id} was cancelled") from None

    async def stop(self) -> None:
        """Cancel the runs of this process, and wait until that is recorded."""
        # A run that was submitted just now has to begin before it can record its end.
        await asyncio.sleep(0)
        for working in self._working.values():
            working.cancel()
        await asyncio.gather(*self._working.values(), return_exceptions=True)

    @property
    def has_more(self) -> bool:
        """Whether there is something to `work_off`."""
        return bool(self._further)

    async def work_off(self) -> None:
        """Work on what the runs of this process have submitted; nothing waits for the outcome."""
        while self._further:
            run = await self.adopt(self._further.popleft())
            if run is not None:
                await self._work_off(run)

    async def _submit_further(self, wanted: Wanted, by: Run | None) -> uuid.UUID:
        try:
            task_id = await super().submit(wanted, by=by)
        except ConflictError as error:
            # A process that is gone may have left that one in the queue.
            if error.task_id is not None:
                self._further.append(uuid.UUID(error.task_id))
            raise
        self._further.append(task_id)
        return task_id

    async def _begin(self, wanted: Wanted) -> Run:
        while True:
            try:
                return await self.start(wanted)
            except ConflictError as error:
                left = await self._left_in_the_way(error)
                if not left:
                    raise
            await self._work_off(left[0])

    async def _left_in_the_way(self, error: ConflictError) -> list[Run]:
        """The run that a dead process left in the way, begun here; empty without one.

        On SQLite nobody else works, so whatever is queued was left.
        """
        if self._app.database.file is not None:
            return await self.take(1)
        if error.task_id is None:
            return []
        left = await self.adopt(uuid.UUID(error.task_id), interrupted_only=True)
        return [] if left is None else [left]

    async def _work_off(self, run: Run) -> None:
        # How it ends is recorded and logged.
        with contextlib.suppress(Exception):
            await self._executor.work(run)


def _recorded(working: asyncio.Task[Outcome]) -> None:
    """The record of a run says how it ended, so nothing awaits the task."""
    if not working.cancelled():
        working.exception()


@contextlib.asynccontextmanager
async def foreground(app: App) -> AsyncIterator[Foreground]:
    """A foreground while the block runs; runs that are unfinished at its end are cancelled."""
    async with app.dispatch.present():
        here = Foreground(app)
        try:
            yield here
        finally:
            await here.stop()
