"""Schedules: what is due is claimed and submitted in one transaction, so that a due run exists once or, after a crash, is still due."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import BigInteger, Boolean, bindparam, case, cast, func, literal, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from penstock.columns import DatabaseNow, Timestamp, in_ms
from penstock.core.schedule import Schedule, Ticked
from penstock.errors import ConflictError
from penstock.store.backend import attempt
from penstock.store.runs import busy, submit
from penstock.store.schema import schedule
from penstock.store.upsert import insert_or_ignore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Row

    from penstock.core.run import Submission
    from penstock.store.database import Database

# A clock that is set by less is being corrected: nothing runs a second time for that.
_CLOCK_STEP_MS = 5_000

_DUE_RUNS = uuid.UUID("6f0c3f5e-3d0b-4a52-9a55-70b3a1f0c0de")


class Plan(Protocol):
    """Turns a due schedule into what is to be run; None skips it this time."""

    def __call__(self, connection: Connection, schedule: Schedule, busy: Callable[[Sequence[str]], set[str]], /) -> Submission | None:
        """`busy` tells which of some resources an active run holds."""


class SqlSchedules:
    """See penstock.core.schedule.Schedules."""

    def __init__(self, database: Database, plan: Plan, *, dead_after_s: float) -> None:
        self._database = database
        self._plan = plan
        self._dead_after_ms = int(dead_after_s * 1000)

    async def put(self, wanted: Sequence[Schedule]) -> None:
        """Make these schedules exist, due at once; one that is there keeps its next time and takes over a changed interval."""
        await self._database.write(lambda connection: _put(connection, wanted))

    async def tick(self, most: int) -> Ticked:
        """See Schedules."""
        return await self._database.write(lambda connection: self._tick(connection, most))

    def _tick(self, connection: Connection, most: int) -> Ticked:
        now = connection.execute(select(in_ms(DatabaseNow()))).scalar_one()
        submitted: list[str] = []
        skipped: list[str] = []
        failed: dict[str, str] = {}
        moved: list[dict[str, Any]] = []
        due_rows = [(row, min(row.next_run_at, now)) for row in _due(connection, now, most)]
        for (row, due), outcome in zip(due_rows, self._submit_all(connection, due_rows), strict=True):
            if isinstance(outcome, str):
                failed[row.name] = outcome
            else:
                (submitted if outcome else skipped).append(row.name)
            step = row.interval_s * 1000
            moved.append({"key": row.id, "due": due, "next": due + ((now - due) // step + 1) * step, "done": outcome is True})
        if moved:
            connection.execute(_MOVE, moved)
        following = connection.execute(select(func.min(schedule.c.next_run_at)).where(schedule.c.enabled)).scalar()
        wait_s = None if following is None else (following - now) / 1000
        return Ticked(submitted=submitted, skipped=skipped, next_in_s=wait_s, failed=failed)

    def _submit_all(self, connection: Connection, due_rows: Sequence[tuple[Row[Any], int]]) -> list[bool | str]:
        """All at once, and one by one only when one of them stands in the way: a savepoint for each costs a quarter of the time."""
        try:
            with attempt(connection):
                return [self._submitted(connection, row, due) for row, due in due_rows]
        except SQLAlchemyError:
            raise
        except Exception:  # noqa: BLE001 - it comes again, and is then told
            return [self._submit(connection, row, due) for row, due in due_rows]

    def _submit(self, connection: Connection, row: Row[Any], due: int) -> bool | str:
        """Whether it was submitted, or why it cannot be: one schedule that is wrong does not stand in the way of the others."""
        try:
            with attempt(connection):
                return self._submitted(connection, row, due)
        except ConflictError:
            return False
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - a plan is the work of a domain
            return str(error) or type(error).__name__

    def _submitted(self, connection: Connection, row: Row[Any], due: int) -> bool:
        one = Schedule(name=row.name, kind=row.kind, interval_s=row.interval_s, params=row.params)
        submission = self._plan(connection, one, lambda resources: busy(connection, resources))
        if submission is None:
            return False
        task_id = uuid.uuid5(_DUE_RUNS, f"{row.id}:{due}")
        submit(connection, replace(submission, task_id=task_id, job_name=row.name), self._dead_after_ms)
        return True


_SUBMITTED_AT = case((bindparam("done", type_=Boolean()), DatabaseNow()), else_=schedule.c.last_submitted_at)
_MOVE = (
    update(schedule)
    .where(schedule.c.id == bindparam("key"))
    .values(next_run_at=bindparam("next", type_=Timestamp()), last_due_at=bindparam("due", type_=Timestamp()), last_submitted_at=_SUBMITTED_AT)
)


def _due(connection: Connection, now: int, most: int) -> Sequence[Row[Any]]:
    """Schedules whose time has come, and those whose next time a clock that was set back has moved out of reach."""
    ahead = in_ms(schedule.c.next_run_at) - cast(schedule.c.interval_s, BigInteger) * 1000
    out_of_reach = ahead > literal(now + _CLOCK_STEP_MS, BigInteger)
    due = (
        select(schedule)
        .where(schedule.c.enabled, or_(schedule.c.next_run_at <= now, out_of_reach))
        .order_by(schedule.c.next_run_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(due).all()


def _put(connection: Connection, wanted: Sequence[Schedule]) -> None:
    for one in wanted:
        row = {"kind": one.kind, "interval_s": one.interval_s, "params": dict(one.params)}
        made = connection.execute(
            insert_or_ignore(connection, schedule).values(name=one.name, next_run_at=DatabaseNow(ago_ms=-1000 * one.first_after_s), **row)
        )
        if not made.rowcount:
            changed = update(schedule).where(schedule.c.name == one.name, schedule.c.interval_s != one.interval_s)
            connection.execute(changed.values(interval_s=one.interval_s, next_run_at=DatabaseNow()))
