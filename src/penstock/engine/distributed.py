"""Delivery by procrastinate, for PostgreSQL: any number of worker processes, on any machines.

It delivers, we fence: a job is a start token and nothing else. A job is never retried, because the
late report of a worker that was taken for dead would end it; a further start is a new job.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
from typing import TYPE_CHECKING, Any

from procrastinate import PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from penstock.engine.queue import as_store_errors, opened_queue
from penstock.loop import background
from penstock.runs.dispatch import Silence
from penstock.runs.runner import Cancelled, PutBack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from procrastinate import JobContext
    from procrastinate.types import JSONDict
    from sqlalchemy import Connection

    from penstock.engine.queue import QueueJobs, QueueOptions
    from penstock.runs.dispatch import StartToken
    from penstock.runs.executor import Executor

# Workers listen to the first; nobody does to the second, whose jobs belong to who made them.
_QUEUE = "runs"
_OWN_QUEUE = "foreground"
_TASK = "start"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ABORT_POLL_S = 5.0
_AGAIN_S = (0.2, 5.0)
_LAST_WORD_S = 1.0

_ADOPT = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status, worker_id)
VALUES (%s, %s, %s, %s::jsonb, 'doing', %s) RETURNING id"""
_SILENCE = """
SELECT extract(epoch FROM clock_timestamp() - worker.last_heartbeat)::float8
FROM procrastinate_jobs AS job JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
WHERE job.id = %s"""
_WORKERS = """
SELECT count(*) FROM procrastinate_workers
WHERE last_heartbeat > clock_timestamp() - make_interval(secs => %s)"""
_RELEASE = "DELETE FROM procrastinate_jobs WHERE id = %s"


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
            with as_store_errors():
                self._manager.batch_defer_jobs(jobs, connection=_driver(connection))

    def adopt(self, connection: Connection, token: StartToken) -> int:
        """The job is born in this process's hands, so that no worker fetches it."""
        arguments = json.dumps(_arguments(token))
        values = (_OWN_QUEUE, _TASK, -token.priority, arguments, self._own_worker)
        row = connection.exec_driver_sql(_ADOPT, values).one()
        return int(row.id)

    def withdraw(self, connection: Connection, job_id: int | None) -> None:
        if job_id is not None:
            with as_store_errors():
                self._manager.cancel_job_by_id(
                    job_id, abort=True, delete_job=True, connection=_driver(connection)
                )

    def release(self, connection: Connection, job_id: int) -> None:
        connection.exec_driver_sql(_RELEASE, (job_id,))

    def silence(self, connection: Connection, job_id: int) -> Silence | None:
        silent_s = connection.exec_driver_sql(_SILENCE, (job_id,)).scalar()
        return None if silent_s is None else Silence(silent_s, self._options.dead_after_s)

    def workers(self, connection: Connection) -> int:
        """Those that vouch for adopted jobs count too; they end within minutes."""
        alive = connection.exec_driver_sql(_WORKERS, (self._options.dead_after_s,))
        return int(alive.scalar_one())

    @contextlib.asynccontextmanager
    async def present(self) -> AsyncIterator[None]:
        async with opened_queue(self._options) as jobs:
            with as_store_errors():
                self._own_worker = await jobs.register_worker()
            try:
                async with background(self._beat(jobs, self._own_worker), "heartbeat"):
                    yield
            finally:
                with contextlib.suppress(ConnectorException, TimeoutError):
                    async with asyncio.timeout(self._options.timeout_s):
                        await jobs.unregister_worker(self._own_worker)
                self._own_worker = None

    async def run(self, executor: Executor) -> None:
        again_s = _AGAIN_S[0]
        while True:
            began = asyncio.get_running_loop().time()
            try:
                with as_store_errors():
                    await _work(self._options, executor)
            except Exception as error:  # noqa: BLE001 - nobody would start the worker again
                executor.log_failure("fetch", error)
            if asyncio.get_running_loop().time() - began > _AGAIN_S[1]:
                again_s = _AGAIN_S[0]
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, _AGAIN_S[1])

    async def _beat(self, jobs: QueueJobs, worker_id: int) -> None:
        while True:
            await asyncio.sleep(self._options.heartbeat_s)
            await jobs.update_heartbeat(worker_id)


async def _work(options: QueueOptions, executor: Executor) -> None:
    """Work until cancelled, then put back what is running; raises what ends it earlier."""
    limits = executor.options
    async with (
        opened_queue(options, executor) as jobs,
        background(_sweep(jobs, executor), "sweep"),
    ):
        jobs.app.task(name=_TASK, pass_context=True)(_deliverer(jobs, executor))
        working = asyncio.create_task(
            jobs.app.run_worker_async(
                queues=[_QUEUE],
                name="penstock",
                concurrency=limits.max_concurrent,
                fetch_job_polling_interval=limits.poll_s,
                abort_job_polling_interval=_ABORT_POLL_S,
                shutdown_graceful_timeout=limits.shutdown_s,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=options.heartbeat_s,
                stalled_worker_timeout=options.dead_after_s,
            ),
            name="queue worker",
        )
        executor.running = True
        try:
            await asyncio.wait([working])
            working.result()
        finally:
            executor.running = False
            jobs.ending = True
            working.cancel()
            await executor.put_back()
            for _ in range(2):
                await asyncio.wait([working], timeout=_LAST_WORD_S)
                working.cancel()


def _deliverer(jobs: QueueJobs, executor: Executor) -> Callable[..., Any]:
    async def deliver(context: JobContext, run_id: int, start: int) -> None:
        job_id = context.job.id or 0
        starting = executor.start(run_id, start, job_id)
        while not starting.done():
            try:
                await asyncio.wait([starting])
            except asyncio.CancelledError:
                asked = context.abort_reason() is AbortReason.USER_REQUEST
                executor.interrupt(run_id, Cancelled() if asked else PutBack())
        if not starting.cancelled() and starting.result():
            jobs.released.add(job_id)

    return deliver


async def _sweep(jobs: QueueJobs, executor: Executor) -> None:
    while True:
        await jobs.beat()
        await executor.sweep()
        await asyncio.sleep(executor.options.sweep_s)


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
        task_kwargs=_arguments(token),
        scheduled_at=due_at,
    )


def _arguments(token: StartToken) -> JSONDict:
    return {"run_id": token.run_id, "start": token.start}


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - psycopg's own connection
    return connection.connection.driver_connection
