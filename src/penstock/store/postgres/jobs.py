"""What the sweep asks of the queue on PostgreSQL: procrastinate's tables beside ours.

Each question is one statement, so that what it sees of both is of one moment. A job is live while
it can still make the next start of a queued run, or while it is that of a running one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

# Any number that no other program is likely to lock in the same database.
_SWEEP_LOCK = 5_019_477_306_115

_LOCK = text(f"SELECT pg_try_advisory_xact_lock({_SWEEP_LOCK})")

_DEAD = """
    job.status = 'doing' AND NOT EXISTS (
        SELECT FROM procrastinate_workers AS worker
        WHERE worker.id = job.worker_id
        AND worker.last_heartbeat >= clock_timestamp() - make_interval(secs => :dead_after_s)
    )"""
_NEXT = "CAST(job.args ->> 'start' AS integer) = run.fence + CAST(run.state = 'queued' AS integer)"
_LIVE = f"""
    EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE job.status IN ('todo', 'doing')
        AND CAST(job.args ->> 'run_id' AS bigint) = run.id AND {_NEXT}
    )"""

_IDS = bindparam("ids", type_=ARRAY(BigInteger()))
_STALLED = text(f"SELECT job.id FROM procrastinate_jobs AS job WHERE {_DEAD} ORDER BY job.id")
_DELETE = text("DELETE FROM procrastinate_jobs WHERE id = ANY(:ids)").bindparams(_IDS)
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
_VOID = text(f"""
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


def lock_sweep(connection: Connection) -> bool:
    """Let nobody else sweep until the transaction ends; False when somebody does."""
    return bool(connection.scalar(_LOCK))


def delete_stalled_jobs(connection: Connection, dead_after_s: float) -> int:
    """Delete the jobs of dead workers; gives how many."""
    ids = list(connection.scalars(_STALLED, {"dead_after_s": dead_after_s}))
    if ids:
        connection.execute(_DELETE, {"ids": ids})
    return len(ids)


def lock_lost_runs(connection: Connection, most: int) -> Sequence[Row[Any]]:
    """Active runs that no job stands for, locked: up to `most`, the oldest first."""
    ids = list(connection.scalars(_LOST, {"most": most}))
    if not ids:
        return []
    connection.execute(_LOCKED, {"ids": ids})
    # A second statement sees what others have committed before the rows were locked.
    return connection.execute(_STILL_LOST, {"ids": ids}).all()


def delete_void_jobs(connection: Connection, dead_after_s: float) -> int:
    """Delete jobs that can start nothing any more; gives how many."""
    return connection.execute(_VOID, {"dead_after_s": dead_after_s}).rowcount
