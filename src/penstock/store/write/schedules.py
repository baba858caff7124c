"""Schedules: what is due is submitted in one transaction with its next time.

So a due run exists once or, after a crash, is still due.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    and_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from penstock.collection.domain import awake
from penstock.columns import DatabaseNow, Timestamp, in_ms, read_clock
from penstock.errors import ConflictError
from penstock.runs.run import Submission
from penstock.runs.schedule import Schedule, Ticked
from penstock.runs.tables import schedule
from penstock.store.session.backend import attempt
from penstock.store.statements.upsert import insert_or_ignore
from penstock.store.write.runs.claims import busy
from penstock.store.write.runs.submit import submit, submit_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from penstock.collection.domain import Asleep, Plan
    from penstock.runs.dispatch import Dispatch
    from penstock.store.session.database import Database

# A clock that is set by less is being corrected: nothing runs a second time for that.
_CLOCK_STEP_MS = 5_000

# A schedule that is asleep is looked at this often, so that it soon wakes up.
_ASLEEP_MS = 300_000

_DUE_RUNS = uuid.UUID("6f0c3f5e-3d0b-4a52-9a55-70b3a1f0c0de")


@dataclass(frozen=True, slots=True)
class _Nothing:
    """Why a due schedule submits nothing: it is asleep, or its run cannot be submitted."""

    reason: str
    asleep: bool = False


class SqlSchedules:
    """The schedules of a database.

    `plan` gives the run of a due one, or None to skip it; it is not asked while one is `asleep`.
    """

    def __init__(
        self, database: Database, dispatch: Dispatch, plan: Plan, asleep: Asleep = awake
    ) -> None:
        self._database = database
        self._dispatch = dispatch
        self._plan = plan
        self._asleep = asleep

    async def put(self, wanted: Sequence[Schedule]) -> None:
        """Make these schedules exist, due at once.

        One that is there takes over changed params, and keeps its next time unless its interval
        changes.
        """
        await self._database.write(lambda connection: _put(connection, wanted))

    async def next_due(self) -> tuple[str, int] | None:
        """The name of the next schedule that is enabled and awake, and its due time (ms)."""
        return await self._database.read(lambda connection: _next_due(connection, self._asleep))

    async def tick(self, most: int) -> Ticked:
        return await self._database.write(lambda connection: self._tick(connection, most))

    def _tick(self, connection: Connection, most: int) -> Ticked:
        now = read_clock(connection)
        submitted: list[str] = []
        skipped: list[str] = []
        failed: dict[str, str] = {}
        asleep: dict[str, str] = {}
        moved: list[dict[str, Any]] = []
        due_rows = [(row, min(row.next_run_at, now)) for row in _due(connection, now, most)]
        for (row, due), outcome in zip(
            due_rows, self._submit_all(connection, due_rows), strict=True
        ):
            following = _schedule(row).after(now, rhythm=due)
            if not isinstance(outcome, _Nothing):
                (submitted if outcome else skipped).append(row.name)
            elif outcome.asleep:
                asleep[row.name] = outcome.reason
                following = min(following, now + _ASLEEP_MS)
            else:
                failed[row.name] = outcome.reason
            moved.append({"key": row.id, "due": due, "next": following, "done": outcome is True})
        if moved:
            connection.execute(_MOVE, moved)
        first = connection.execute(
            select(func.min(schedule.c.next_run_at)).where(schedule.c.enabled)
        ).scalar()
        return Ticked(
            submitted=submitted,
            skipped=skipped,
            next_in_s=None if first is None else (first - now) / 1000,
            failed=failed,
            asleep=asleep,
        )

    def _submit_all(
        self, connection: Connection, due_rows: Sequence[tuple[Row[Any], int]]
    ) -> list[bool | _Nothing]:
        """Submit all at once; one by one only when one of them is refused."""
        try:
            with attempt(connection):
                planned = [self._planned(connection, row, due) for row, due in due_rows]
                wanted = [plan for plan in planned if isinstance(plan, Submission)]
                if wanted:
                    submit_all(connection, self._dispatch, wanted)
                return [
                    plan if isinstance(plan, _Nothing) else plan is not None for plan in planned
                ]
        except SQLAlchemyError:
            raise
        except Exception:  # noqa: BLE001 - it comes again, and is then told
            return [self._submit(connection, row, due) for row, due in due_rows]

    def _submit(self, connection: Connection, row: Row[Any], due: int) -> bool | _Nothing:
        """Whether it was submitted, or why not; the others go on in any case."""
        try:
            with attempt(connection):
                planned = self._planned(connection, row, due)
                if isinstance(planned, Submission):
                    submit(connection, self._dispatch, planned)
                return planned if isinstance(planned, _Nothing) else planned is not None
        except ConflictError:
            return False
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - a plan is the work of a domain
            return _Nothing(str(error) or type(error).__name__)

    def _planned(
        self, connection: Connection, row: Row[Any], due: int
    ) -> Submission | _Nothing | None:
        """The run of a due schedule, None when it is to be skipped."""
        reason = self._asleep(connection, row.kind)
        if reason is not None:
            return _Nothing(reason, asleep=True)
        submission = self._plan(
            connection, _schedule(row), lambda resources: busy(connection, resources)
        )
        if submission is None:
            return None
        task_id = uuid.uuid5(_DUE_RUNS, f"{row.id}:{due}")
        return replace(submission, task_id=task_id, job_name=row.name)


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule as it is kept: when it is due next, and when a run of it was last submitted.

    `asleep` is why it submits nothing now.
    """

    id: int
    schedule: Schedule
    enabled: bool
    next_run_at: int
    last_run_at: int | None
    asleep: str | None


def _next_due(connection: Connection, asleep: Asleep) -> tuple[str, int] | None:
    kinds = connection.scalars(select(schedule.c.kind).distinct()).all()
    awake_kinds = [kind for kind in kinds if asleep(connection, kind) is None]
    row = connection.execute(
        select(schedule.c.name, schedule.c.next_run_at)
        .where(schedule.c.enabled, schedule.c.kind.in_(awake_kinds))
        .order_by(schedule.c.next_run_at)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.name, row.next_run_at)


def schedules(
    connection: Connection, asleep: Asleep, *, after_id: int = 0, limit: int
) -> list[ScheduleRow]:
    """Schedules in order of their id, those behind `after_id`."""
    wanted = select(schedule).where(schedule.c.id > after_id).order_by(schedule.c.id).limit(limit)
    rows = connection.execute(wanted).all()
    reasons = {kind: asleep(connection, kind) for kind in {row.kind for row in rows}}
    return [_shown(row, reasons[row.kind]) for row in rows]


def schedule_named(connection: Connection, asleep: Asleep, name: str) -> ScheduleRow | None:
    """The schedule of a name; None before the first start of a service."""
    row = connection.execute(select(schedule).where(schedule.c.name == name)).one_or_none()
    return None if row is None else _shown(row, asleep(connection, row.kind))


def _shown(row: Row[Any], asleep: str | None) -> ScheduleRow:
    return ScheduleRow(
        id=row.id,
        schedule=_schedule(row),
        enabled=row.enabled,
        next_run_at=row.next_run_at,
        last_run_at=row.last_submitted_at,
        asleep=asleep,
    )


def _schedule(row: Row[Any]) -> Schedule:
    return Schedule(
        name=row.name,
        kind=row.kind,
        params=row.params,
        interval_s=row.interval_s,
        cron=row.cron,
        timezone=row.timezone,
    )


_SUBMITTED_AT = case(
    (bindparam("done", type_=Boolean()), DatabaseNow()), else_=schedule.c.last_submitted_at
)
_MOVE = (
    update(schedule)
    .where(schedule.c.id == bindparam("key"))
    .values(
        next_run_at=bindparam("next", type_=Timestamp()),
        last_due_at=bindparam("due", type_=Timestamp()),
        last_submitted_at=_SUBMITTED_AT,
    )
)


def _due(connection: Connection, now: int, most: int) -> Sequence[Row[Any]]:
    """Schedules that are due, and those that a clock which was set back has moved out of reach."""
    ahead = in_ms(schedule.c.next_run_at) - cast(schedule.c.interval_s, BigInteger) * 1000
    future = literal(now + _CLOCK_STEP_MS, BigInteger)
    out_of_reach = ahead > future
    # Times of a cron expression lie at no fixed distance; one that was due in the future shows that
    # the clock was set back too.
    was_ahead = and_(schedule.c.cron.is_not(None), in_ms(schedule.c.last_due_at) > future)
    due = (
        select(schedule)
        .where(schedule.c.enabled, or_(schedule.c.next_run_at <= now, out_of_reach, was_ahead))
        .order_by(schedule.c.next_run_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(due).all()


def put_schedule(
    connection: Connection, wanted: Schedule, *, enabled: bool, next_run_at: int | None
) -> None:
    """Make a schedule exist as it is wanted, within a transaction of others.

    `next_run_at` None leaves its next time as it is.
    """
    row = _columns(wanted) | {"enabled": enabled}
    row |= {} if next_run_at is None else {"next_run_at": next_run_at}
    if not connection.execute(
        update(schedule).where(schedule.c.name == wanted.name).values(row)
    ).rowcount:
        connection.execute(insert(schedule).values(name=wanted.name, **row))


def _columns(wanted: Schedule) -> dict[str, Any]:
    return {
        "kind": wanted.kind,
        "params": dict(wanted.params),
        "interval_s": wanted.interval_s,
        "cron": wanted.cron,
        "timezone": wanted.timezone,
    }


def _put(connection: Connection, wanted: Sequence[Schedule]) -> None:
    for new in wanted:
        made = connection.execute(
            insert_or_ignore(connection, schedule).values(
                name=new.name,
                next_run_at=DatabaseNow(ago_ms=-1000 * new.first_after_s),
                **_columns(new),
            )
        )
        if not made.rowcount:
            kept = update(schedule).where(schedule.c.name == new.name)
            connection.execute(kept.values(params=dict(new.params)))
            changed = kept.where(schedule.c.interval_s != new.interval_s)
            connection.execute(changed.values(interval_s=new.interval_s, next_run_at=DatabaseNow()))
