"""The run ledger: who runs, what a run holds, and how it ended."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from penstock.columns import DatabaseNow
from penstock.core.run import Counters, Run, RunEnd, RunState
from penstock.errors import ConflictError, FencedError
from penstock.store.schema import claim
from penstock.store.schema import run as runs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Update

    from penstock.store.database import Database


class SqlRunLedger:
    """See penstock.core.run.RunLedger. A run whose heartbeat is older than `dead_after_s` has lost its worker."""

    def __init__(self, database: Database, *, dead_after_s: float) -> None:
        self._database = database
        self._dead_after_s = dead_after_s

    async def start(self, kind: str, params: Mapping[str, object], resources: Sequence[str]) -> Run:
        """See RunLedger."""
        task_id = uuid.uuid4()
        try:
            return await self._database.write(lambda connection: _start(connection, task_id, kind, params, resources))
        except IntegrityError:
            await self.fail_dead()
        try:
            return await self._database.write(lambda connection: _start(connection, task_id, kind, params, resources))
        except IntegrityError:
            holder = await self._database.read(lambda connection: _holder(connection, resources))
            message = f"Data collection already running: {holder}"
            raise ConflictError(message) from None

    async def heartbeat(self, run: Run) -> None:
        """See RunLedger."""
        await self._database.write(lambda connection: count_up(connection, run, Counters()))

    async def finish(self, run: Run, end: RunEnd) -> None:
        """See RunLedger."""
        await self._database.write(lambda connection: _finish(connection, run, end))

    async def fail_dead(self, *, dead_after_s: float | None = None) -> int:
        """Fail the runs whose worker died, free what they hold, and fence them off; gives how many."""
        age_ms = int(1000 * (self._dead_after_s if dead_after_s is None else dead_after_s))
        return await self._database.write(lambda connection: _fail_dead(connection, age_ms))


def count_up(connection: Connection, run: Run, counters: Counters) -> None:
    """Add to the run's counters, which is its heartbeat too; FencedError when the run is somebody else's by now."""
    added = {
        name: runs.c[name] + getattr(counters, name)
        for name in ("inserted", "updated", "unchanged", "rejected", "requests")
        if getattr(counters, name)
    }
    _fenced(connection, run, update(runs).values(heartbeat_at=DatabaseNow(), **added))


def _fenced(connection: Connection, run: Run, change: Update) -> None:
    mine = (runs.c.id == run.id) & (runs.c.fence == run.fence) & (runs.c.state == RunState.RUNNING)
    result: CursorResult[tuple[()]] = connection.execute(change.where(mine))
    if result.rowcount != 1:
        message = f"run {run.id} was taken over by another worker"
        raise FencedError(message)


def _start(connection: Connection, task_id: uuid.UUID, kind: str, params: Mapping[str, object], resources: Sequence[str]) -> Run:
    now = DatabaseNow()
    row = {"task_id": str(task_id), "kind": kind, "state": RunState.RUNNING, "params": params, "fence": 1}
    created = insert(runs).values(created_at=now, started_at=now, heartbeat_at=now, **row).returning(runs.c.id)
    run = Run(connection.execute(created).scalar_one(), task_id, fence=1)
    if resources:
        # In one order for all, or two runs that name the same resources would each wait for what the other one has.
        connection.execute(insert(claim), [{"resource": resource, "run_id": run.id} for resource in sorted(set(resources))])
    return run


def _finish(connection: Connection, run: Run, end: RunEnd) -> None:
    change = update(runs).values(state=end.state, error=end.error, result=dict(end.result), finished_at=DatabaseNow())
    _fenced(connection, run, change)
    connection.execute(delete(claim).where(claim.c.run_id == run.id))


def _holder(connection: Connection, resources: Sequence[str]) -> str:
    held = select(claim.c.resource, runs.c.task_id).join(runs, runs.c.id == claim.c.run_id).where(claim.c.resource.in_(resources)).limit(1)
    row = connection.execute(held).one_or_none()
    return "it has just ended, try again" if row is None else f"task {row.task_id} holds {row.resource}"


def _fail_dead(connection: Connection, age_ms: int) -> int:
    dead = select(runs.c.id).where(runs.c.state == RunState.RUNNING, runs.c.heartbeat_at <= DatabaseNow(ago_ms=age_ms)).with_for_update()
    ids = list(connection.scalars(dead))
    if ids:
        ended = {"state": RunState.FAILED, "error": "its worker died", "fence": runs.c.fence + 1, "finished_at": DatabaseNow()}
        connection.execute(update(runs).where(runs.c.id.in_(ids)).values(ended))
        connection.execute(delete(claim).where(claim.c.run_id.in_(ids)))
    return len(ids)
