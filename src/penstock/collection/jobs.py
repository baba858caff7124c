"""Jobs: what runs automatically, with the config that asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from penstock.collection.tables import collection_config
from penstock.runs.execution_logs import NEWEST_FIRST
from penstock.runs.tables import execution_log, schedule

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from penstock.collection.domain import Asleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An enabled schedule. `config` is the id of its config; Penstock's own schedules have none.

    `asleep` is why it submits nothing now; `next_run_at` (ms) is None then.
    """

    name: str
    task_type: str
    config: int | None
    symbol: str | None
    exchange: str | None
    next_run_at: int | None
    asleep: str | None


def failed_first(connection: Connection, asleep: Asleep, *, limit: int) -> list[Job]:
    """Jobs whose newest execution failed, then the others; each by the time of its next run."""
    newest = (
        select(execution_log.c.status)
        .where(execution_log.c.job_name == schedule.c.name)
        .order_by(*NEWEST_FIRST)
        .limit(1)
        .scalar_subquery()
    )
    return _jobs(connection, asleep, case((newest == "failed", 0), else_=1), limit=limit)


def next_jobs(connection: Connection, asleep: Asleep, *, limit: int) -> list[Job]:
    """The jobs that run next."""
    found = _jobs(connection, asleep, limit=None)
    return [job for job in found if job.asleep is None][:limit]


def count_jobs(connection: Connection) -> int:
    """How many there are."""
    enabled = select(func.count()).select_from(schedule).where(schedule.c.enabled)
    return int(connection.scalar(enabled) or 0)


def _jobs(
    connection: Connection, asleep: Asleep, *order: ColumnElement[int], limit: int | None
) -> list[Job]:
    config, plan = collection_config.c, schedule.c
    wanted = (
        select(plan.name, plan.kind, plan.next_run_at, config.id, config.symbol, config.exchange)
        .outerjoin_from(schedule, collection_config, config.job_id == plan.name)
        .where(plan.enabled)
        .order_by(*order, plan.next_run_at, plan.id)
        .limit(limit)
    )
    rows = connection.execute(wanted).all()
    reasons = {kind: asleep(connection, kind) for kind in {row.kind for row in rows}}
    return [
        Job(
            name=row.name,
            task_type=row.kind,
            config=row.id,
            symbol=row.symbol,
            exchange=row.exchange,
            next_run_at=row.next_run_at if reasons[row.kind] is None else None,
            asleep=reasons[row.kind],
        )
        for row in rows
    ]
