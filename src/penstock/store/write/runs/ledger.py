"""The run ledger: every change of a run and of what it holds, each in one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import or_, select, update

from penstock.errors import ConflictError
from penstock.runs.events import QueueChanged, RunChanged
from penstock.runs.run import RunState
from penstock.runs.tables import run as runs
from penstock.store.session.backend import announce
from penstock.store.write.runs.claims import next_start, promote, promote_all
from penstock.store.write.runs.end import cancel, end_runs, finish, requeue
from penstock.store.write.runs.execution_logs import ExecutionLogs
from penstock.store.write.runs.fence import ours, record, taken_over
from penstock.store.write.runs.merge import SqlWriting
from penstock.store.write.runs.start import begin, take
from penstock.store.write.runs.submit import already_submitted, queue, submission_of, submit
from penstock.store.write.runs.sweep import sweep

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection, Select

    from penstock.runs.context import Transaction, Writing
    from penstock.runs.dispatch import Dispatch, StartToken
    from penstock.runs.run import LogEntry, Run, RunEnd
    from penstock.store.session.database import Database
    from penstock.store.write.runs.submit import Wanted

T = TypeVar("T")


class SqlRunLedger:
    """The `RunLedger` of a database.

    `entries_of` says which rows of the execution log a run has. A worker that is silent for
    `dead_after_s` is dead.
    """

    def __init__(
        self,
        database: Database,
        dispatch: Dispatch,
        *,
        dead_after_s: float = 30.0,
        entries_of: Callable[[Run], Sequence[LogEntry]] = lambda _: (),
    ) -> None:
        self._database = database
        self._dispatch = dispatch
        self._logs = ExecutionLogs(entries_of)
        self._dead_after_s = dead_after_s

    async def write(
        self,
        run: Run,
        change: Callable[[Writing], T],
        *,
        within: Transaction | None = None,
        hurried: bool = True,
    ) -> T:
        def fenced(connection: Connection) -> T:
            writing = SqlWriting(connection, run)
            given = change(writing)
            # Last, so that nobody who reads or ends the run waits for the rows.
            record(writing)
            return given

        return await (
            self._database.write(fenced, hurried=hurried) if within is None else within(fenced)
        )

    def workers(self, connection: Connection) -> int | None:
        """How many processes work on queued runs; None where only this one can."""
        return self._dispatch.workers(connection)

    async def submit(self, wanted: Wanted, *, by: Run | None = None) -> uuid.UUID:
        def submitted(connection: Connection) -> uuid.UUID:
            return submit(connection, self._dispatch, submission_of(connection, wanted))

        return await (
            self._database.write(submitted)
            if by is None
            else self.write(by, lambda writing: submitted(writing.connection))
        )

    async def start(self, wanted: Wanted) -> Run:
        """Submit and begin in one transaction, for a process that does the work itself.

        No worker can begin it first, and it waits for none.
        """

        def start(connection: Connection) -> Run:
            submission = replace(submission_of(connection, wanted), wait=False)
            made = queue(connection, self._dispatch, submission)
            if made is None:
                task_id = str(already_submitted(connection, submission))
                raise ConflictError(f"task {task_id} was submitted before", task_id=task_id)
            if (run := self._adopt(connection, made.token)) is None:
                raise ConflictError(f"task {made.task_id} has begun elsewhere")
            return run

        return await self._database.write(start)

    async def adopt(self, task_id: uuid.UUID, *, interrupted_only: bool = False) -> Run | None:
        """Begin a queued run in this process; None when it has ended, waits or runs elsewhere.

        `interrupted_only`: only a run that a worker has begun before and did not end.
        """

        def adopt(connection: Connection) -> Run | None:
            queued: Select[Any] = (
                select(runs.c.id, runs.c.fence, runs.c.priority)
                .where(runs.c.task_id == str(task_id), runs.c.state == RunState.QUEUED)
                .where(~runs.c.waiting)
                .with_for_update()
            )
            if interrupted_only:
                queued = queued.where(runs.c.fence > 0, runs.c.next_try_at.is_(None))
            row = connection.execute(queued).one_or_none()
            if row is None:
                return None
            return self._adopt(connection, next_start(row))

        await self._promote_all()
        return await self._database.write(adopt)

    async def begin(self, run_id: int, start: int, job_id: int) -> Run | None:
        return await self._database.write(
            lambda connection: begin(connection, run_id, start, job_id, self._logs)
        )

    async def take(self, count: int) -> list[Run]:
        def taken(connection: Connection) -> list[Run] | None:
            # Either: runs that claim within one transaction would claim in an order of their own,
            # and wait for each other.
            if promote(connection, self._dispatch):
                return None
            return take(connection, self._dispatch, count, self._logs)

        while (begun := await self._database.write(taken)) is None:
            pass
        return begun

    async def is_to_stop(self, run: Run) -> bool:
        asked: bool | None = await self._database.read(
            lambda connection: connection.scalar(select(runs.c.cancel_asked).where(ours(run)))
        )
        if asked is None:
            raise taken_over(run)
        return asked

    async def finish(self, run: Run, end: RunEnd) -> None:
        if await self._database.write(
            lambda connection: finish(connection, self._dispatch, run, end, self._logs)
        ):
            await self._promote_all()

    async def requeue(self, run: Run, *, error: str | None, delay_s: float) -> None:
        if await self._database.write(
            lambda connection: requeue(
                connection, self._dispatch, run, error=error, delay_s=delay_s, logs=self._logs
            )
        ):
            await self._promote_all()

    async def cancel(self, task_id: uuid.UUID) -> RunState:
        state = await self._database.write(
            lambda connection: cancel(connection, self._dispatch, task_id)
        )
        if state is RunState.QUEUED:
            await self._promote_all()
        return state

    async def put_back(self, forgotten: Sequence[Run] | None = None) -> int:
        """Queue running runs without a worker again, unless another process has; gives how many.

        None: all of them, at the start of the only process that can have run them. Retries are then
        due at once.
        """

        def put_back(connection: Connection) -> int:
            if forgotten is None:
                mine = runs.c.state == RunState.RUNNING
                connection.execute(
                    update(runs)
                    .where(runs.c.state == RunState.QUEUED, runs.c.next_try_at.is_not(None))
                    .values(next_try_at=None)
                )
            else:
                mine = or_(*map(ours, forgotten))
            unwanted = select(runs.c.id).where(mine, runs.c.cancel_asked)
            end_runs(connection, list(connection.scalars(unwanted)), RunState.CANCELLED)
            ids = connection.scalars(
                update(runs).where(mine).values(state=RunState.QUEUED).returning(runs.c.id)
            ).all()
            announce(connection, *map(RunChanged, ids), QueueChanged())
            return len(ids)

        return await self._database.write(put_back)

    async def sweep(self) -> None:
        def swept(connection: Connection) -> bool:
            return sweep(connection, self._dispatch, self._dead_after_s)

        while await self._database.write(swept):
            pass
        await self._promote_all()

    def _adopt(self, connection: Connection, token: StartToken) -> Run | None:
        job_id = self._dispatch.adopt(connection, token)
        return begin(connection, token.run_id, token.start, job_id, self._logs)

    async def _promote_all(self) -> None:
        await promote_all(self._database, self._dispatch)
