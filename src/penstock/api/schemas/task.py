"""A run as the published API shows it: a task, with the status words that users script against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, RowShape, Shape
from penstock.moment import iso
from penstock.runs.run import RunState

if TYPE_CHECKING:
    from penstock.runs.queries import RunRow

Status = Literal["pending", "running", "completed", "failed", "cancelled"]

STATUS: dict[RunState, Status] = {
    RunState.QUEUED: "pending",
    RunState.RUNNING: "running",
    RunState.SUCCEEDED: "completed",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
}

# Until a task has something of its own to say.
_MESSAGES: dict[RunState, str] = {
    RunState.QUEUED: "Waiting to be started",
    RunState.RUNNING: "Started",
    RunState.SUCCEEDED: "Completed",
    RunState.FAILED: "Failed",
    RunState.CANCELLED: "Cancelled",
}


class TaskCounters(RowShape):
    """What a task did so far, in rows and requests."""

    inserted: int
    updated: int
    unchanged: int
    rejected: int
    requests: int


class TaskWork(Shape):
    """How far a task is: `done` of `total` of its unit, such as candles, at its average rate."""

    unit: str
    done: int
    total: int
    per_second: float
    seconds_left: float | None = Field(description="at that rate; null while it is not known")

    @classmethod
    def of(cls, run: RunRow) -> Self | None:
        """The work of a run; None for one that does not count its work."""
        work = run.work
        return None if work is None else cls.made({name: work[name] for name in cls.model_fields})


class Waiting(Shape):
    """What a task waits for, and until when."""

    reason: str
    until: Moment

    @classmethod
    def of(cls, run: RunRow) -> Self | None:
        """What a run waits for; None unless it runs and waits."""
        work = run.work
        if work is None or run.state is not RunState.RUNNING or work["waiting_for"] is None:
            return None
        return cls(reason=work["waiting_for"], until=iso(work["waiting_until"]))


class Task(Shape):
    """A task. `attempt` counts its starts after errors, from 1.

    `stuck`: it runs, and has made no progress for long.
    """

    task_id: str
    task_type: str
    status: Status
    progress: int = Field(ge=0, le=100)
    message: str
    created_at: Moment
    started_at: Moment | None
    completed_at: Moment | None = Field(description="when it ended, with whatever status")
    error: str | None
    result: dict[str, Any] | None
    attempt: int
    next_try_at: Moment | None = Field(
        description="when a task that failed for a reason that may pass is started again"
    )
    job_name: str | None
    stuck: bool
    counters: TaskCounters
    work: TaskWork | None = Field(
        description="how far it is; null for a task that does not count its work"
    )
    waiting: Waiting | None

    @classmethod
    def of(cls, run: RunRow) -> Self:
        """The task that a run is."""
        return cls.made(
            cls.fields_of(
                run,
                task_type=run.kind,
                status=STATUS[run.state],
                message=message_of(run),
                completed_at=run.finished_at,
                counters=TaskCounters.of(run.counters),
                work=TaskWork.of(run),
                waiting=Waiting.of(run),
            )
        )


class Submitted(Shape):
    """The task; `completed` when a result that is young enough was there."""

    task_id: str
    status: Literal["submitted", "completed"]
    message: str


def message_of(run: RunRow) -> str:
    """What a task says of itself, or what its status says."""
    return run.message or _MESSAGES[run.state]
