"""A database with its run ledger and workers of this process, and ways to wait for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from penstock.runs.executor import Executor, ExecutorOptions
from penstock.runs.run import Priority, Submission
from penstock.runs.runner import Runner, RunnerOptions
from penstock.store.connect import connect, parse_url
from penstock.store.migrate import migrate
from penstock.store.session.database import Database, DatabaseOptions
from penstock.store.write.runs.ledger import SqlRunLedger
from tests import dispatches
from tests.dispatches import dispatch_over

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping

    from sqlalchemy import Connection

    from penstock.runs.context import RunContext
    from penstock.runs.dispatch import Dispatch
    from penstock.runs.run import Run
    from penstock.runs.runner import Outcome

# Far more than any step needs on a busy machine; only an endless wait reaches it.
PATIENCE_S = 60.0
_LOOK_S = 0.1
FAST = RunnerOptions(heartbeat_s=0.1, attempts=3, retry_s=0.05, deadline_s=30.0)


class Done:
    """The outcome of a run without a result."""

    def summary(self) -> dict[str, object]:
        return {"note": "done"}


async def nothing(_context: RunContext) -> Done:
    return Done()


def raising(error: BaseException) -> Callable[[RunContext], Awaitable[Done]]:
    """Work that ends with this error."""

    async def work(_context: RunContext) -> Done:
        raise error

    return work


@dataclass
class Held:
    """Work that lasts until `let_go`; counts begun, active and concurrent runs."""

    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[Run] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    active: int = 0
    most: int = 0

    async def __call__(self, context: RunContext) -> Done:
        self.begun.append(context.run)
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            async with self.changed:
                self.changed.notify_all()
            await self.let_go.wait()
            return Done()
        finally:
            self.active -= 1

    async def until_begun(self, count: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(lambda: len(self.begun) >= count)


@dataclass(frozen=True)
class Engine:
    """A database, its ledger and helpers. Without a `kind` runs do nothing."""

    database: Database
    ledger: SqlRunLedger
    dispatch: Dispatch

    async def take(self, count: int = 1, *, task_id: uuid.UUID | None = None) -> list[Run]:
        """Begin runs as a worker does that does nothing more with them."""
        return await dispatches.take(self.ledger, count, task_id=task_id)

    async def submit(
        self,
        *resources: str,
        kind: str = "nothing",
        params: Mapping[str, object] | None = None,
        **given: Any,
    ) -> uuid.UUID:
        submission = Submission(kind=kind, params=params or {}, resources=resources, **given)
        return await self.ledger.submit(submission)

    async def rows(self, statement: str, **parameters: object) -> list[dict[str, Any]]:
        def query(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

        return await self.database.read(query)

    async def change(self, statement: str, **parameters: object) -> None:
        await self.database.write(
            lambda connection: connection.execute(text(statement), parameters)
        )

    async def run_row(self, task_id: uuid.UUID) -> dict[str, Any]:
        [row] = await self.rows("SELECT * FROM run WHERE task_id = :task_id", task_id=str(task_id))
        return row

    async def states(self) -> Counter[str]:
        return Counter(row["state"] for row in await self.rows("SELECT state FROM run"))

    async def claims(self) -> dict[str, int]:
        return {
            row["resource"]: row["run_id"]
            for row in await self.rows("SELECT resource, run_id FROM run_claim")
        }

    async def until(
        self, condition: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S
    ) -> None:
        """Check the condition at each event, and regularly, until it holds."""
        with self.database.events.subscribed() as subscription:
            async with asyncio.timeout(patience_s):
                while not await condition():
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_S):
                            # An interrupted iterator has ended: each wait needs a new one.
                            await anext(aiter(subscription))

    async def until_state(
        self, task_id: uuid.UUID, *states: str, patience_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        async def reached() -> bool:
            return (await self.run_row(task_id))["state"] in states

        try:
            await self.until(reached, patience_s)
        except TimeoutError:
            raise AssertionError(f"not {states}: {await self.run_row(task_id)}") from None
        return await self.run_row(task_id)

    async def until_all_ended(self, patience_s: float = PATIENCE_S) -> None:
        async def ended() -> bool:
            return not {"queued", "running"} & (await self.states()).keys()

        await self.until(ended, patience_s)

    async def grow_old(self, task_id: uuid.UUID, by_s: float = 3600.0) -> None:
        """Age its heartbeat by this much; on SQLite, as if this process had forgotten the run."""
        if self.database.file:
            await self.ledger.put_back()
            return
        worker = (
            "SELECT job.worker_id FROM procrastinate_jobs AS job JOIN run ON run.job_id = job.id"
            f" WHERE run.task_id = '{task_id}'"
        )
        await self.move("procrastinate_workers", "last_heartbeat", -by_s, f"id = ({worker})")

    async def make_due(self) -> None:
        """Make every retry due."""
        await self.move("run", "next_try_at", -10_000)
        if not self.database.file:
            await self.move("procrastinate_jobs", "scheduled_at", -10_000)

    async def bury(self) -> None:
        """Requeue all runs, as if their workers had died some time ago."""
        await dispatches.bury(self.ledger)

    async def move(self, table: str, column: str, by_s: float, where: str = "1 = 1") -> None:
        """Shift a time in the table."""
        ago = (
            f"{int(by_s * 1000)}"
            if self.database.file
            else f"interval '{int(by_s * 1000)} milliseconds'"
        )
        await self.change(f"UPDATE {table} SET {column} = {column} + {ago} WHERE {where}")

    def executor(
        self,
        kinds: Mapping[str, Callable[[RunContext], Awaitable[Outcome]]] | None = None,
        **given: Any,
    ) -> Executor:
        options = ExecutorOptions(
            **(
                {"poll_s": 0.2, "shutdown_s": 3.0, "sweep_s": 0.1}
                | {name: given.pop(name) for name in list(given) if name in _EXECUTOR}
            )
        )
        runner = Runner(
            given.pop("ledger", self.ledger),
            RunnerOptions(**({"heartbeat_s": 0.1, "retry_s": 0.05} | given)),
        )
        return Executor(runner._ledger, runner, {"nothing": nothing, **(kinds or {})}, options)

    @contextlib.asynccontextmanager
    async def working(
        self,
        kinds: Mapping[str, Callable[[RunContext], Awaitable[Outcome]]] | None = None,
        **given: Any,
    ) -> AsyncIterator[Executor]:
        """A worker of this process while the block runs."""
        executor = self.executor(kinds, **given)
        async with background(self.dispatch.run(executor)):
            yield executor


_EXECUTOR = {"max_concurrent", "poll_s", "shutdown_s", "sweep_s"}


@contextlib.asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    task: asyncio.Task[None] = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


@contextlib.asynccontextmanager
async def engine(
    url: str,
    *,
    dead_after_s: float = 30.0,
    heartbeat_s: float = 0.1,
    migrated: bool = True,
    **options: Any,
) -> AsyncIterator[Engine]:
    """The database at `url` with the present schema, listened to."""
    database = connect(parse_url(url), DatabaseOptions(**options))
    try:
        if migrated:
            await migrate(database)
        async with database.listening():
            dispatch = dispatch_over(database, dead_after_s=dead_after_s, heartbeat_s=heartbeat_s)
            ledger = SqlRunLedger(database, dispatch, dead_after_s=dead_after_s)
            yield Engine(database, ledger, dispatch)
    finally:
        await database.close()


async def started(e: Engine, *resources: str) -> Run:
    """A run that this process has started."""
    task_id = await e.submit(*resources)
    [run] = await e.take(1, task_id=task_id)
    return run


PRIORITIES = (Priority.LOW, Priority.MEDIUM, Priority.HIGH)
