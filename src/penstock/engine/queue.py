"""A worker's connection to procrastinate's tables, which outlives an outage of the database."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet

from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from procrastinate.psycopg_connector import wrap_exceptions

from penstock.errors import StoreUnavailableError
from penstock.loop import cut_socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping

    from procrastinate.jobs import Job, Status
    from procrastinate.manager import NotificationCallback

    from penstock.runs.executor import Executor

T = TypeVar("T")

_CONNECTIONS = 4
_AGAIN_S = 0.2
_LAST_WORD_S = 1.0

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


class QueueJobs(JobManager):
    """procrastinate's questions to the database, for a worker that outlives an outage of it.

    `connections` are those that are open; a silent server makes it cut all of them.
    """

    def __init__(
        self,
        app: App,
        options: QueueOptions,
        connections: WeakSet[Any],
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
                self._executor.log_failure("fetch", store_error(error))
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
        """Send a heartbeat; a failed one is ignored, because the next follows soon."""
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
        """The answer to a question; without one in time, all connections are cut at our end."""
        asking = asyncio.ensure_future(question)
        try:
            # The pool and the server have deadlines of their own, and better messages.
            if not (await asyncio.wait([asking], timeout=1.5 * self._options.timeout_s))[0]:
                self._cut()
            return await asking
        finally:
            asking.cancel()

    def _cut(self) -> None:
        """End everything that waits for an answer, without asking the server."""
        for connection in list(self._connections):
            if not connection.closed:
                with contextlib.suppress(OSError):
                    cut_socket(connection.fileno())

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
                await asyncio.sleep(_AGAIN_S)
            else:
                return


@contextlib.asynccontextmanager
async def opened_queue(
    options: QueueOptions, executor: Executor | None = None
) -> AsyncIterator[QueueJobs]:
    """Connections to the queue; what they ask goes through the manager that this gives."""
    connections: WeakSet[Any] = WeakSet()

    async def configure(connection: Any) -> None:  # noqa: ANN401 - psycopg's own
        # Each question is one statement.
        await connection.set_autocommit(True)
        connections.add(connection)

    connector = PsycopgConnector(
        conninfo=options.conninfo,
        kwargs=dict(options.parameters),
        min_size=1,
        max_size=_CONNECTIONS,
        timeout=options.timeout_s,
        reconnect_timeout=options.timeout_s,
        configure=configure,
    )
    app = App(connector=connector)
    jobs = app.job_manager = QueueJobs(app, options, connections, executor)
    try:
        with as_store_errors():
            # Opening alone raises errors of the driver itself, and its pool waits 30 s.
            async with wrap_exceptions(), _opening(options.timeout_s):
                await app.open_async()
        yield jobs
    finally:
        with contextlib.suppress(ConnectorException, TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                await app.close_async()


@contextlib.asynccontextmanager
async def _opening(timeout_s: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise ConnectorException(f"no connection within {timeout_s:g} s") from None


@contextlib.contextmanager
def as_store_errors() -> Iterator[None]:
    """Raise errors of the database as StoreUnavailableError; others are mistakes of ours."""
    try:
        yield
    except ConnectorException as error:
        raise store_error(error) from error


def store_error(error: Exception) -> StoreUnavailableError:
    reason = str(error.__cause__ or error).strip().partition("\n")[0]
    return StoreUnavailableError(f"the database cannot be used now: {reason}")
