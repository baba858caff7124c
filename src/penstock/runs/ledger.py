"""The port to the record of all runs; implemented by `penstock.store`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from penstock.runs.context import RunWriter

if TYPE_CHECKING:
    import uuid

    from penstock.runs.run import Run, RunEnd, RunState


class RunLedger(RunWriter, Protocol):
    """Where runs are recorded and what they touch is claimed. Every change of a run under an old fence raises FencedError."""

    async def take(self, count: int, *, task_id: uuid.UUID | None = None) -> list[Run]:
        """Start up to `count` runs: the best queued ones that are due, and those whose worker died; with `task_id` only that one."""

    async def heartbeat(self, run: Run) -> bool:
        """Say that the run's worker lives; gives whether somebody asked for its cancellation."""

    async def finish(self, run: Run, end: RunEnd) -> None:
        """Record the end and free what the run held."""

    async def requeue(self, run: Run, *, error: str | None, delay_s: float) -> None:
        """Put the run back, to be started again after `delay_s`; with an error that start is a further attempt."""

    async def cancel(self, task_id: uuid.UUID) -> RunState:
        """End a queued run at once, ask the worker of a running one to stop; gives the state it had.

        NotFoundError for an unknown run, ConflictError for one that has ended.
        """
