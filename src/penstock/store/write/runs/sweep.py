"""The sweep on PostgreSQL: what dead workers left is passed on; every active run has a job.

A run whose worker died, whose end could not be recorded, or whose token got lost looks the same:
it is active and no job stands for it. So the jobs of the dead are deleted first, and then all runs
without a job get the next token. The fence keeps a worker that wakes up late from writing.

Each question to procrastinate's tables and ours is one statement, so that what it sees of both is
of one moment. A job is live while it can still make the next start of a queued run, or while it is
that of a running one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from sqlalchemy import BigInteger, bindparam, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from penstock.runs.events import QueueChanged, RunChanged
from penstock.runs.run import RunState
from penstock.runs.tables import run as runs
from penstock.store.session.backend import announce
from penstock.store.write.runs.claims import next_start
from penstock.store.write.runs.end import end_hopeless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from penstock.runs.dispatch import Dispatch

_log = structlog.stdlib.get_logger()

# Runs that one transaction passes on.
_AT_ONCE = 500

# Any number that no other program is likely to lock in the same database.
_SWEEP_LOCK = 5_019_477_306_115

_LOCK = text(f"SELECT pg_try_advisory_xact_lock({_SWEEP_LOCK})")

_DELETE_STALLED = text("""
DELETE FROM procrastinate_jobs AS job
WHERE job.status = 'doing' AND NOT EXISTS (
    SELECT FROM procrastinate_workers AS worker
    WHERE worker.id = job.worker_id
    AND worker.last_heartbeat >= clock_timestamp() - make_interval(secs => :dead_after_s)
)""")
_NEXT = "CAST(job.args ->> 'start' AS integer) = run.fence + CAST(run.state = 'queued' AS integer)"
_LIVE = f"""
    EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE job.status IN ('todo', 'doing')
        AND CAST(job.args ->> 'run_id' AS bigint) = run.id AND {_NEXT}
    )"""

_IDS = bindparam("ids", type_=ARRAY(BigInteger()))
_LOST = text(f"""
SELECT run.id FROM run
WHERE run.state IN ('queued', 'running') AND NOT run.waiting AND NOT {_LIVE}
ORDER BY run.id LIMIT :most""")
_LOCKED = text("SELECT id FROM run WHERE id = ANY(:ids) ORDER BY id FOR UPDATE").bindparams(_IDS)
_STILL_LOST = text(f"""
SELECT run.id, run.fence, run.cancel_asked, run.priority,
    CAST(extract(epoch FROM run.next_try_at) * 1000 AS bigint) AS due_at
FROM run
WHERE run.id = ANY(:ids) AND run.state IN ('queued', 'running') AND NOT run.waiting AND NOT {_LIVE}
ORDER BY run.id""").bindparams(_IDS)
# A worker deletes the job of a run that has ended; this is for those that got forgotten.
_DELETE_VOID = text(f"""
DELETE FROM procrastinate_jobs AS job
WHERE job.status NOT IN ('todo', 'doing') OR (
    NOT EXISTS (
        SELECT FROM run
        WHERE run.id = CAST(job.args ->> 'run_id' AS bigint)
        AND run.state IN ('queued', 'running') AND {_NEXT}
    ) AND (job.status = 'todo' OR NOT EXISTS (
        SELECT FROM procrastinate_events AS event
        WHERE event.job_id = job.id AND event.type = 'started'
        AND event.at >= clock_timestamp() - make_interval(secs => :dead_after_s)
    ))
)""")


def sweep(connection: Connection, dispatch: Dispatch, dead_after_s: float) -> bool:
    """One sweep; gives whether there is more to pass on. Nothing while another process sweeps."""
    if not connection.scalar(_LOCK):
        return False
    silence = {"dead_after_s": dead_after_s}
    connection.execute(_DELETE_STALLED, silence)
    lost = _lock_lost(connection)
    if passed_on := end_hopeless(connection, lost):
        ids = [row.id for row in passed_on]
        connection.execute(update(runs).where(runs.c.id.in_(ids)).values(state=RunState.QUEUED))
        tokens = [next_start(row, due_at=row.due_at) for row in passed_on]
        dispatch.put(connection, tokens)
        announce(connection, *map(RunChanged, ids), QueueChanged())
        _log.info("runs passed on", runs=len(ids))
    connection.execute(_DELETE_VOID, silence)
    return len(lost) == _AT_ONCE


def _lock_lost(connection: Connection) -> Sequence[Row[Any]]:
    """Active runs without a job, locked, the oldest first."""
    ids = list(connection.scalars(_LOST, {"most": _AT_ONCE}))
    if not ids:
        return []
    connection.execute(_LOCKED, {"ids": ids})
    # A second statement sees what others have committed before the rows were locked.
    return connection.execute(_STILL_LOST, {"ids": ids}).all()
