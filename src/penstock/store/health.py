"""The facts that the alert rules look at, read in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, select

from penstock.alerts.rules import Facts, PausedProvider, StoppedMarking, StuckRun
from penstock.columns import DatabaseNow, in_ms
from penstock.inventory import queries
from penstock.market import health
from penstock.runs.run import RunState
from penstock.runs.tables import run as runs
from penstock.runs.tables import schedule
from penstock.store.write.budget import budgets_used

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.alerts.rules import Limits
    from penstock.market.configured import Configured

# As many stuck runs as one look names.
_MOST_STUCK = 1_000
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthQueries:
    """Reads the facts. `default_job` is the name of the schedule that collects what is `configured`."""

    limits: Limits
    configured: Configured
    default_job: str

    def facts(self, connection: Connection) -> Facts:
        """As of now."""
        now = read_now(connection)
        yesterday, before = health.records_per_day(connection, now)
        return Facts(
            executions=health.executions(connection, now),
            records_yesterday=yesterday,
            records_before=before,
            stuck=self._stuck(connection, now),
            late=health.late_series(connection, self.configured, _intervals(connection), self.default_job, now),
            gaps=health.new_gaps(connection, now),
            restated=health.restated_series(connection, now),
            paused=[PausedProvider(one.provider, one.pause_s) for one in budgets_used(connection) if one.pause_s],
            unmarked=[StoppedMarking(one.name, one.unidentified, one.unmarked) for one in queries.stopped_markings(connection)],
        )

    def _stuck(self, connection: Connection, now: int) -> list[StuckRun]:
        since = now - int(self.limits.stuck_s * 1000)
        stuck = and_(runs.c.state == RunState.RUNNING, runs.c.progress_at <= since)
        wanted = select(runs.c.task_id, runs.c.kind, runs.c.progress_at).where(stuck).order_by(runs.c.id).limit(_MOST_STUCK)
        return [StuckRun(row.task_id, row.kind, (now - row.progress_at) / 1000) for row in connection.execute(wanted)]


def read_now(connection: Connection) -> int:
    """The database's clock."""
    now: int = connection.execute(select(in_ms(DatabaseNow()))).scalar_one()
    return now


def _intervals(connection: Connection) -> dict[str, int]:
    """Ms between two collections, by job name. That of a cron expression is the present pause between two of its times."""
    wanted = select(schedule.c.name, schedule.c.interval_s, schedule.c.next_run_at, schedule.c.last_due_at).where(schedule.c.enabled)
    return {
        row.name: row.interval_s * 1000 if row.interval_s is not None else _pause(row.next_run_at, row.last_due_at)
        for row in connection.execute(wanted)
    }


def _pause(following: int, last: int | None) -> int:
    return _DAY_MS if last is None else max(0, following - last)
