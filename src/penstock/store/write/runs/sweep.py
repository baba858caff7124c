"""The sweep on PostgreSQL: what dead workers left is passed on; every active run has a job.

A run whose worker died, whose end could not be recorded, or whose token got lost looks the same:
it is active and no job stands for it. So the jobs of the dead are deleted first, and then all runs
without a job get the next token. The fence keeps a worker that wakes up late from writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import update

from penstock.runs.events import QueueChanged, RunChanged
from penstock.runs.run import RunState
from penstock.runs.tables import run as runs
from penstock.store.postgres.jobs import (
    delete_stalled_jobs,
    delete_void_jobs,
    lock_lost_runs,
    lock_sweep,
)
from penstock.store.session.backend import announce
from penstock.store.write.runs.claims import next_start
from penstock.store.write.runs.end import end_hopeless

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.runs.dispatch import Dispatch

_log: structlog.stdlib.BoundLogger = structlog.get_logger()

# Runs that one transaction passes on.
_AT_ONCE = 500


def sweep(connection: Connection, dispatch: Dispatch, dead_after_s: float) -> bool:
    """One sweep; gives whether there is more to pass on. Nothing while another process sweeps."""
    if not lock_sweep(connection):
        return False
    delete_stalled_jobs(connection, dead_after_s)
    lost = lock_lost_runs(connection, _AT_ONCE)
    if passed_on := end_hopeless(connection, lost):
        ids = [row.id for row in passed_on]
        connection.execute(update(runs).where(runs.c.id.in_(ids)).values(state=RunState.QUEUED))
        tokens = [next_start(row, due_at=row.due_at) for row in passed_on]
        dispatch.put(connection, tokens)
        announce(connection, *map(RunChanged, ids), QueueChanged())
        _log.info("runs passed on", runs=len(ids))
    delete_void_jobs(connection, dead_after_s)
    return len(lost) == _AT_ONCE
