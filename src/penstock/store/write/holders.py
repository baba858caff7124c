"""Who holds what a run wants, since when, and when it is free again if nobody works on it any more: in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlalchemy import select

from penstock.columns import read_clock
from penstock.errors import ConflictError
from penstock.moment import iso
from penstock.runs.run import RunState
from penstock.runs.tables import claim
from penstock.runs.tables import run as runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def held(
    connection: Connection, resources: Sequence[str], first: str | None, dead_after_ms: int
) -> ConflictError:
    """The error of a run that wants one of these resources; `first` is the task that waited longer for them, if one did."""
    if first is not None:
        return ConflictError(
            f"Data collection already running: task {first} waited longer for the same series",
            task_id=first,
        )
    columns = (
        claim.c.resource,
        runs.c.task_id,
        runs.c.state,
        runs.c.started_at,
        runs.c.heartbeat_at,
    )
    holder = (
        select(*columns)
        .join(runs, runs.c.id == claim.c.run_id)
        .where(claim.c.resource.in_(resources))
    )
    row = connection.execute(holder.order_by(claim.c.resource).limit(1)).one_or_none()
    if row is None:
        return ConflictError("Data collection already running: it has just ended, try again")
    how_long = ", and is queued"
    if row.state == RunState.RUNNING:
        how_long = _how_long(
            row.started_at,
            silent_ms=read_clock(connection) - row.heartbeat_at,
            dead_after_ms=dead_after_ms,
        )
    return ConflictError(
        f"Data collection already running: task {row.task_id} holds {row.resource}{how_long}",
        task_id=row.task_id,
    )


def _how_long(started_at: int, *, silent_ms: int, dead_after_ms: int) -> str:
    """Since when a running run holds what it does, and when that is free if nobody works on it any more."""
    since = iso(started_at // 1000 * 1000)
    free_s = max(1, math.ceil((dead_after_ms - silent_ms) / 1000))
    beat = f"it gave its last sign of life {max(0, silent_ms) // 1000} s ago"
    return (
        f" since {since}; {beat}, and if its process is dead this is free by itself in {free_s} s"
    )
