"""The run loop: start a run, keep its heart beating while it works, and record its outcome, in this one place."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from penstock.core.run import Run, RunEnd, RunState
from penstock.errors import PenstockError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from penstock.core.run import RunLedger


class Outcome(Protocol):
    """What a run gives when it succeeds."""

    def summary(self) -> Mapping[str, object]:
        """The outcome as the run record keeps it, JSON values only."""


T = TypeVar("T", bound=Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Generic[T]):
    """What to run: its kind and parameters for the record, the resources it holds meanwhile, and the work itself."""

    kind: str
    params: Mapping[str, object]
    resources: Sequence[str]
    work: Callable[[Run], Awaitable[T]]


class Runner:
    """Runs jobs under a ledger."""

    def __init__(self, ledger: RunLedger, *, heartbeat_s: float) -> None:
        self._ledger = ledger
        self._heartbeat_s = heartbeat_s

    async def run(self, job: Job[T]) -> tuple[Run, T]:
        """The run and what its work gave. Whatever ends the work by an error, also one that nobody expected, fails the run."""
        run = await self._ledger.start(job.kind, job.params, job.resources)
        try:
            outcome = await self._while_alive(run, job.work)
            await self._ledger.finish(run, RunEnd(state=RunState.SUCCEEDED, result=outcome.summary()))
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
            end = RunEnd(state=RunState.CANCELLED if cancelled else RunState.FAILED, error=str(error) or type(error).__name__)
            # When the end cannot be written either, the heartbeat runs out and the run is failed for that.
            with contextlib.suppress(PenstockError):
                await asyncio.shield(self._ledger.finish(run, end))
            raise
        return run, outcome

    async def _while_alive(self, run: Run, work: Callable[[Run], Awaitable[T]]) -> T:
        """The work's result; a heartbeat that cannot be written (the run was taken over) stops the work."""
        working = asyncio.ensure_future(work(run))
        beating = asyncio.create_task(self._beat(run), name=f"heartbeat of run {run.id}")
        try:
            await asyncio.wait([working, beating], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                beating.result()
            return await working
        finally:
            for task in (working, beating):
                task.cancel()
            await asyncio.wait([working, beating])

    async def _beat(self, run: Run) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            await self._ledger.heartbeat(run)
