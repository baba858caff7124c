"""Claims: which active run holds a resource, and which waiting run gets it next."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, text, update

from penstock.runs.dispatch import StartToken
from penstock.runs.events import QueueChanged, RunChanged
from penstock.runs.run import RunState
from penstock.runs.tables import claim
from penstock.runs.tables import run as runs
from penstock.store.session.backend import announce

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection, Row, Select

    from penstock.runs.dispatch import Dispatch
    from penstock.store.session.database import Database

# One statement for hundreds of series. Sorted, so that two that want the same never wait for each
# other.
_CLAIM = {
    "postgresql": text("""
INSERT INTO run_claim (resource, run_id)
SELECT wanted.value ->> 0, CAST(wanted.value ->> 1 AS bigint)
FROM jsonb_array_elements(CAST(:wanted AS jsonb)) AS wanted (value)
ORDER BY 1
ON CONFLICT DO NOTHING"""),
    "sqlite": text("""
INSERT INTO run_claim (resource, run_id)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:wanted)
WHERE true ORDER BY 1
ON CONFLICT DO NOTHING"""),
}

_other = runs.alias("other")
SOMEBODY_WAITS = (
    select(_other.c.id)
    .where(_other.c.state == RunState.QUEUED, _other.c.waiting)
    .exists()
    .label("somebody_waits")
)


def busy(connection: Connection, resources: Sequence[str]) -> set[str]:
    """Which of the resources an active run holds."""
    return set(connection.scalars(select(claim.c.resource).where(claim.c.resource.in_(resources))))


def claim_all(connection: Connection, wanted: Iterable[tuple[str, int]]) -> bool:
    """Claim all of these pairs of resource and run id, or none of them."""
    pairs = sorted(wanted)
    if not pairs:
        return True
    put = _CLAIM[connection.dialect.name]
    if connection.execute(put, {"wanted": json.dumps(pairs)}).rowcount == len(pairs):
        return True
    give_up(connection, {run_id for _, run_id in pairs})
    return False


def give_up(connection: Connection, run_ids: Collection[int]) -> None:
    """Free what these runs hold."""
    connection.execute(delete(claim).where(claim.c.run_id.in_(run_ids)))


@cache
def _waiting_and_free(dialect: str) -> Select[Any]:
    """Waiting runs whose resources are free, the best one first."""
    elements = func.jsonb_array_elements_text if dialect == "postgresql" else func.json_each
    wanted = elements(runs.c.resources).table_valued("value")
    held = (
        select(claim.c.resource)
        .join(wanted, wanted.c.value == claim.c.resource)
        .correlate(runs)
        .exists()
    )
    free = select(runs.c.id, runs.c.task_id, runs.c.resources, runs.c.fence, runs.c.priority).where(
        runs.c.state == RunState.QUEUED, runs.c.waiting, ~held
    )
    return free.order_by(runs.c.priority, runs.c.id)


def whose_turn(connection: Connection, resources: Sequence[str]) -> str | None:
    """The task that waited for one of the resources and is about to claim it.

    Whoever comes later does not overtake it.
    """
    if not resources:
        return None
    free = connection.execute(_waiting_and_free(connection.dialect.name))
    return next((row.task_id for row in free if not set(resources).isdisjoint(row.resources)), None)


def next_start(row: Row[Any], *, due_at: int | None = None) -> StartToken:
    """The token of the next start of a run."""
    return StartToken(run_id=row.id, start=row.fence + 1, priority=row.priority, due_at=due_at)


async def promote_all(database: Database, dispatch: Dispatch) -> None:
    """Let waiting runs whose resources are free claim them, one by one."""
    while await database.write(lambda connection: promote(connection, dispatch)):
        pass


def promote(connection: Connection, dispatch: Dispatch) -> bool:
    """Let the best waiting run whose resources are free claim them; gives whether there was one.

    One in a transaction: several would claim in an order of their own, and wait for each other.
    """
    best = (
        _waiting_and_free(connection.dialect.name)
        .limit(1)
        .with_for_update(skip_locked=True, of=runs)
    )
    row = connection.execute(best).one_or_none()
    if row is None or not claim_all(connection, [(name, row.id) for name in row.resources]):
        return False
    connection.execute(update(runs).where(runs.c.id == row.id).values(waiting=False))
    dispatch.put(connection, [next_start(row)])
    announce(connection, RunChanged(row.id), QueueChanged())
    return True
