"""Queries of runs: one reader for the API, the WebSocket and the metrics. Times are ms."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, desc, func, or_, select, union_all

from penstock.columns import DatabaseNow, if_given, read_clock
from penstock.runs.run import Counters, RunState
from penstock.runs.tables import run as runs
from penstock.runs.tables import schedule

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import ColumnElement, CompoundSelect, Connection, Row, Select

_DAY_MS = 86_400_000
_ACTIVE = (RunState.QUEUED, RunState.RUNNING)
_ACTIVE_IDS = select(runs.c.id).where(runs.c.state.in_(_ACTIVE))
_COUNTERS = [field.name for field in fields(Counters)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run as it is shown. `stuck`: it runs, and has made no progress for too long."""

    id: int
    task_id: str
    kind: str
    state: RunState
    job_name: str | None
    progress: int
    message: str | None
    error: str | None
    result: Mapping[str, object] | None
    created_at: int
    started_at: int | None
    finished_at: int | None
    attempt: int
    next_try_at: int | None
    stuck: bool
    work: Mapping[str, Any] | None
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """Which runs to list, the newest first: before `before_id`, of one kind, active ones only."""

    limit: int
    kind: str | None = None
    active_only: bool = False
    before_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRuns:
    """The active runs of one kind and state together."""

    kind: str
    state: RunState
    count: int
    stuck: int
    counters: Counters


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQueries:
    """Reads runs.

    One that ended longer than `listed_s` ago is in no list and no count. One without progress for
    `stuck_after_s` is stuck.
    """

    listed_s: float
    stuck_after_s: float

    def one(self, connection: Connection, task_id: str) -> RunRow | None:
        """The run of a task, however long ago it ended."""
        found = self.named(connection, task_ids=[task_id])
        return found[0] if found else None

    def named(
        self, connection: Connection, *, ids: Collection[int] = (), task_ids: Collection[str] = ()
    ) -> list[RunRow]:
        """These runs, by id or by task, in order of their submission."""
        named = or_(runs.c.id.in_(ids), runs.c.task_id.in_(task_ids))
        return _read(connection, self._rows().where(named).order_by(runs.c.id))

    def listed(self, connection: Connection, query: RunList) -> list[RunRow]:
        """The runs of a list."""
        ids = _ACTIVE_IDS if query.active_only else self._listed(connection)
        # A join would let SQLite walk through all runs in the order of the list.
        listed = self._rows().where(runs.c.id.in_(ids), if_given(runs.c.kind, query.kind))
        if query.before_id is not None:
            listed = listed.where(runs.c.id < query.before_id)
        return _read(connection, listed.order_by(desc(runs.c.id)).limit(query.limit))

    def counts(self, connection: Connection) -> dict[RunState, int]:
        """How many of the listed runs are in each state."""
        listed = runs.c.id.in_(self._listed(connection))
        counted = select(runs.c.state, func.count()).where(listed).group_by(runs.c.state)
        return dict.fromkeys(RunState, 0) | {
            RunState(state): count for state, count in connection.execute(counted)
        }

    def newest_result(
        self, connection: Connection, digest: str, *, max_age_s: float
    ) -> RunRow | None:
        """The newest run of the same work that succeeded within the last `max_age_s`."""
        same = self._rows().where(
            runs.c.digest == digest,
            runs.c.state == RunState.SUCCEEDED,
            runs.c.finished_at > _ago(connection, max_age_s),
        )
        found = _read(connection, same.order_by(desc(runs.c.finished_at)).limit(1))
        return found[0] if found else None

    def active(self, connection: Connection) -> list[ActiveRuns]:
        """The active runs, by kind and state."""
        counters = [func.coalesce(func.sum(runs.c[name]), 0) for name in _COUNTERS]
        counted = (
            select(
                runs.c.kind,
                runs.c.state,
                func.count(),
                func.count().filter(self._stuck()),
                *counters,
            )
            .where(runs.c.state.in_(_ACTIVE))
            .group_by(runs.c.kind, runs.c.state)
        )
        return [
            ActiveRuns(
                kind=kind,
                state=RunState(state),
                count=count,
                stuck=stuck,
                counters=Counters(*map(int, written)),
            )
            for kind, state, count, stuck, *written in connection.execute(counted)
        ]

    def ended_since(
        self, connection: Connection, since: int | None, *, ago_s: float, limit: int
    ) -> list[RunRow]:
        """Runs that ended at `since` or later (None: in the last `ago_s`), the earliest first."""
        begin = _ago(connection, ago_s) if since is None else since
        ended = self._rows().where(runs.c.finished_at >= begin)
        return _read(connection, ended.order_by(runs.c.finished_at, runs.c.id).limit(limit))

    def _listed(self, connection: Connection) -> CompoundSelect[int]:
        """Two index look-ups; one condition with OR would scan all runs that ever were."""
        ended = select(runs.c.id).where(runs.c.finished_at > _ago(connection, self.listed_s))
        return union_all(_ACTIVE_IDS, ended)

    def _rows(self) -> Select[Any]:
        columns = [runs.c[name] for name in (*_SHOWN, *_COUNTERS)]
        return select(*columns, self._stuck().label("stuck"))

    def _stuck(self) -> ColumnElement[bool]:
        return and_(
            runs.c.state == RunState.RUNNING,
            runs.c.progress_at <= DatabaseNow(ago_ms=int(self.stuck_after_s * 1000)),
        )


# The columns that are shown as they are.
_SHOWN = [field.name for field in fields(RunRow) if field.name in runs.c]


def _ago(connection: Connection, seconds: float) -> int:
    return read_clock(connection) - int(seconds * 1000)


def _read(connection: Connection, statement: Select[Any]) -> list[RunRow]:
    return [_run_row(row._asdict()) for row in connection.execute(statement)]


def _run_row(shown: dict[str, Any]) -> RunRow:
    counters = Counters(**{name: shown.pop(name) for name in _COUNTERS})
    shown |= {"state": RunState(shown["state"]), "stuck": bool(shown["stuck"])}
    return RunRow(**shown, counters=counters)


def enabled_intervals(connection: Connection) -> dict[str, int]:
    """Ms between two runs of each enabled schedule, by its name.

    That of a cron expression is the present pause between two of its times.
    """
    enabled = select(schedule).where(schedule.c.enabled)
    return {row.name: _interval(row) for row in connection.execute(enabled)}


def _interval(row: Row[Any]) -> int:
    if row.interval_s is not None:
        return int(row.interval_s) * 1000
    return _DAY_MS if row.last_due_at is None else max(0, row.next_run_at - row.last_due_at)
