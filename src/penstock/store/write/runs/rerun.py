"""Running again: the work of a run that has ended, for a run of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from penstock.errors import ConflictError, NotFoundError
from penstock.runs.run import ENDED, RunState, Submission
from penstock.runs.tables import run as runs

if TYPE_CHECKING:
    import uuid

    from sqlalchemy import Connection


def rerun_of(connection: Connection, task_id: uuid.UUID) -> Submission:
    """What the run of a task was given, to be submitted again, ahead of what schedules submit.

    NotFoundError without such a run. ConflictError before its end, and for a run of a version that
    did not keep what a run claims.
    """
    wanted = select(runs.c.kind, runs.c.params, runs.c.resources, runs.c.job_name, runs.c.state)
    row = connection.execute(wanted.where(runs.c.task_id == str(task_id))).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no task {task_id}")
    if RunState(row.state) not in ENDED:
        raise ConflictError(f"task {task_id} has not ended; wait for it", task_id=str(task_id))
    if row.resources is None:
        raise ConflictError(
            f"task {task_id} is from before an upgrade and cannot run again; start a new one",
            task_id=str(task_id),
        )
    return Submission(
        kind=row.kind, params=row.params, resources=row.resources, job_name=row.job_name
    )
