"""The fence: a run is changed only while its worker still has it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import CursorResult, and_, select, update

from penstock.columns import DatabaseNow
from penstock.errors import FencedError
from penstock.runs.events import RunChanged
from penstock.runs.run import RunState
from penstock.runs.tables import run as runs
from penstock.store.session.backend import announce
from penstock.store.write.runs.execution_logs import count_records

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Update

    from penstock.runs.context import Writing
    from penstock.runs.run import Run


def ours(run: Run, state: RunState = RunState.RUNNING) -> ColumnElement[bool]:
    """The row of the run, as long as this start is the newest."""
    return and_(runs.c.id == run.id, runs.c.fence == run.fence, runs.c.state == state)


def taken_over(run: Run) -> FencedError:
    """The error of a worker that no longer has the run."""
    return FencedError(f"run {run.id} was taken over by another worker")


def change_ours(
    connection: Connection, run: Run, change: Update, *, done: RunState | None = None
) -> bool:
    """Make the change if the run is still ours; gives whether it was made now.

    `done` is the state after it: the same change may come twice when the answer to the first one
    was lost. FencedError when the run is another worker's.
    """
    result: CursorResult[Any] = connection.execute(change.where(ours(run)))
    if result.rowcount != 1:
        refuse_unless_done(connection, run, done)
    return result.rowcount == 1


def refuse_unless_done(connection: Connection, run: Run, done: RunState | None) -> None:
    """FencedError unless this start of the run has made the change to `done` before."""
    if done is None or connection.scalar(select(runs.c.id).where(ours(run, done))) is None:
        raise taken_over(run)


def record(writing: Writing) -> None:
    """Add to the run's record what is written with it."""
    run, shown = writing.run, writing.shown
    changed: dict[str, Any] = {
        name: runs.c[name] + count for name, count in asdict(writing.counters).items() if count
    }
    if shown is not None:
        changed |= {
            "progress": shown.percent,
            "message": shown.message,
            "work": None if shown.work is None else asdict(shown.work),
            "progress_at": DatabaseNow(),
        }
    # Without a change the row is locked all the same: the fence holds until the commit.
    change_ours(writing.connection, run, update(runs).values(changed or {"fence": run.fence}))
    if shown is not None:
        announce(writing.connection, RunChanged(run.id))
    count_records(writing.connection, run, writing.records)
