"""Delivery by procrastinate, for PostgreSQL: any number of worker processes, on any machines.

It delivers, we fence: a job is a start token and nothing else. A job is never retried, because the
late report of a worker that was taken for dead would end it; a further start is a new job.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from penstock.engine.connections import QueueConnections
from penstock.errors import StoreUnavailableError
from penstock.runs.dispatch import Silence
from penstock.runs.runner import Cancelled, PutBack

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from procrastinate import JobContext
    from procrastinate.jobs import Status
    from procrastinate.manager import NotificationCallback
    from sqlalchemy import Connection

    from penstock.runs.dispatch import StartToken
    from penstock.runs.executor import Executor

T = TypeVar("T")

# Workers listen to the first; nobody does to the second, whose jobs belong to who made them.
_QUEUE = "runs"
_OWN_QUEUE = "foreground"
_TASK = "start"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ABORT_POLL_S = 5.0
_CONNECTIONS = 4
_AGAIN_S = (0.2, 5.0)
_LAST_WORD_S = 1.0

_ADOPT = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status, worker_id)
VALUES (%s, %s, %s, %s::jsonb, 'doing', %s) RETURNING id"""
_SILENCE = """
SELECT extract(epoch FROM clock_timestamp() - worker.last_heartbeat)::float8
FROM procrastinate_jobs AS job JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
WHERE job.id = %s"""
_RELEASE = "DELETE FROM procrastinate_jobs WHERE id = %s"
_END = "DELETE FROM procrastinate_jobs WHERE id = %(job_id)s"
# Jobs that were fetched for this worker while the answer got lost.
_FORGET = """
DELETE FROM procrastinate_jobs
WHERE worker_id = %(worker_id)s AND status = 'doing' AND NOT id = ANY(%(known)s::bigint[])"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueOptions:
    """How to reach the queue: libpq's connection string and parameters.

    What does not answer within `timeout_s` is cut.
    """

    conninfo: str
    parameters: Mapping[str, Any]
    timeout_s: float
    heartbeat_s: float = 10.0
    dead_after_s: float = 30.0


class DistributedDispatch:
    """A `Dispatch` over procrastinate's tables."""

    def __init__(self, options: QueueOptions) -> None:
        self._options = options
        # It is never opened: what it sends goes over the connections of others.
        self._manager = JobManager(PsycopgConnector())
        self._own_worker: int | None = None
        # Each failure is logged here, once, and in our words.
        for name in ("procrastinate", "psycopg.pool"):
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.setLevel(logging.CRITICAL)

    def put(self, connection: Connection, tokens: Sequence[StartToken]) -> None:
        if tokens:
            jobs = [_job(token) for token in tokens]
            with _as_store_errors():
                self._manager.batch_defer_jobs(jobs, connection=_driver(connection))

    def adopt(self, connection: Connection, token: StartToken) -> int:
        """The job is born in this process's hands, so that no worker fetches it."""
        values = (_OWN_QUEUE, _TASK, -token.priority, _arguments(token), self._own_worker)
        row = connection.exec_driver_sql(_ADOPT, values).one()
        return int(row.id)

    def withdraw(
        self,
        connection: Connection,
        run_id: int,  # noqa: ARG002 - the port's form
        job_id: int | None,
    ) -> None:
        if job_id is not None:
            with _as_store_errors():
                self._manager.cancel_job_by_id(
                    job_id, abort=True, delete_job=True, connection=_driver(connection)
                )

    def release(self, connection: Connection, job_id: int) -> None:
        connection.exec_driver_sql(_RELEASE, (job_id,))

    def silence(self, connection: Connection, job_id: int) -> Silence | None:
        silent_s = connection.exec_driver_sql(_SILENCE, (job_id,)).scalar()
        return None if silent_s is None else Silence(silent_s, self._options.dead_after_s)

    @contextlib.asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        async with _opened(self._options) as jobs:
            with _as_store_errors():
                self._own_worker = await jobs.register_worker()
            beating = asyncio.create_task(self._beat(jobs, self._own_worker), name="heartbeat")
            try:
                yield
            finally:
                beating.cancel()
                with contextlib.suppress(ConnectorException, TimeoutError):
                    async with asyncio.timeout(self._options.timeout_s):
                        await jobs.unregister_worker(self._own_worker)
                self._own_worker = None

    async def run(self, executor: Executor) -> None:
        again_s = _AGAIN_S[0]
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await _Worker(self._options, executor).run()
            except Exception as error:  # noqa: BLE001 - nobody would start the worker again
                executor.log_failure("fetch", _store_error(error))
            if asyncio.get_running_loop().time() - began > _AGAIN_S[1]:
                again_s = _AGAIN_S[0]
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, _AGAIN_S[1])

    async def _beat(self, jobs: _Jobs, worker_id: int) -> None:
        while True:
            await asyncio.sleep(self._options.heartbeat_s)
            await jobs.update_heartbeat(worker_id)


class _Worker:
    """One life of a worker: from its registration until it fails or is told to end."""

    def __init__(self, options: QueueOptions, executor: Executor) -> None:
        self._options = options
        self._executor = executor

    async def run(self) -> None:
        """Work until cancelled, then put back what is running; raises what ends it earlier."""
        async with _opened(self._options, self._executor) as jobs:
            app = jobs.app
            app.task(name=_TASK, pass_context=True)(self._deliverer(jobs))
            limits = self._executor.options
            working = asyncio.create_task(
                app.run_worker_async(
                    queues=[_QUEUE],
                    name="penstock",
                    concurrency=limits.max_concurrent,
                    fetch_job_polling_interval=limits.poll_s,
                    abort_job_polling_interval=_ABORT_POLL_S,
                    shutdown_graceful_timeout=limits.shutdown_s,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    update_heartbeat_interval=limits.heartbeat_s,
                    stalled_worker_timeout=limits.dead_after_s,
                ),
                name="queue worker",
            )
            sweeping = asyncio.create_task(self._sweep(jobs), name="sweep")
            self._executor.running = True
            try:
                await asyncio.wait([working])
                working.result()
            finally:
                self._executor.running = False
                jobs.ending = True
                sweeping.cancel()
                working.cancel()
                await self._executor.put_back()
                for _ in range(2):
                    await asyncio.wait([working], timeout=_LAST_WORD_S)
                    working.cancel()
                await asyncio.gather(sweeping, return_exceptions=True)

    def _deliverer(self, jobs: _Jobs) -> Callable[..., Any]:
        async def deliver(context: JobContext, run_id: int, start: int) -> None:
            job_id = context.job.id or 0
            starting = self._executor.start(run_id, start, job_id)
            while not starting.done():
                try:
                    await asyncio.wait([starting])
                except asyncio.CancelledError:
                    asked = context.abort_reason() is AbortReason.USER_REQUEST
                    self._executor.interrupt(run_id, Cancelled() if asked else PutBack())
            if not starting.cancelled() and starting.result():
                jobs.released.add(job_id)

        return deliver

    async def _sweep(self, jobs: _Jobs) -> None:
        while True:
            await jobs.beat()
            await self._executor.sweep()
            await asyncio.sleep(self._executor.options.sweep_s)


class _Jobs(JobManager):
    """procrastinate's questions to the database, for a worker that outlives an outage of it."""

    def __init__(
        self,
        app: App,
        options: QueueOptions,
        connections: QueueConnections,
        executor: Executor | None,
    ) -> None:
        super().__init__(app.connector)
        self.app = app
        self.released: set[int] = set()
        self.ending = False
        self._known: set[int] = set()
        self._options = options
        self._connections = connections
        self._executor = executor
        self._worker_id: int | None = None

    async def register_worker(self) -> int:
        self._worker_id = await super().register_worker()
        return self._worker_id

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Waits for a database that is away, and gives back what got lost."""
        try:
            job = await self._in_time(super().fetch_job(queues, worker_id))
        except ConnectorException as error:
            if self._executor is not None:
                self._executor.log_failure("fetch", _store_error(error))
            await self._patiently(_FORGET, worker_id=worker_id, known=sorted(self._known))
            job = await self._in_time(super().fetch_job(queues, worker_id))
        if self._executor is not None:
            self._executor.log_recovery("fetch")
        if job is not None and job.id is not None:
            self._known.add(job.id)
        return job

    async def finish_job(
        self,
        job: Job,
        status: Status,  # noqa: ARG002 - the base class's form
        delete_job: bool,  # noqa: ARG002, FBT001 - the base class's form
    ) -> None:
        """Delete a job, unless the transaction that ended its run has done so."""
        job_id = job.id or 0
        if job_id not in self.released:
            await self._patiently(_END, job_id=job_id)
        self.released.discard(job_id)
        self._known.discard(job_id)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Beat; one that fails is no reason to stop, because the next one comes soon enough."""
        with contextlib.suppress(ConnectorException):
            await self._in_time(super().update_heartbeat(worker_id))

    async def beat(self) -> None:
        """A heartbeat of the present worker, if there is one."""
        if self._worker_id is not None:
            await self.update_heartbeat(self._worker_id)

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Until it listens again the worker polls."""
        while True:
            with contextlib.suppress(ConnectorException):
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            await asyncio.sleep(1.0)

    async def _in_time(self, question: Coroutine[Any, Any, T]) -> T:
        """The answer to a question; if none comes, all connections are cut at our end."""
        asking = asyncio.ensure_future(question)
        try:
            # The pool and the server have deadlines of their own, and better messages.
            if not (await asyncio.wait([asking], timeout=1.5 * self._options.timeout_s))[0]:
                self._connections.cut()
            return await asking
        finally:
            asking.cancel()

    async def _patiently(
        self,
        query: Any,  # noqa: ANN401 - their LiteralString
        **arguments: Any,
    ) -> None:
        while True:
            try:
                await self._in_time(self.connector.execute_query_async(query, **arguments))
            except ConnectorException:
                if self.ending:
                    raise
                await asyncio.sleep(_AGAIN_S[0])
            else:
                return


@contextlib.asynccontextmanager
async def _opened(options: QueueOptions, executor: Executor | None = None) -> AsyncIterator[_Jobs]:
    """Connections to the queue; what they ask goes through the manager that this gives."""
    connections = QueueConnections()
    connector = PsycopgConnector(
        conninfo=options.conninfo,
        kwargs=dict(options.parameters),
        min_size=1,
        max_size=_CONNECTIONS,
        timeout=options.timeout_s,
        reconnect_timeout=options.timeout_s,
        configure=connections.add,
    )
    app = App(connector=connector)
    jobs = app.job_manager = _Jobs(app, options, connections, executor)
    try:
        try:
            await app.open_async()
        except Exception as error:
            raise _store_error(error) from error
        yield jobs
    finally:
        with contextlib.suppress(ConnectorException, TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                await app.close_async()


@contextlib.contextmanager
def _as_store_errors() -> Iterator[None]:
    try:
        yield
    except ConnectorException as error:
        raise _store_error(error) from error


def _store_error(error: Exception) -> StoreUnavailableError:
    reason = str(error.__cause__ or error).strip().partition("\n")[0]
    return StoreUnavailableError(f"the database cannot be used now: {reason}")


def _job(token: StartToken) -> Job:
    due_at = None
    if token.due_at is not None:
        due_at = _EPOCH + dt.timedelta(milliseconds=token.due_at)
    return Job(
        queue=_QUEUE,
        task_name=_TASK,
        # There the greater number comes first.
        priority=-token.priority,
        lock=None,
        queueing_lock=None,
        task_kwargs={"run_id": token.run_id, "start": token.start},
        scheduled_at=due_at,
    )


def _arguments(token: StartToken) -> str:
    return f'{{"run_id": {token.run_id}, "start": {token.start}}}'


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - psycopg's own connection
    return connection.connection.driver_connection
