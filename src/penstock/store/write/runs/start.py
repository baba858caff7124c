"""Starting: a queued run becomes one that runs, once for each start token."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, or_, select, update

from penstock.columns import DatabaseNow
from penstock.runs.events import QueueChanged, RunChanged
from penstock.runs.run import Run, RunState
from penstock.runs.tables import run as runs
from penstock.store.session.backend import announce
from penstock.store.write.runs.claims import next_start
from penstock.store.write.runs.end import end_hopeless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from penstock.runs.dispatch import Dispatch
    from penstock.store.write.runs.execution_logs import ExecutionLogs

_BEGUN = (
    runs.c.id,
    runs.c.task_id,
    runs.c.fence,
    runs.c.kind,
    runs.c.params,
    runs.c.job_name,
    runs.c.attempt,
    runs.c.started_at,
    runs.c.job_id,
)


def begin(
    connection: Connection, run_id: int, start: int, job_id: int | None, logs: ExecutionLogs
) -> Run | None:
    """Make this start of a queued run; None when it was made before, or the run has ended."""
    begun = _begin(
        connection,
        [runs.c.id == run_id, runs.c.state == RunState.QUEUED, runs.c.fence == start - 1],
        job_id,
        logs,
    )
    return begun[0] if begun else None


def take(connection: Connection, dispatch: Dispatch, count: int, logs: ExecutionLogs) -> list[Run]:
    """Start up to `count` of the best queued runs that are due, where the rows are the queue."""
    # Nothing is put: asking for that refuses a database whose runs are delivered otherwise.
    dispatch.put(connection, [])
    due = or_(runs.c.next_try_at.is_(None), runs.c.next_try_at <= DatabaseNow())
    ready: Select[Any] = (
        select(runs.c.id, runs.c.cancel_asked, runs.c.fence)
        .where(runs.c.state == RunState.QUEUED, ~runs.c.waiting, due)
        .order_by(runs.c.priority, runs.c.id)
    )
    rows = connection.execute(ready.limit(count)).all()
    ids = [row.id for row in end_hopeless(connection, rows)]
    if not ids:
        return []
    begun = {run.id: run for run in _begin(connection, [runs.c.id.in_(ids)], None, logs)}
    return [begun[run_id] for run_id in ids]


def make_due(connection: Connection, dispatch: Dispatch, since: int) -> int:
    """Let queued runs whose retry is due at `since` (ms) or later start now; gives how many."""
    later: Select[Any] = (
        select(runs.c.id, runs.c.fence, runs.c.priority)
        .where(runs.c.state == RunState.QUEUED, runs.c.next_try_at >= since)
        .order_by(runs.c.id)
        .with_for_update()
    )
    rows = connection.execute(later).all()
    if rows:
        ids = [row.id for row in rows]
        connection.execute(update(runs).where(runs.c.id.in_(ids)).values(next_try_at=None))
        dispatch.put(connection, [next_start(row) for row in rows])
        announce(connection, *map(RunChanged, ids), QueueChanged())
    return len(rows)


def _begin(
    connection: Connection,
    where: Sequence[ColumnElement[bool]],
    job_id: int | None,
    logs: ExecutionLogs,
) -> list[Run]:
    now = DatabaseNow()
    change = (
        update(runs)
        .where(*where)
        .values(state=RunState.RUNNING, fence=runs.c.fence + 1, job_id=job_id, next_try_at=None)
        .values(started_at=func.coalesce(runs.c.started_at, now), progress_at=now)
        .returning(*_BEGUN)
    )
    rows = connection.execute(change).all()
    begun = [_run(row) for row in rows]
    # Those that start for the first time open their rows of the execution log.
    first = [(run, row.started_at) for run, row in zip(begun, rows, strict=True) if run.fence == 1]
    logs.open(connection, first)
    announce(connection, *(RunChanged(run.id) for run in begun))
    return begun


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        task_id=uuid.UUID(row.task_id),
        fence=row.fence,
        kind=row.kind,
        params=row.params,
        job_name=row.job_name,
        attempt=row.attempt,
        job_id=row.job_id,
    )
