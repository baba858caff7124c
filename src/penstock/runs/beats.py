"""The newest executions of jobs, one beat each: how the last ones ended, at a glance.

They come from the execution log, so they outlive their runs. Times are ms.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, union_all

from penstock.runs.execution_logs import NEWEST_FIRST
from penstock.runs.tables import execution_log

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection, Row, Select

# Rows of a job that are read: an execution has one for each of its symbols.
_MOST_ROWS = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """An execution of a job with all its rows of the log together.

    `failed` of its `rows` failed; `running` while one of them does. `error` is one of their
    messages.
    """

    job_name: str
    started_at: int
    rows: int
    failed: int
    cancelled: int
    running: bool
    records: int
    duration_seconds: float | None
    error: str | None


def beats(connection: Connection, jobs: Collection[str], *, most: int) -> dict[str, list[Beat]]:
    """The newest `most` executions of each job in order of time.

    Of a job with very many symbols fewer, and the oldest of them may lack rows.
    """
    found: defaultdict[str, list[Beat]] = defaultdict(list)
    if not jobs:
        return found
    newest = union_all(*(select(_newest(job).subquery()) for job in jobs)).subquery()
    row = newest.c
    ended = row.status != "running"
    grouped = select(
        row.job_name,
        func.min(row.started_at).label("started_at"),
        func.count().label("rows"),
        func.count().filter(row.status == "failed").label("failed"),
        func.count().filter(row.status == "cancelled").label("cancelled"),
        func.count().filter(~ended).label("running"),
        func.sum(row.records_collected).label("records"),
        func.max(row.duration_seconds).label("duration_seconds"),
        func.max(row.error_message).label("error"),
    ).group_by(row.job_name, row.run_id)
    for one in connection.execute(grouped.order_by("started_at")):
        found[one.job_name].append(_beat(one))
    return {job: of_job[-most:] for job, of_job in found.items()}


def _newest(job: str) -> Select[Any]:
    log = execution_log.c
    columns = (
        *(log.job_name, log.run_id, log.started_at, log.status),
        *(log.records_collected, log.duration_seconds, log.error_message),
    )
    of_job = select(*columns).where(log.job_name == job)
    return of_job.order_by(*NEWEST_FIRST).limit(_MOST_ROWS)


def _beat(row: Row[Any]) -> Beat:
    values = row._asdict()
    return Beat(**values | {"running": row.running > 0, "records": int(row.records)})
