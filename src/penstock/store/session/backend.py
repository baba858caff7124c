"""What differs between the databases, and what their transactions share."""

from __future__ import annotations

import contextlib
import math
import threading
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import event, text
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine, Table

    from penstock.market.collect.page import CandleFlush, Flushed
    from penstock.runs.events import Event, Events


class TransactionHold(threading.local):
    """The connections that this thread uses, where a thread that waits for it can abandon them."""

    taken: list[Any] | None = None
    # How long a lock may be waited for, seconds.
    patience_s = math.inf

    def add(self, driver: object) -> None:
        """Note a connection that is about to be used."""
        if self.taken is not None:
            self.taken.append(driver)

    def watch(self, engine: Engine) -> None:
        """Note the connections taken from the pool of this engine until they are given back."""

        @event.listens_for(engine, "checkout")
        def taken(driver: object, *_: object) -> None:
            self.add(driver)

        @event.listens_for(engine, "checkin")
        def given_back(driver: object, *_: object) -> None:
            if self.taken is not None:
                self.taken[:] = [one for one in self.taken if one is not driver]


hold = TransactionHold()


def unreachable(error: Exception) -> str | None:
    """What the driver says of a database that is away, locked or full; None of a statement."""
    about_statement = (
        DataError,
        IntegrityError,
        InternalError,
        NotSupportedError,
        ProgrammingError,
    )
    if isinstance(error, about_statement) or not isinstance(
        error, DatabaseError | InterfaceError | PoolTimeoutError
    ):
        return None
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def announce(connection: Connection, *events: Event) -> None:
    """Publish to this process after the commit; PostgreSQL tells all processes itself."""
    if connection.dialect.name == "sqlite":
        connection.info.setdefault("announced", []).extend(events)


def broadcast(connection: Connection, event: Event, message: str) -> None:
    """Publish to all processes after the commit, where no trigger does; `message` says it there."""
    announce(connection, event)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_notify('penstock', :message)"), {"message": message})


def only_writer(connection: Connection, table: Table) -> None:
    """Lock out other writers of the table until the transaction ends.

    Called ahead of its other locks, so that two never wait for each other. SQLite has one writer
    anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")


@contextlib.contextmanager
def attempt(connection: Connection) -> Iterator[None]:
    """A part of a transaction that an error rolls back, with what it announced."""
    announced = list(connection.info.get("announced", []))
    try:
        with connection.begin_nested():
            yield
    except BaseException:
        connection.info["announced"] = announced
        raise


class Backend(Protocol):
    """One kind of database: its connections, and its bulk write of candles."""

    writer: Engine
    reader: Engine
    # Of one connection.
    looker: Engine
    # The driver's connection parameters.
    parameters: dict[str, Any]

    async def listen(self, events: Events, ready: asyncio.Event) -> None:
        """Publish what other processes announce, until cancelled; set `ready` once listening."""

    def abandon(self, driver: Any) -> None:  # noqa: ANN401 - the driver's own connection
        """Make the connection's current wait fail, from another thread."""

    def examined(self, connection: Connection, *, within_s: float) -> str:
        """What a look at all stored data finds, in words; empty where none is made.

        StoreUnavailableError when data is damaged.
        """

    def unusable(self, error: Exception) -> str | None:
        """Why the database cannot be used, in words; None for an error that says something else."""

    def check(
        self, connection: Connection, tables: Sequence[str], newest: str, *, migrating: bool
    ) -> None:
        """StoreUnavailableError for a database that cannot be written to, with what mends it.

        `tables` are those of the version `newest`; `migrating`: they are made or changed next.
        """

    def migration_lock(self, connection: Connection) -> None:
        """Keep other processes from migrating until the transaction ends."""

    def merge_candles(self, connection: Connection, run_id: int, flush: CandleFlush) -> Flushed:
        """Write the rows of a run, and announce the series."""
