"""Submitting: the run, its claims and its start token in one transaction, or none of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import or_, select, update

from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, InvalidInputError
from penstock.runs.dispatch import StartToken
from penstock.runs.events import QueueChanged, RunChanged
from penstock.runs.run import RunState, Submission
from penstock.runs.tables import run as runs
from penstock.store.session.backend import announce
from penstock.store.statements.upsert import insert_or_ignore
from penstock.store.write.runs.claims import SOMEBODY_WAITS, claim_all, whose_turn
from penstock.store.write.runs.digest import digest_of, request_digest_of
from penstock.store.write.runs.holders import held

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Row

    from penstock.runs.dispatch import Dispatch

# What to submit, or what finds that out in the transaction that submits it.
Wanted: TypeAlias = "Submission | Callable[[Connection], Submission]"


def submission_of(connection: Connection, wanted: Wanted) -> Submission:
    """What is wanted, as of now."""
    return wanted if isinstance(wanted, Submission) else wanted(connection)


def submit(connection: Connection, dispatch: Dispatch, submission: Submission) -> uuid.UUID:
    """Queue a run, within a transaction of others; gives its task.

    ConflictError names the run that holds what it wants. A submission that was made before gives
    the task of that time.
    """
    made = queue(connection, dispatch, submission)
    if made is None:
        return already_submitted(connection, submission)
    if not made.waits:
        dispatch.put(connection, [made.token])
    return made.task_id


def submit_all(
    connection: Connection, dispatch: Dispatch, submissions: Sequence[Submission]
) -> None:
    """Queue many runs in a few statements; ConflictError when one of them cannot be queued so.

    None of them may wait, and none may have been submitted before.
    """
    rows = [_columns(submission) for submission in submissions]
    made = _insert(connection, rows)
    if len(made) != len(rows):
        raise ConflictError("one of these runs was submitted before")
    ids = {row.task_id: row.id for row in made}
    wanted = [
        (name, ids[row["task_id"]])
        for row, submission in zip(rows, submissions, strict=True)
        for name in set(submission.resources)
    ]
    if made and made[0].somebody_waits and whose_turn(connection, [name for name, _ in wanted]):
        raise ConflictError("one of these runs wants what another one has waited for")
    if not claim_all(connection, wanted):
        raise ConflictError("one of these runs wants what another one holds")
    tokens = [
        StartToken(run_id=ids[row["task_id"]], start=1, priority=row["priority"]) for row in rows
    ]
    dispatch.put(connection, tokens)
    announce(connection, *(RunChanged(run_id) for run_id in ids.values()), QueueChanged())


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A run that was just queued; it `waits` for its resources, or holds them."""

    task_id: uuid.UUID
    token: StartToken
    waits: bool


def queue(connection: Connection, dispatch: Dispatch, submission: Submission) -> Queued | None:
    """A new run with its claims and without a token; None when it was submitted before."""
    made = _insert(connection, [_columns(submission)])
    if not made:
        return None
    [row] = made
    wanted = sorted(set(submission.resources))
    first = whose_turn(connection, wanted) if row.somebody_waits else None
    waits = first is not None or not claim_all(connection, [(name, row.id) for name in wanted])
    if waits:
        if not submission.wait:
            raise held(connection, dispatch, wanted, first)
        connection.execute(update(runs).where(runs.c.id == row.id).values(waiting=True))
    announce(connection, RunChanged(row.id), QueueChanged())
    token = StartToken(run_id=row.id, start=1, priority=submission.priority)
    return Queued(task_id=uuid.UUID(row.task_id), token=token, waits=waits)


def already_submitted(connection: Connection, submission: Submission) -> uuid.UUID:
    """The task that the same submission made before; InvalidInputError if it was another one."""
    same = [runs.c.task_id == str(submission.task_id)]
    if submission.idempotency_key is not None:
        same.append(runs.c.idempotency_key == submission.idempotency_key)
    found = connection.execute(
        select(runs.c.id, runs.c.task_id, runs.c.request_digest)
        .where(or_(*same))
        .order_by(runs.c.id)
    ).first()
    if found is None:
        raise ConflictError(
            "the same run was submitted before and has just been deleted, try again"
        )
    if found.request_digest != request_digest_of(submission):
        raise InvalidInputError(
            "Idempotency-Key: this key was used for another request; use a new one",
            field="Idempotency-Key",
        )
    return uuid.UUID(found.task_id)


def _columns(submission: Submission) -> dict[str, Any]:
    return {
        "task_id": str(submission.task_id or uuid.uuid4()),
        "kind": submission.kind,
        "state": RunState.QUEUED,
        "fence": 0,
        "params": submission.params,
        "job_name": submission.job_name,
        "resources": sorted(set(submission.resources)),
        "priority": int(submission.priority),
        "idempotency_key": submission.idempotency_key,
        "digest": digest_of(submission),
        "request_digest": request_digest_of(submission),
    }


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> Sequence[Row[Any]]:
    """Those of them that were not there yet."""
    put = insert_or_ignore(connection, runs).values(created_at=DatabaseNow())
    put = put.returning(runs.c.id, runs.c.task_id, SOMEBODY_WAITS)
    made: Sequence[Row[Any]] = connection.execute(put, list(rows)).all()
    return made
