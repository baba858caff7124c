"""The facts that the alert rules check, read in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from penstock.alerts.rules import BadSubject, Executions, HealthFacts, Rules, SubjectRule, duration
from penstock.columns import read_clock
from penstock.runs.run import RunState
from penstock.runs.tables import execution_log
from penstock.runs.tables import run as runs
from penstock.store.write.budget import budgets_used

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from penstock.alerts.rules import AlertLimits

# Stuck runs that one evaluation names.
_MOST_STUCK = 1_000
_DAY_MS = 86_400_000


class HealthQueries:
    """Reads the facts for the rules of all runs and those of the domains (`subjects`).

    Durations and records are judged for the types of executions in `judged`.
    """

    def __init__(
        self, limits: AlertLimits, judged: Collection[str], subjects: Sequence[SubjectRule]
    ) -> None:
        self._judged = sorted(judged)
        self.rules = Rules([*_own_rules(limits), *subjects], limits)

    def facts(self, connection: Connection) -> HealthFacts:
        """The facts of now."""
        now = read_clock(connection)
        yesterday, before = self._records_per_day(connection, now)
        return HealthFacts(
            executions=self._executions(connection, now),
            records_yesterday=yesterday,
            records_before=before,
            bad={name: rule.find(connection, now) for name, rule in self.rules.subjects.items()},
        )

    def _executions(self, connection: Connection, now: int) -> Executions:
        """The executions of the last 24 hours that ended, without cancelled ones."""
        log = execution_log.c
        ended = (log.started_at > now - _DAY_MS, log.status.in_(["success", "failed"]))
        success, ours = log.status == "success", log.job_type.in_(self._judged)
        counts = (
            func.count(),
            func.count().filter(success),
            func.count().filter(ours),
            func.avg(log.duration_seconds).filter(ours),
        )
        total, succeeded, timed, average = connection.execute(select(*counts).where(*ended)).one()
        return Executions(
            succeeded=succeeded, failed=total - succeeded, timed=timed, average_duration_s=average
        )

    def _records_per_day(self, connection: Connection, now: int) -> tuple[int, int]:
        """Records of yesterday and of the day before, UTC."""
        today = now // _DAY_MS * _DAY_MS
        log = execution_log.c
        is_yesterday = log.started_at >= today - _DAY_MS
        both_days = (
            log.started_at >= today - 2 * _DAY_MS,
            log.started_at < today,
            log.job_type.in_(self._judged),
        )
        records = func.sum(log.records_collected)
        counted = select(records.filter(is_yesterday), records.filter(~is_yesterday))
        yesterday, before = connection.execute(counted.where(*both_days)).one()
        return int(yesterday or 0), int(before or 0)


def _own_rules(limits: AlertLimits) -> list[SubjectRule]:
    """The rules for all runs and all providers."""

    def stuck_runs(connection: Connection, now: int) -> list[BadSubject]:
        stuck = and_(
            runs.c.state == RunState.RUNNING, runs.c.progress_at <= now - int(limits.stuck_s * 1000)
        )
        wanted = (
            select(runs.c.task_id, runs.c.kind, runs.c.progress_at)
            .where(stuck)
            .order_by(runs.c.id)
            .limit(_MOST_STUCK)
        )
        return [
            BadSubject(
                task_id, f"{kind} {task_id} has made no progress for {duration((now - at) / 1000)}"
            )
            for task_id, kind, at in connection.execute(wanted)
        ]

    def paused_providers(connection: Connection, _now: int) -> list[BadSubject]:
        paused = [one for one in budgets_used(connection) if one.pause_s > limits.pause_s]
        return [
            BadSubject(
                one.provider,
                f"{one.provider} wants no request for another {duration(one.pause_s)};"
                " see penstock pauses",
            )
            for one in paused
        ]

    return [
        SubjectRule(
            name="run_stuck",
            counted=f"runs without progress for {duration(limits.stuck_s)}",
            recovered="{subject} goes on or has ended",
            find=stuck_runs,
        ),
        SubjectRule(
            name="provider_paused",
            counted=f"providers that want no request for more than {duration(limits.pause_s)}",
            recovered="{subject} takes requests again",
            find=paused_providers,
        ),
    ]
