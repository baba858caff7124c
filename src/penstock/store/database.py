"""The database as the rest of the program uses it: transactions in threads of their own, never on the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, IntegrityError, InterfaceError, InternalError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from penstock.errors import InvalidInputError, StoreUnavailableError
from penstock.store.postgres import PostgresBackend
from penstock.store.sqlite import SqliteBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL, Connection, Engine

    from penstock.store.backend import Backend

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOptions:
    """Sizes and deadlines. `threads` serve all reads and writes of the process, `pool_size` connections at the most."""

    pool_size: int = 5
    threads: int = 5
    timeout_s: float = 15.0


def parse_url(text: str) -> URL:
    """The database of a URL as users write it: `sqlite:///file` or `postgresql://…` (also `postgres://`).

    InvalidInputError for anything else, and for parameters that the database does not have.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise _bad_url("") from None
    kind = url.drivername.partition("+")[0]
    if url.drivername == "sqlite" and url.database not in {None, "", ":memory:"} and not url.query:
        return url
    if kind in {"postgresql", "postgres"}:
        return _checked(url.set(drivername="postgresql+psycopg"))
    raise _bad_url("")


def _checked(url: URL) -> URL:
    # The part behind an @ that was not escaped would be shown as the host, and it belongs to the password.
    if "@" in (url.host or ""):
        raise _bad_url("; write an @ in the password as %40")
    try:
        conninfo_to_dict(url.set(drivername="postgresql").render_as_string(hide_password=False))
    except psycopg.ProgrammingError as error:
        raise _bad_url(f"; {str(error).strip()}") from None
    return url


def _bad_url(why: str) -> InvalidInputError:
    message = f"database: the URL has to look like sqlite:////path/to/file.db or postgresql://user@host/name{why}"
    return InvalidInputError(message, field="database")


class Database:
    """One database. `read` and `write` run a function with a connection in a thread, in one transaction.

    Both raise StoreUnavailableError when the database cannot be reached or is locked for longer than the time-out; the transaction is then
    rolled back, as it is after any other error of the function.
    """

    def __init__(self, url: URL, options: DatabaseOptions | None = None) -> None:
        options = options or DatabaseOptions()
        self.url = url
        kind = SqliteBackend if url.get_backend_name() == "sqlite" else PostgresBackend
        self.backend: Backend = kind(url, pool_size=options.pool_size, timeout_s=options.timeout_s)
        self._threads = ThreadPoolExecutor(options.threads, thread_name_prefix="store")

    @property
    def statements(self) -> int:
        """Statements sent so far."""
        return self.backend.statements.count

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database, else None."""
        return Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What `query` reads."""
        return await self._in_thread(self.backend.reader, query)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """What `change` gives, after its commit."""
        return await self._in_thread(self.backend.writer, change)

    async def close(self) -> None:
        """Wait for what runs and close all connections."""
        await asyncio.to_thread(self._threads.shutdown)
        for engine in (self.backend.writer, self.backend.reader):
            engine.dispose()

    async def _in_thread(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        """A cancelled caller waits for the end of its transaction, so that nobody writes after having been cancelled."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, _transact, engine, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise


def _transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    try:
        with engine.begin() as connection:
            return work(connection)
    except (DataError, IntegrityError, InternalError, NotSupportedError, ProgrammingError):
        # What remains of DatabaseError is not about what we sent: the server is gone, the file is locked, full, or no database.
        raise
    except (DatabaseError, InterfaceError, PoolTimeoutError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        message = f"the database cannot be used now: {reason}"
        raise StoreUnavailableError(message) from error


def server_version(connection: Connection) -> str:
    """Which database answers, such as `PostgreSQL 16.2`."""
    number = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    return f"{'SQLite' if connection.dialect.name == 'sqlite' else 'PostgreSQL'} {number}"
