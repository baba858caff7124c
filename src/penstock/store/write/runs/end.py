"""How a run ends, by its worker, by a user or after a crash, and how it is queued again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, NotFoundError
from penstock.runs.dispatch import StartToken
from penstock.runs.events import CancelAsked, QueueChanged, RunChanged
from penstock.runs.run import ENDED, RunEnd, RunState
from penstock.runs.tables import run as runs
from penstock.store.session.backend import announce
from penstock.store.statements.storable import storable, storable_text
from penstock.store.write.runs.claims import SOMEBODY_WAITS, give_up
from penstock.store.write.runs.execution_logs import ExecutionLogs, close_rows
from penstock.store.write.runs.fence import change_ours, ours, refuse_unless_done

if TYPE_CHECKING:
    import uuid
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection, Row

    from penstock.runs.dispatch import Dispatch
    from penstock.runs.run import Run

_MOST_STARTS = 100


def finish(
    connection: Connection, dispatch: Dispatch, run: Run, end: RunEnd, logs: ExecutionLogs
) -> bool:
    """Record the end, free what the run held, delete its job; gives whether a run waits."""
    done = {"progress": 100} if end.state is RunState.SUCCEEDED else {}
    change = update(runs).values(
        state=end.state,
        error=storable_text(end.error),
        result=storable(dict(end.result)),
        finished_at=DatabaseNow(),
        requests=runs.c.requests + run.requests.unrecorded,
        **done,
    )
    # In one statement: most runs do little, and each question costs a round trip.
    somebody_waits = connection.scalar(change.where(ours(run)).returning(SOMEBODY_WAITS))
    if somebody_waits is None:
        refuse_unless_done(connection, run, end.state)
        return False
    give_up(connection, [run.id])
    logs.close(connection, run, end)
    _release(connection, dispatch, run)
    announce(connection, RunChanged(run.id), QueueChanged())
    return bool(somebody_waits)


def requeue(
    connection: Connection,
    dispatch: Dispatch,
    run: Run,
    *,
    error: str | None,
    delay_s: float,
    logs: ExecutionLogs,
) -> bool:
    """Queue again, unless the run is to be cancelled.

    Gives whether it has ended and a run waits for that.
    """
    row = connection.execute(
        select(runs.c.cancel_asked, runs.c.priority).where(runs.c.id == run.id).with_for_update()
    ).one_or_none()
    if row is not None and row.cancel_asked:
        end = RunEnd(state=RunState.CANCELLED, error=error)
        return finish(connection, dispatch, run, end, logs)
    change = update(runs).values(
        state=RunState.QUEUED,
        error=storable_text(error),
        next_try_at=DatabaseNow(ago_ms=-int(delay_s * 1000)),
        attempt=runs.c.attempt + int(error is not None),
        requests=runs.c.requests + run.requests.unrecorded,
    )
    if row is None or not change_ours(connection, run, change, done=RunState.QUEUED):
        return False
    logs.add(connection, run)
    _release(connection, dispatch, run)
    later = select(runs.c.next_try_at).where(runs.c.id == run.id)
    due_at = connection.scalar(later) if delay_s else None
    token = StartToken(run_id=run.id, start=run.fence + 1, priority=row.priority, due_at=due_at)
    dispatch.put(connection, [token])
    announce(connection, RunChanged(run.id), QueueChanged())
    return False


def cancel(connection: Connection, dispatch: Dispatch, task_id: uuid.UUID) -> RunState:
    """End a queued run, ask the worker of a running one to stop; gives the state it had."""
    row = connection.execute(
        select(runs.c.id, runs.c.state, runs.c.job_id)
        .where(runs.c.task_id == str(task_id))
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no task {task_id}")
    state = RunState(row.state)
    if state in ENDED:
        raise ConflictError(f"task {task_id} has already ended: {state}")
    if state is RunState.QUEUED:
        end_runs(connection, [row.id], RunState.CANCELLED)
    else:
        connection.execute(update(runs).where(runs.c.id == row.id).values(cancel_asked=True))
        dispatch.withdraw(connection, row.job_id)
        announce(connection, RunChanged(row.id), CancelAsked(row.id))
    return state


def end_job(
    connection: Connection,
    dispatch: Dispatch,
    job_name: str,
    *,
    states: Collection[RunState],
    why: str,
) -> None:
    """Cancel the runs of a job that are in these states, within a transaction of others.

    From its commit on they write nothing.
    """
    of_job = select(runs.c.id, runs.c.state, runs.c.job_id).where(
        runs.c.job_name == job_name, runs.c.state.in_(states)
    )
    found = connection.execute(of_job.order_by(runs.c.id).with_for_update()).all()
    end_runs(connection, [row.id for row in found], RunState.CANCELLED, error=why)
    for row in found:
        if row.state == RunState.RUNNING:
            # Its worker need not wait for its next check to stop asking the provider.
            dispatch.withdraw(connection, row.job_id)
            announce(connection, CancelAsked(row.id))


def end_runs(
    connection: Connection, ids: Iterable[int], state: RunState, *, error: str | None = None
) -> None:
    """End runs without a worker, and free what they held; their rows are locked already."""
    ended = sorted(ids)
    if not ended:
        return
    connection.execute(
        update(runs)
        .where(runs.c.id.in_(ended))
        .values(state=state, error=error, fence=runs.c.fence + 1, waiting=False)
        .values(next_try_at=None, finished_at=DatabaseNow())
    )
    give_up(connection, ended)
    close_rows(connection, ended, state, error=error)
    announce(connection, *map(RunChanged, ended), QueueChanged())


def end_hopeless(connection: Connection, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """End those of these runs that are to be cancelled or were started too often; gives the others.

    A run that was started so often and is dead again kills its workers.
    """
    cancelled = {row.id for row in rows if row.cancel_asked}
    deadly = {row.id for row in rows if row.fence >= _MOST_STARTS} - cancelled
    end_runs(connection, cancelled, RunState.CANCELLED)
    error = f"its worker died, after {_MOST_STARTS} starts"
    end_runs(connection, deadly, RunState.FAILED, error=error)
    return [row for row in rows if row.id not in cancelled | deadly]


def _release(connection: Connection, dispatch: Dispatch, run: Run) -> None:
    if run.job_id is not None:
        dispatch.release(connection, run.job_id)
