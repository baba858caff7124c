"""Delivery for tests: the dispatch of a database, a ledger over it, and a worker made by hand."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from penstock.engine.distributed import DistributedDispatch
from penstock.engine.in_process import InProcessDispatch
from penstock.engine.queue import QueueOptions
from penstock.store.write.runs.claims import promote
from penstock.store.write.runs.ledger import SqlRunLedger

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from penstock.runs.dispatch import Dispatch
    from penstock.runs.run import Run
    from penstock.store.session.database import Database

# Takes the due token of highest priority, as procrastinate does for a worker.
_FETCH = """
SELECT id, args FROM procrastinate_fetch_job_v2(ARRAY['runs']::varchar[], :worker_id)
WHERE id IS NOT NULL"""
_FETCH_OF = """
UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker_id
WHERE id = (
    SELECT job.id FROM procrastinate_jobs AS job
    JOIN run ON run.id = (job.args ->> 'run_id')::bigint
    WHERE run.task_id = :task_id AND job.status = 'todo' ORDER BY job.id DESC LIMIT 1
)
RETURNING id, args"""


def dispatch_over(
    database: Database, *, dead_after_s: float = 30.0, heartbeat_s: float = 10.0
) -> Dispatch:
    """The dispatch for this kind of database."""
    if database.file is not None:
        return InProcessDispatch(database.events)
    options = QueueOptions(
        conninfo=database.url.set(drivername="postgresql").render_as_string(hide_password=False),
        parameters=database.backend.parameters,
        timeout_s=5.0,
        heartbeat_s=heartbeat_s,
        dead_after_s=dead_after_s,
    )
    return DistributedDispatch(options)


def ledger_over(database: Database, *, dead_after_s: float = 30.0, **given: Any) -> SqlRunLedger:
    """A ledger of this database, with its own dispatch."""
    dispatch = dispatch_over(database, dead_after_s=dead_after_s)
    return SqlRunLedger(database, dispatch, dead_after_s=dead_after_s, **given)


async def take(
    ledger: SqlRunLedger, count: int = 1, *, task_id: uuid.UUID | None = None
) -> list[Run]:
    """Begin runs as a worker does when they are delivered; that worker does nothing more."""
    database = ledger._database
    if database.file is not None and task_id is None:
        return await ledger.take(count)
    if database.file is not None:
        found = await ledger.adopt(task_id)  # type: ignore[arg-type]
        return [] if found is None else [found]
    while await database.write(lambda connection: promote(connection, ledger._dispatch)):
        pass
    begun: list[Run] = []
    while len(begun) < count:
        fetched = await database.write(lambda connection: _fetch(connection, task_id))
        if fetched is None:
            break
        job_id, args = fetched
        run = await ledger.begin(args["run_id"], args["start"], job_id)
        if run is None:
            await database.write(partial(ledger._dispatch.release, job_id=job_id))
        else:
            begun.append(run)
    return begun


async def bury(ledger: SqlRunLedger) -> None:
    """Requeue all runs, as if their workers had died some time ago."""
    database = ledger._database
    if database.file is not None:
        await ledger.put_back()
        return
    old = "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 hour'"
    await database.write(lambda connection: connection.execute(text(old)))
    await ledger.sweep()


def _fetch(connection: Connection, task_id: uuid.UUID | None) -> tuple[int, dict[str, int]] | None:
    worker_id = connection.scalar(text("SELECT min(id) FROM procrastinate_workers"))
    if worker_id is None:
        worker_id = connection.scalar(text("SELECT procrastinate_register_worker_v1()"))
    else:
        connection.execute(text(f"SELECT procrastinate_update_heartbeat_v1({worker_id})"))
    statement = _FETCH if task_id is None else _FETCH_OF
    values = {"worker_id": worker_id} | ({} if task_id is None else {"task_id": str(task_id)})
    row = connection.execute(text(statement), values).one_or_none()
    return None if row is None else (row.id, _arguments(row.args))


def _arguments(args: str | Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = json.loads(args) if isinstance(args, str) else dict(args)
    return found
