"""Who holds what a run wants, since when, and when that is free if its worker is dead: in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlalchemy import select

from penstock.errors import ConflictError
from penstock.moment import iso
from penstock.runs.run import RunState
from penstock.runs.tables import claim
from penstock.runs.tables import run as runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from penstock.runs.dispatch import Dispatch, Silence


def held(
    connection: Connection, dispatch: Dispatch, resources: Sequence[str], first: str | None
) -> ConflictError:
    """The error of a run that wants one of these resources.

    `first` is the task that waited longer for them, if one did.
    """
    if first is not None:
        return ConflictError(
            f"Data collection already running: task {first} waited longer for the same series",
            task_id=first,
        )
    columns = (claim.c.resource, runs.c.task_id, runs.c.state, runs.c.started_at, runs.c.job_id)
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
        silence = None if row.job_id is None else dispatch.silence(connection, row.job_id)
        how_long = f" since {iso(row.started_at // 1000 * 1000)}" + _until(silence)
    return ConflictError(
        f"Data collection already running: task {row.task_id} holds {row.resource}{how_long}",
        task_id=row.task_id,
    )


def _until(silence: Silence | None) -> str:
    """When a run whose process is dead is passed on; empty where no process can be dead."""
    if silence is None:
        return ""
    free_s = max(1, math.ceil(silence.dead_after_s - silence.silent_s))
    return (
        f"; its last heartbeat was {max(0, int(silence.silent_s))} s ago:"
        f" if its process is dead, this is free in {free_s} s"
    )
