"""The port to the record of all runs; implemented by `penstock.store`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from penstock.runs.context import RunWriter

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from penstock.runs.run import Run, RunEnd, RunState


class RunLedger(RunWriter, Protocol):
    """Where runs are recorded and what they touch is claimed.

    Every change of a run under an old fence raises FencedError.
    """

    async def begin(self, run_id: int, start: int, job_id: int) -> Run | None:
        """Make this start of a queued run under a job; None when the token is void."""

    async def take(self, count: int) -> list[Run]:
        """Start the best queued runs that are due, up to `count`; where no engine delivers them."""

    async def is_to_stop(self, run: Run) -> bool:
        """Whether a running run is to be cancelled."""

    async def finish(self, run: Run, end: RunEnd) -> None:
        """Record the end and free what the run held."""

    async def requeue(self, run: Run, *, error: str | None, delay_s: float) -> None:
        """Put the run back, to be started again after `delay_s`.

        With an error that start is a further attempt.
        """

    async def cancel(self, task_id: uuid.UUID) -> RunState:
        """End a queued run, ask the worker of a running one to stop; gives the state it had.

        NotFoundError for an unknown run, ConflictError for one that has ended.
        """

    async def put_back(self, forgotten: Sequence[Run]) -> int:
        """Queue abandoned runs again, unless another process has; gives how many."""

    async def sweep(self) -> None:
        """Pass on what dead workers have left, where several processes can have workers."""
