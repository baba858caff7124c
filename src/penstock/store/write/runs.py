"""The run ledger: what is queued, who runs it, what it holds, and how it ended."""

from __future__ import annotations

import uuid
from dataclasses import asdict, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import CursorResult, and_, delete, func, null, or_, select, update

from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, FencedError, InvalidInputError, NotFoundError
from penstock.runs.events import CancelAsked, QueueChanged, RunChanged
from penstock.runs.run import ENDED, Run, RunEnd, RunState, Submission
from penstock.runs.tables import claim
from penstock.runs.tables import run as runs
from penstock.store.backend import UNCOUNTED, announce
from penstock.store.statements.upsert import insert_or_ignore
from penstock.store.write.digest import digest_of, request_digest_of
from penstock.store.write.execution_logs import ExecutionLogs, close_rows, count_records
from penstock.store.write.holders import held
from penstock.store.write.merge import SqlWriting
from penstock.store.write.storable import storable, storable_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select, Update

    from penstock.runs.context import Transaction, Writing
    from penstock.runs.events import Event
    from penstock.runs.run import LogEntry
    from penstock.store.database import Database

T = TypeVar("T")

# What to submit, or what finds that out in the transaction that submits it.
Wanted: TypeAlias = "Submission | Callable[[Connection], Submission]"

# A run that was started so often and is dead again kills its workers.
_MOST_STARTS = 100

_TAKEN = (
    runs.c.id,
    runs.c.task_id,
    runs.c.fence,
    runs.c.kind,
    runs.c.params,
    runs.c.job_name,
    runs.c.attempt,
    runs.c.started_at,
)
_other = runs.alias("other")
_SOMEBODY_WAITS = (
    select(_other.c.id)
    .where(_other.c.state == RunState.QUEUED, _other.c.waiting)
    .exists()
    .label("somebody_waits")
)


class SqlRunLedger:
    """See penstock.runs.ledger.RunLedger. A run whose heartbeat is older than `dead_after_s` has lost its worker."""

    def __init__(
        self,
        database: Database,
        *,
        dead_after_s: float,
        entries_of: Callable[[Run], Sequence[LogEntry]] = lambda _: (),
    ) -> None:
        self._database = database
        self._logs = ExecutionLogs(entries_of)
        self._dead_after_ms = int(dead_after_s * 1000)

    async def write(
        self,
        run: Run,
        change: Callable[[Writing], T],
        *,
        within: Transaction | None = None,
        hurried: bool = True,
    ) -> T:
        """See RunWriter."""

        def fenced(connection: Connection) -> T:
            writing = SqlWriting(connection, run)
            given = change(writing)
            # Last, so that nobody who reads or ends the run waits for the rows.
            _record(writing)
            return given

        return await (
            self._database.write(fenced, hurried=hurried) if within is None else within(fenced)
        )

    async def submit(self, wanted: Wanted, *, by: Run | None = None) -> uuid.UUID:
        """See RunWriter."""

        def submitted(connection: Connection) -> uuid.UUID:
            return submit(connection, _told(connection, wanted), self._dead_after_ms)

        return await (
            self._database.write(submitted)
            if by is None
            else self.write(by, lambda writing: submitted(writing.connection))
        )

    async def start(self, wanted: Wanted) -> Run:
        """Submit and take in one transaction, for who does the work at once: no other worker can take it first, and it waits for none."""

        def start(connection: Connection) -> Run:
            submission = replace(_told(connection, wanted), wait=False)
            now = DatabaseNow()
            begun = {
                "state": RunState.RUNNING,
                "fence": 1,
                "started_at": now,
                "heartbeat_at": now,
                "progress_at": now,
            }
            made = _make(connection, submission, self._dead_after_ms, begun)
            if made is None:
                return _start(
                    connection, [_already_submitted(connection, submission)[0]], self._logs
                )[0]
            return _opened(connection, [made], self._logs)[0]

        return await self._database.write(start)

    async def take(self, count: int, *, task_id: uuid.UUID | None = None) -> list[Run]:
        """See RunLedger."""

        def take(connection: Connection) -> list[Run] | None:
            # Either: runs that claim within one transaction would claim in an order of their own, and wait for each other.
            return (
                None
                if _promote(connection)
                else _take(connection, count, task_id, self._dead_after_ms, self._logs)
            )

        while (taken := await self._database.write(take)) is None:
            pass
        return taken

    async def heartbeat(self, run: Run) -> bool:
        """See RunLedger."""
        beat = (
            update(runs)
            .where(_ours(run))
            .values(heartbeat_at=DatabaseNow())
            .returning(runs.c.cancel_asked)
        )
        asked: bool | None = await self._database.write(
            lambda connection: connection.scalar(beat, execution_options=UNCOUNTED)
        )
        if asked is None:
            raise _taken_over(run)
        return asked

    async def finish(self, run: Run, end: RunEnd) -> None:
        """See RunLedger."""
        await self._database.write(lambda connection: _finish(connection, run, end, self._logs))

    async def requeue(self, run: Run, *, error: str | None, delay_s: float) -> None:
        """See RunLedger."""
        await self._database.write(
            lambda connection: _requeue(connection, run, error, delay_s, self._logs)
        )

    async def cancel(self, task_id: uuid.UUID) -> RunState:
        """See RunLedger."""
        return await self._database.write(lambda connection: _cancel(connection, task_id))

    async def put_back_all(self) -> int:
        """Queue every running run again, at the start of the only process that can have run them; gives how many. Retries are due at once."""

        def put_back(connection: Connection) -> int:
            running = runs.c.state == RunState.RUNNING
            _end(
                connection,
                list(connection.scalars(select(runs.c.id).where(running, runs.c.cancel_asked))),
                RunState.CANCELLED,
            )
            connection.execute(
                update(runs)
                .where(runs.c.state == RunState.QUEUED, runs.c.next_try_at.is_not(None))
                .values(next_try_at=None)
            )
            return connection.execute(
                update(runs).where(running).values(state=RunState.QUEUED)
            ).rowcount

        return await self._database.write(put_back)


def _record(writing: Writing) -> None:
    """Add to the run's record what is written with it, which is its heartbeat too."""
    run, shown = writing.run, writing.shown
    counted = {
        name: runs.c[name] + count for name, count in asdict(writing.counters).items() if count
    }
    changed: dict[str, Any] = {"heartbeat_at": DatabaseNow(), **counted}
    if shown is not None:
        work = None if shown.work is None else asdict(shown.work)
        changed |= {
            "progress": shown.percent,
            "message": shown.message,
            "work": work,
            "progress_at": DatabaseNow(),
        }
    _fenced(
        writing.connection,
        run,
        update(runs).values(changed),
        tell=() if shown is None else (RunChanged(run.id),),
    )
    count_records(writing.connection, run, writing.records)


def _told(connection: Connection, wanted: Wanted) -> Submission:
    return wanted if isinstance(wanted, Submission) else wanted(connection)


def busy(connection: Connection, resources: Sequence[str]) -> set[str]:
    """Which of the resources an active run holds."""
    return set(connection.scalars(select(claim.c.resource).where(claim.c.resource.in_(resources))))


def _taken_over(run: Run) -> FencedError:
    return FencedError(f"run {run.id} was taken over by another worker")


def _ours(run: Run, state: RunState = RunState.RUNNING) -> ColumnElement[bool]:
    """The fence: the row of the run, while nobody has started it again."""
    return and_(runs.c.id == run.id, runs.c.fence == run.fence, runs.c.state == state)


def _fenced(
    connection: Connection,
    run: Run,
    change: Update,
    *,
    tell: Sequence[Event],
    done: RunState | None = None,
) -> None:
    """Make the change if the run is still ours. `done`: the state after it, so that it may come twice when the answer to the first was lost."""
    result: CursorResult[Any] = connection.execute(change.where(_ours(run)))
    if result.rowcount != 1 and (
        done is None or connection.scalar(select(runs.c.id).where(_ours(run, done))) is None
    ):
        raise _taken_over(run)
    announce(connection, *tell)


def submit(connection: Connection, submission: Submission, dead_after_ms: int) -> uuid.UUID:
    """See RunLedger.submit; for those who submit within a transaction of their own."""
    return _submit(connection, submission, dead_after_ms)[1]


def _submit(
    connection: Connection, submission: Submission, dead_after_ms: int
) -> tuple[int, uuid.UUID]:
    made = _make(connection, submission, dead_after_ms, {"state": RunState.QUEUED, "fence": 0})
    return (
        _already_submitted(connection, submission)
        if made is None
        else (made.id, uuid.UUID(made.task_id))
    )


def _make(
    connection: Connection, submission: Submission, dead_after_ms: int, begun: Mapping[str, Any]
) -> Row[Any] | None:
    """A new run with its claims, as far `begun` as is said; None when it was submitted before."""
    row = {
        "task_id": str(submission.task_id or uuid.uuid4()),
        "kind": submission.kind,
        "params": submission.params,
        "job_name": submission.job_name,
        "priority": int(submission.priority),
        "idempotency_key": submission.idempotency_key,
        "digest": digest_of(submission),
        "request_digest": request_digest_of(submission),
    }
    made = connection.execute(
        insert_or_ignore(connection, runs)
        .values(created_at=DatabaseNow(), **row, **begun)
        .returning(*_TAKEN, _SOMEBODY_WAITS)
    ).one_or_none()
    if made is None:
        return None
    wanted = sorted(set(submission.resources))
    first = _whose_turn(connection, wanted) if made.somebody_waits else None
    if first is not None or not (
        _claim(connection, made.id, wanted)
        or _claim_from_dead(connection, made.id, wanted, dead_after_ms)
    ):
        if not submission.wait:
            raise held(connection, wanted, first, dead_after_ms)
        connection.execute(
            update(runs).where(runs.c.id == made.id).values(waiting=True, resources=wanted)
        )
    announce(connection, RunChanged(made.id), QueueChanged())
    return made


def _already_submitted(connection: Connection, submission: Submission) -> tuple[int, uuid.UUID]:
    same = [runs.c.task_id == str(submission.task_id)]
    if submission.idempotency_key is not None:
        same.append(runs.c.idempotency_key == submission.idempotency_key)
    found = connection.execute(
        select(runs.c.id, runs.c.task_id, runs.c.request_digest)
        .where(or_(*same))
        .order_by(runs.c.id)
    ).first()
    if found is None:
        message = "the same run was submitted before and has just been deleted, try again"
        raise ConflictError(message)
    if found.request_digest != request_digest_of(submission):
        message = "Idempotency-Key: this key was used for another request; use a new one"
        raise InvalidInputError(message, field="Idempotency-Key")
    return found.id, uuid.UUID(found.task_id)


def _claim(connection: Connection, run_id: int, resources: Sequence[str]) -> bool:
    """Claim all or nothing. Sorted everywhere, so that two that want the same never wait for each other."""
    if not resources:
        return True
    rows = [{"resource": resource, "run_id": run_id} for resource in resources]
    if connection.execute(insert_or_ignore(connection, claim), rows).rowcount == len(rows):
        return True
    connection.execute(delete(claim).where(claim.c.run_id == run_id))
    return False


def _claim_from_dead(
    connection: Connection, run_id: int, resources: Sequence[str], dead_after_ms: int
) -> bool:
    """Fail the dead runs that hold what is wanted, and claim again."""
    holders = select(claim.c.run_id).where(claim.c.resource.in_(resources))
    dead = (
        select(runs.c.id)
        .where(runs.c.id.in_(holders), _dead(dead_after_ms))
        .order_by(runs.c.id)
        .with_for_update()
    )
    ids = list(connection.scalars(dead))
    if not ids:
        return False
    _end(connection, ids, RunState.FAILED, error="its worker died")
    return _claim(connection, run_id, resources)


@cache
def _waiting_and_free(dialect: str) -> Select[tuple[int, str, list[str]]]:
    """Runs that wait, and for nobody any more, the best one first."""
    elements = func.jsonb_array_elements_text if dialect == "postgresql" else func.json_each
    wanted = elements(runs.c.resources).table_valued("value")
    held = (
        select(claim.c.resource)
        .join(wanted, wanted.c.value == claim.c.resource)
        .correlate(runs)
        .exists()
    )
    free = select(runs.c.id, runs.c.task_id, runs.c.resources).where(
        runs.c.state == RunState.QUEUED, runs.c.waiting, ~held
    )
    return free.order_by(runs.c.priority, runs.c.id)


def _whose_turn(connection: Connection, resources: Sequence[str]) -> str | None:
    """The run that waited for one of the resources and is about to claim it, so that whoever comes later does not overtake it."""
    if not resources:
        return None
    free = connection.execute(_waiting_and_free(connection.dialect.name))
    return next((row.task_id for row in free if not set(resources).isdisjoint(row.resources)), None)


def _promote(connection: Connection) -> bool:
    """Let the best run that waits for nobody any more claim what it wants; gives whether there was one."""
    best = (
        _waiting_and_free(connection.dialect.name)
        .limit(1)
        .with_for_update(skip_locked=True, of=runs)
    )
    row = connection.execute(best).one_or_none()
    if row is None or not _claim(connection, row.id, row.resources):
        return False
    connection.execute(
        update(runs).where(runs.c.id == row.id).values(waiting=False, resources=null())
    )
    return True


def _dead(dead_after_ms: int) -> ColumnElement[bool]:
    return and_(
        runs.c.state == RunState.RUNNING, runs.c.heartbeat_at <= DatabaseNow(ago_ms=dead_after_ms)
    )


def _take(
    connection: Connection,
    count: int,
    task_id: uuid.UUID | None,
    dead_after_ms: int,
    logs: ExecutionLogs,
) -> list[Run]:
    due = and_(
        runs.c.state == RunState.QUEUED,
        ~runs.c.waiting,
        or_(runs.c.next_try_at.is_(None), runs.c.next_try_at <= DatabaseNow()),
    )
    ready = (
        select(runs.c.id, runs.c.cancel_asked, runs.c.fence)
        .where(or_(due, _dead(dead_after_ms)))
        .order_by(runs.c.priority, runs.c.id)
    )
    if task_id is not None:
        ready = ready.where(runs.c.task_id == str(task_id))
    rows = connection.execute(ready.limit(count).with_for_update(skip_locked=True)).all()
    cancelled = {row.id for row in rows if row.cancel_asked}
    deadly = {row.id for row in rows if row.fence >= _MOST_STARTS} - cancelled
    _end(connection, cancelled, RunState.CANCELLED)
    _end(connection, deadly, RunState.FAILED, error=f"its worker died, after {_MOST_STARTS} starts")
    ids = [row.id for row in rows if row.id not in cancelled | deadly]
    return _start(connection, ids, logs) if ids else []


def _start(connection: Connection, ids: Sequence[int], logs: ExecutionLogs) -> list[Run]:
    now = DatabaseNow()
    started = (
        update(runs)
        .where(runs.c.id.in_(ids))
        .values(state=RunState.RUNNING, fence=runs.c.fence + 1, next_try_at=None)
        .values(started_at=func.coalesce(runs.c.started_at, now), heartbeat_at=now, progress_at=now)
        .returning(*_TAKEN)
    )
    taken = {run.id: run for run in _opened(connection, connection.execute(started).all(), logs)}
    announce(connection, *(RunChanged(run_id) for run_id in taken))
    return [taken[run_id] for run_id in ids]


def _opened(connection: Connection, rows: Sequence[Row[Any]], logs: ExecutionLogs) -> list[Run]:
    """Runs that have just started; those that did so for the first time begin their rows of the execution log."""
    taken = [_run(row) for row in rows]
    logs.open(
        connection,
        [(run, row.started_at) for run, row in zip(taken, rows, strict=True) if run.fence == 1],
    )
    return taken


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        task_id=uuid.UUID(row.task_id),
        fence=row.fence,
        kind=row.kind,
        params=row.params,
        job_name=row.job_name,
        attempt=row.attempt,
    )


def _finish(connection: Connection, run: Run, end: RunEnd, logs: ExecutionLogs) -> None:
    done = {"progress": 100} if end.state is RunState.SUCCEEDED else {}
    change = update(runs).values(
        state=end.state,
        error=storable_text(end.error),
        result=storable(dict(end.result)),
        finished_at=DatabaseNow(),
        requests=runs.c.requests + run.requests.unrecorded,
        **done,
    )
    _fenced(connection, run, change, tell=(RunChanged(run.id), QueueChanged()), done=end.state)
    connection.execute(delete(claim).where(claim.c.run_id == run.id))
    logs.close(connection, run, end)


def _requeue(
    connection: Connection, run: Run, error: str | None, delay_s: float, logs: ExecutionLogs
) -> None:
    """Put back, unless somebody has asked for its end meanwhile."""
    if connection.scalar(select(runs.c.cancel_asked).where(runs.c.id == run.id).with_for_update()):
        _finish(connection, run, RunEnd(state=RunState.CANCELLED, error=error), logs)
        return
    later = DatabaseNow(ago_ms=-int(delay_s * 1000))
    change = update(runs).values(
        state=RunState.QUEUED,
        error=storable_text(error),
        next_try_at=later,
        attempt=runs.c.attempt + int(error is not None),
        requests=runs.c.requests + run.requests.unrecorded,
    )
    _fenced(
        connection, run, change, tell=(RunChanged(run.id), QueueChanged()), done=RunState.QUEUED
    )
    logs.add(connection, run)


def _cancel(connection: Connection, task_id: uuid.UUID) -> RunState:
    row = connection.execute(
        select(runs.c.id, runs.c.state).where(runs.c.task_id == str(task_id)).with_for_update()
    ).one_or_none()
    if row is None:
        message = f"there is no task {task_id}"
        raise NotFoundError(message)
    state = RunState(row.state)
    if state in ENDED:
        message = f"task {task_id} has already ended: {state}"
        raise ConflictError(message)
    if state is RunState.QUEUED:
        _end(connection, [row.id], RunState.CANCELLED)
    else:
        connection.execute(update(runs).where(runs.c.id == row.id).values(cancel_asked=True))
        announce(connection, RunChanged(row.id), CancelAsked(row.id))
    return state


def end_job(
    connection: Connection, job_name: str, *, states: Collection[RunState], why: str
) -> None:
    """Cancel the runs of a job that are in these states, within a transaction of others: from its commit on they write nothing."""
    of_job = select(runs.c.id, runs.c.state).where(
        runs.c.job_name == job_name, runs.c.state.in_(states)
    )
    found = connection.execute(of_job.order_by(runs.c.id).with_for_update()).all()
    _end(connection, [row.id for row in found], RunState.CANCELLED, error=why)
    for row in found:
        if row.state == RunState.RUNNING:
            # Its worker need not wait for its next heartbeat to stop asking the exchange.
            _tell_to_stop(connection, row.id)


def _tell_to_stop(connection: Connection, run_id: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify("penstock", f"cancel {run_id}")))
    else:
        announce(connection, CancelAsked(run_id))


def _end(
    connection: Connection, ids: Iterable[int], state: RunState, *, error: str | None = None
) -> None:
    """End runs that nobody works on, and free what they held; their rows are locked already."""
    ended = sorted(ids)
    if not ended:
        return
    change = (
        update(runs)
        .where(runs.c.id.in_(ended))
        .values(state=state, error=error, fence=runs.c.fence + 1)
    )
    connection.execute(change.values(waiting=False, next_try_at=None, finished_at=DatabaseNow()))
    connection.execute(delete(claim).where(claim.c.run_id.in_(ended)))
    close_rows(connection, ended, state, error=error)
    announce(connection, *map(RunChanged, ended), QueueChanged())
