"""The retention of the execution log: a run that deletes old rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from penstock.columns import read_clock
from penstock.runs.run import Priority, Submission
from penstock.runs.tables import execution_log

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.collection.domain import Busy
    from penstock.runs.context import RunContext, Writing
    from penstock.runs.schedule import Schedule

LOG_RETENTION = "log_retention"
_DAY_MS = 86_400_000
_BATCH = 5_000


def delete_old(connection: Connection, *, older_than_ms: int, most: int) -> int:
    """Delete up to `most` of the rows that started longer ago, the oldest first; gives how many."""
    old = select(execution_log.c.id).where(
        execution_log.c.started_at < read_clock(connection) - older_than_ms
    )
    oldest = old.order_by(execution_log.c.started_at).limit(most)
    return connection.execute(delete(execution_log).where(execution_log.c.id.in_(oldest))).rowcount


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a retention did."""

    rows: int

    def summary(self) -> dict[str, object]:
        """The result of the run, as JSON values."""
        return {"deleted": self.rows}


@dataclass(frozen=True, slots=True)
class LogRetention:
    """The work of a retention run: one batch per transaction, so that others wait briefly."""

    days: int

    async def __call__(self, context: RunContext) -> Deleted:
        """Delete rows older than `days`."""
        rows = 0
        while deleted := await context.write(self._delete):
            rows += deleted
        return Deleted(rows)

    def _delete(self, writing: Writing) -> int:
        return delete_old(writing.connection, older_than_ms=self.days * _DAY_MS, most=_BATCH)


def retention(_connection: Connection, _schedule: Schedule, busy: Busy) -> Submission | None:
    """The run of a due retention; None while another one is active."""
    submission = Submission(
        kind=LOG_RETENTION, params={}, resources=[LOG_RETENTION], priority=Priority.LOW
    )
    return None if busy(submission.resources) else submission
