"""A run as the published API shows it: a task, with the status words and fields that users script against."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from penstock.moment import iso, iso_or_none
from penstock.runs.run import RunState

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class Counts(BaseModel):
    """What a task did so far, in rows and requests."""

    inserted: int
    updated: int
    unchanged: int
    rejected: int
    requests: int


class Work(BaseModel):
    """How far a task is, in a unit of its own such as candles: `done` of `total`, at the average rate so far."""

    unit: str
    done: int
    total: int
    per_second: float
    seconds_left: float | None = Field(description="at that rate; null while it cannot be told")


class Waiting(BaseModel):
    """What a task waits for, and until when."""

    reason: str
    until: str


class Task(BaseModel):
    """A task. `attempt` counts its starts after errors, from 1; `stuck`: it runs, and has made no progress for long."""

    task_id: str
    task_type: str
    status: Status
    progress: int = Field(ge=0, le=100)
    message: str
    created_at: str
    started_at: str | None
    completed_at: str | None = Field(description="when it ended, however it did")
    error: str | None
    result: dict[str, Any] | None
    attempt: int
    next_try_at: str | None = Field(
        description="a task that failed for a reason that may pass is started again then"
    )
    job_name: str | None
    stuck: bool
    counters: Counts
    work: Work | None = Field(
        description="how far it is; null for a task that does not count its work"
    )
    waiting: Waiting | None


def task_fields(run: RunRow) -> dict[str, Any]:
    """The fields of a Task, JSON values only."""
    return {
        "task_id": run.task_id,
        "task_type": run.kind,
        "status": STATUS[run.state],
        "progress": run.progress,
        "message": run.message or _MESSAGES[run.state],
        "created_at": iso_or_none(run.created_at),
        "started_at": iso_or_none(run.started_at),
        "completed_at": iso_or_none(run.finished_at),
        "error": run.error,
        "result": run.result,
        "attempt": run.attempt,
        "next_try_at": iso_or_none(run.next_try_at),
        "job_name": run.job_name,
        "stuck": run.stuck,
        "counters": asdict(run.counters),
        **work_fields(run.work, running=run.state is RunState.RUNNING),
    }


def work_fields(work: Mapping[str, Any] | None, *, running: bool) -> dict[str, Any]:
    """The fields `work` and `waiting` of a Task."""
    if work is None:
        return {"work": None, "waiting": None}
    waits = running and work["waiting_for"] is not None
    return {
        "work": {name: work[name] for name in Work.model_fields},
        "waiting": {"reason": work["waiting_for"], "until": iso(work["waiting_until"])}
        if waits
        else None,
    }
