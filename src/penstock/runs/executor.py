"""The executor of one process: works on the runs that are delivered to it, and puts them back."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from penstock.errors import RunFailedError
from penstock.loop import Outage
from penstock.runs.runner import PutBack

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from penstock.runs.context import RunContext
    from penstock.runs.ledger import RunLedger
    from penstock.runs.run import Run
    from penstock.runs.runner import Hold, Interruption, Outcome, Runner, RunWork

# What does not end when it is told to is cancelled, and given so long to say so in the record.
_LAST_WORD_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOptions:
    """`poll_s`: how often delivery looks for what nothing announces, such as a retry that is due.

    `sweep_s`: how often it looks for the remains of dead processes.
    """

    max_concurrent: int = 5
    poll_s: float = 1.0
    shutdown_s: float = 4.0
    sweep_s: float = 5.0


class Executor:
    """Works on runs by the work registered for each kind."""

    def __init__(
        self,
        ledger: RunLedger,
        runner: Runner,
        kinds: Mapping[str, RunWork],
        options: ExecutorOptions,
    ) -> None:
        self._ledger = ledger
        self._runner = runner
        self._kinds = kinds
        self.options = options
        self._tasks: set[asyncio.Task[bool]] = set()
        self._outage = Outage("no runs can be taken", "runs can be taken again")
        self._failing: set[str] = set()
        self._ending = False
        self.running = False
        self._unrecorded: list[Run] = []

    @property
    def active(self) -> int:
        """How many runs it works on."""
        return len(self._tasks)

    @property
    def free(self) -> int:
        """How many more runs it may work on."""
        return self.options.max_concurrent - len(self._tasks)

    async def work(self, run: Run) -> Outcome:
        """Work on a run that has begun; raises what ends it, after that was recorded."""
        return await self._runner.run(run, self._kinds.get(run.kind, _unknown))

    def start(self, run_id: int, start: int, job_id: int) -> asyncio.Task[bool]:
        """Begin a run and work on it, unless its token is void.

        The task gives whether the record says how this start ended; it never fails.
        """
        return self._spawn(run_id, lambda hold: self._begin(hold, start, job_id))

    async def take(self) -> Sequence[asyncio.Task[bool]]:
        """Begin the best queued runs, as many as are free, and work on them; gives their tasks."""
        taken: Sequence[Run] = ()
        with self._step("take"):
            taken = await self._ledger.take(self.free)
        return [self._spawn(run.id, partial(self._execute_alone, run)) for run in taken]

    async def put_back_unrecorded(self) -> None:
        """Queue again the runs whose end could not be recorded, if no other process would."""
        if self._unrecorded:
            with self._step("put back"):
                await self._ledger.put_back(self._unrecorded)
                self._unrecorded.clear()

    async def sweep(self) -> None:
        """Pass on what dead workers have left."""
        with self._step("sweep"):
            await self._ledger.sweep()

    def interrupt(self, run_id: int, why: Interruption) -> None:
        """Stop a run that is being worked on here; others are left alone."""
        self._runner.interrupt(run_id, why)

    async def put_back(self) -> None:
        """Stop all runs and queue them again, including those still being delivered."""
        self._ending = True
        self._runner.interrupt(None, PutBack())
        for patience_s in (self.options.shutdown_s, _LAST_WORD_S):
            await self._until_idle(patience_s)
            for task in self._tasks:
                task.cancel()
        self._ending = False

    async def _until_idle(self, patience_s: float) -> None:
        """Wait for all runs, with those that are still delivered meanwhile, at most this long."""
        # Not asyncio.timeout: early releases of Python 3.11 confuse it with a cancellation.
        until = asyncio.get_running_loop().time() + patience_s
        while self._tasks and (left_s := until - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)

    def log_failure(self, step: str, error: Exception) -> None:
        """Say that delivery has stopped, once, whichever of its steps fails."""
        self._outage.began(error)
        self._failing.add(step)

    def log_recovery(self, step: str) -> None:
        """Log that delivery works again, once all of its failed steps do."""
        self._failing.discard(step)
        if not self._failing:
            self._outage.ended()

    @contextlib.contextmanager
    def _step(self, step: str) -> Iterator[None]:
        """A step of delivery; a failure is logged, and delivery continues."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the next time makes up for it
            self.log_failure(step, error)
        else:
            self.log_recovery(step)

    def _spawn(
        self, run_id: int, work: Callable[[Hold], Coroutine[Any, Any, bool]]
    ) -> asyncio.Task[bool]:
        hold = self._runner.hold(run_id)
        if self._ending:
            hold.interrupt(PutBack())
        task = asyncio.create_task(work(hold), name=f"run {run_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._runner.release(hold))
        return task

    async def _begin(self, hold: Hold, start: int, job_id: int) -> bool:
        run = None
        with self._step("begin"):
            run = await self._ledger.begin(hold.run_id, start, job_id)
        return run is not None and await self._execute(run, hold)

    async def _execute(self, run: Run, hold: Hold) -> bool:
        work = self._kinds.get(run.kind, _unknown)
        return (await self._runner.settle(run, work, hold)).recorded

    async def _execute_alone(self, run: Run, hold: Hold) -> bool:
        recorded = await self._execute(run, hold)
        if not recorded:
            self._unrecorded.append(run)
        return recorded


async def _unknown(context: RunContext) -> Outcome:
    raise RunFailedError(f"this version knows no runs of kind {context.run.kind}")
