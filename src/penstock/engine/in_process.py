"""The executor of one process: takes queued runs, the best first, and works on at most so many at once.

Any number of processes may have one over the same database; which run is whose is decided by `RunLedger.take` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from penstock.errors import RunFailedError, StoreUnavailableError
from penstock.runs.events import CancelAsked, EventsLost, QueueChanged
from penstock.runs.runner import Cancelled, PutBack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from penstock.runs.context import RunContext
    from penstock.runs.events import Events, Subscription
    from penstock.runs.ledger import RunLedger
    from penstock.runs.run import Run
    from penstock.runs.runner import Outcome, Runner

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

# What does not end when it is told to is cancelled, and given so long to say so in the record.
_LAST_WORD_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOptions:
    """`poll_s` is how often it looks for what no event announces: a retry that is due, a worker that died."""

    max_concurrent: int = 5
    poll_s: float = 1.0
    shutdown_s: float = 8.0


class Executor:
    """Runs what is queued, by the work registered for each kind."""

    def __init__(
        self,
        ledger: RunLedger,
        runner: Runner,
        kinds: Mapping[str, Callable[[RunContext], Awaitable[Outcome]]],
        events: Events,
        options: ExecutorOptions,
    ) -> None:
        self._ledger = ledger
        self._runner = runner
        self._kinds = kinds
        self._events = events
        self._options = options
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reachable = True
        self.running = False

    @property
    def active(self) -> int:
        """Runs being worked on here."""
        return len(self._tasks)

    async def run(self) -> None:
        """Work until cancelled; then put back what is running, so that it goes on elsewhere or after a restart."""
        with self._events.subscribed() as subscription:
            watching = asyncio.create_task(self._watch(subscription), name="executor watch")
            self.running = True
            try:
                while True:
                    await self._fill()
                    # Not wait_for: before Python 3.12 that forgets a cancellation which comes together with the event.
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._options.poll_s):
                            await self._wake.wait()
            finally:
                self.running = False
                watching.cancel()
                await self._put_back()

    async def work(self, run: Run) -> Outcome:
        """Work on a taken run; raises what ends it, after that was recorded."""
        return await self._runner.run(run, self._kinds.get(run.kind, _unknown))

    async def _fill(self) -> None:
        self._wake.clear()
        free = self._options.max_concurrent - len(self._tasks)
        if free <= 0:
            return
        taking = asyncio.create_task(self._take(free), name="take")
        try:
            await asyncio.shield(taking)
        except asyncio.CancelledError:
            # What is being taken in this moment is ours: it is begun, to be put back with the rest.
            await asyncio.wait([taking])
            raise

    async def _take(self, count: int) -> None:
        try:
            taken = await self._ledger.take(count)
        except Exception as error:  # noqa: BLE001 - nobody would start the executor again
            if self._reachable:
                _log.warning(
                    "no runs can be taken",
                    error=str(error),
                    exc_info=not isinstance(error, StoreUnavailableError),
                )
            self._reachable = False
            return
        if not self._reachable:
            _log.info("runs can be taken again")
        self._reachable = True
        for run in taken:
            task = asyncio.create_task(self._execute(run), name=f"run {run.id}")
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._wake.set()

    async def _execute(self, run: Run) -> None:
        # The runner has recorded and logged how it ended; here is nobody else to tell.
        with contextlib.suppress(Exception):
            await self.work(run)

    async def _watch(self, subscription: Subscription) -> None:
        async for events in subscription:
            for event in events:
                match event:
                    case CancelAsked(run_id):
                        self._runner.interrupt(run_id, Cancelled())
                    case QueueChanged() | EventsLost():
                        self._wake.set()

    async def _put_back(self) -> None:
        # What was taken in the last moment has to begin before it can be interrupted.
        await asyncio.sleep(0)
        self._runner.interrupt(None, PutBack())
        for patience_s in (self._options.shutdown_s, _LAST_WORD_S):
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=patience_s)
            for task in self._tasks:
                task.cancel()


async def _unknown(context: RunContext) -> Outcome:
    message = f"this version knows no runs of kind {context.run.kind}"
    raise RunFailedError(message)
