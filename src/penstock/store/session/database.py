"""The database for the rest of the program: transactions in threads, never on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from penstock.errors import StoreUnavailableError
from penstock.loop import event_or_time
from penstock.runs.events import Events
from penstock.store.session.backend import hold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import URL, Connection, Engine

    from penstock.runs.events import Event
    from penstock.store.session.backend import Backend

    # For those who pass queries on, and need not know what a query is made of.
    Transaction: TypeAlias = Connection
    Query: TypeAlias = Callable[[Connection], "T"]

T = TypeVar("T")

_LISTEN_S = 5.0
_LOOK_S = 0.5
_KEPT_FOR_READING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOptions:
    """Sizes and deadlines.

    Up to `threads` read and at most as many write, over `pool_size` connections.
    """

    pool_size: int = 5
    threads: int = 5
    timeout_s: float = 10.0


class Database:
    """One database. `read` and `write` run a function with a connection in a thread.

    Each call is one transaction; any error of the function rolls it back. StoreUnavailableError if
    the database cannot be reached, or is locked for longer than the time-out.
    """

    def __init__(self, url: URL, backend: Backend, options: DatabaseOptions) -> None:
        self.url = url
        self.backend = backend
        self.events = Events()
        self._timeout_s = options.timeout_s
        # Longer than the time-outs of single statements, which have the better messages.
        self._deadline_s = 1.5 * options.timeout_s
        self._hearing = 0
        self._listening: asyncio.Task[None] | None = None
        self._readers = ThreadPoolExecutor(options.threads, thread_name_prefix="store read")
        # Not all connections: five runs that write must not keep others from reading.
        writers = (
            1 if self.file else max(1, min(options.threads, options.pool_size) - _KEPT_FOR_READING)
        )
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="store write")
        self._others = ThreadPoolExecutor(options.threads, thread_name_prefix="store apart")
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="store look")

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database, else None."""
        return file_of(self.url)

    async def read(self, query: Query[T]) -> T:
        """The result of `query`."""
        return await self._in_thread(self._readers, self.backend.reader, query, hurried=True)

    async def look(self, query: Query[T]) -> T:
        """The result of a short `query` of the service itself, such as its health.

        It has a thread and a connection of its own, so it waits for no client.
        """
        return await self._in_thread(self._looks, self.backend.looker, query, hurried=True)

    async def write(self, change: Query[T], *, hurried: bool = True) -> T:
        """The result of `change` after its commit; unless `hurried`, it has no deadline."""
        return await self._in_thread(self._writers, self.backend.writer, change, hurried=hurried)

    async def apart(
        self, engine: Engine, work: Callable[[Connection], T], *, hurried: bool = True
    ) -> T:
        """The result of slow `work` after its commit, on a separate connection."""
        return await self._in_thread(self._others, engine, work, hurried=hurried)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear of other processes' changes while the block runs, if the database tells of them."""
        self._hearing += 1
        try:
            if self._hearing == 1:
                await self._listen()
            yield
        finally:
            self._hearing -= 1
            if self._hearing == 0 and self._listening is not None:
                self._listening.cancel()
                await asyncio.wait([self._listening])
                self._listening = None

    async def _listen(self) -> None:
        """Start, and wait a little for the connection, so that nothing from now on is missed."""
        ready = asyncio.Event()
        listening = self.backend.listen(self.events, ready)
        self._listening = asyncio.create_task(listening, name="listen")
        await event_or_time(ready, _LISTEN_S)

    async def close(self) -> None:
        """Wait for running transactions and close all connections."""
        for threads in (self._readers, self._writers, self._others, self._looks):
            await asyncio.to_thread(threads.shutdown)
        for engine in (self.backend.writer, self.backend.reader, self.backend.looker):
            engine.dispose()

    async def _in_thread(
        self,
        threads: Executor,
        engine: Engine,
        work: Callable[[Connection], T],
        *,
        hurried: bool,
    ) -> T:
        """A cancelled caller waits for its transaction, so that nothing is written afterwards."""
        deadline = (
            _Deadline(self._timeout_s, self._deadline_s)
            if hurried
            else _Deadline(math.inf, math.inf)
        )
        future = asyncio.get_running_loop().run_in_executor(
            threads, self._transact, engine, work, deadline
        )
        if hurried:
            self._watch(future, deadline, self._deadline_s)
        try:
            result, announced = await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if future.exception() is None:
                self.events.publish(*future.result()[1])
            raise
        self.events.publish(*announced)
        return result

    def _transact(
        self, engine: Engine, work: Callable[[Connection], T], deadline: _Deadline
    ) -> tuple[T, list[Event]]:
        """The result of the work and what it announced, once committed."""
        hold.patience_s = deadline.begin()
        hold.taken = deadline.taken
        try:
            with engine.begin() as connection:
                connection.info.pop("announced", None)
                return work(connection), connection.info.get("announced", [])
        except Exception as error:
            if (reason := self.backend.unusable(error)) is None:
                raise
            raise StoreUnavailableError(f"the database cannot be used now: {reason}") from error

    def _watch(self, future: asyncio.Future[Any], deadline: _Deadline, after_s: float) -> None:
        """After the deadline, end the thread's current wait and every later one."""

        def look() -> None:
            if future.done():
                return
            if (left_s := deadline.left_s()) <= 0:
                for driver in list(deadline.taken):
                    self.backend.abandon(driver)
            self._watch(future, deadline, max(left_s, _LOOK_S))

        later = future.get_loop().call_later(after_s, look)
        future.add_done_callback(lambda _: later.cancel())


class _Deadline:
    """How long a transaction may wait, and work once its thread begins.

    `taken` are its connections.
    """

    def __init__(self, wait_s: float, seconds: float) -> None:
        self._wait_s = wait_s
        self._seconds = seconds
        self._asked_at = time.monotonic()
        self._began_at: float | None = None
        self.taken: list[Any] = []

    def begin(self) -> float:
        """How much longer it may wait; StoreUnavailableError if its thread came too late."""
        self._began_at = time.monotonic()
        left_s = self._asked_at + self._wait_s - self._began_at
        if left_s < 0:
            busy = f"it was busy with other work for {self._wait_s:g} s"
            raise StoreUnavailableError(f"the database cannot be used now: {busy}")
        return left_s

    def left_s(self) -> float:
        """The seconds left."""
        if self._began_at is None:
            return self._seconds
        return self._began_at + self._seconds - time.monotonic()


def file_of(url: URL) -> Path | None:
    """The file of a SQLite database, else None."""
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def server_version(connection: Connection) -> str:
    """The database and its version, such as `PostgreSQL 16.2`."""
    number = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    return f"{'SQLite' if connection.dialect.name == 'sqlite' else 'PostgreSQL'} {number}"
