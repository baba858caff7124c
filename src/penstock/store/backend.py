"""What differs between the databases."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine, Table
    from sqlalchemy.engine.interfaces import ExecutionContext

    from penstock.market.collect.page import CandleFlush, Flushed
    from penstock.runs.events import Event


UNCOUNTED: dict[str, Any] = {"uncounted": True}


class Statements:
    """Counts the statements sent. BEGIN, COMMIT, heartbeats (which carry UNCOUNTED) and what sets up a connection are not among them."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def watch(self, engine: Engine) -> None:
        """Count what goes through this engine."""

        @event.listens_for(engine, "before_cursor_execute")
        def sent(
            _connection: object,
            _cursor: object,
            statement: str,
            _parameters: object,
            context: ExecutionContext | None,
            _many: bool,  # noqa: FBT001 - SQLAlchemy's signature
        ) -> None:
            if not statement.startswith("BEGIN") and not (
                context and context.execution_options.get("uncounted")
            ):
                self.add()

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.count += 1


class TransactionHold(threading.local):
    """The connections that this thread is using, kept where whoever waits for the thread can take them away."""

    taken: list[Any] | None = None

    def add(self, driver: object) -> None:
        """It is about to be used."""
        if self.taken is not None:
            self.taken.append(driver)

    def watch(self, engine: Engine) -> None:
        """Note what is taken from the pool of this engine, and forget it before anybody else can get it from there."""

        @event.listens_for(engine, "checkout")
        def taken(driver: object, *_: object) -> None:
            self.add(driver)

        @event.listens_for(engine, "checkin")
        def given_back(driver: object, *_: object) -> None:
            if self.taken is not None:
                self.taken[:] = [one for one in self.taken if one is not driver]


hold = TransactionHold()


def announce(connection: Connection, *events: Event) -> None:
    """Tell the subscribers of this process after the commit; on PostgreSQL the database tells all processes itself."""
    if connection.dialect.name == "sqlite":
        connection.info.setdefault("announced", []).extend(events)


def only_writer(connection: Connection, table: Table) -> None:
    """Let nobody else write to the table until the transaction ends; ahead of its other locks, so that two never wait for each other.

    SQLite has one writer in any case.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")


@contextlib.contextmanager
def attempt(connection: Connection) -> Iterator[None]:
    """A part of a transaction that an error takes back, with what it announced."""
    announced = list(connection.info.get("announced", []))
    try:
        with connection.begin_nested():
            yield
    except BaseException:
        connection.info["announced"] = announced
        raise


class Backend(Protocol):
    """One kind of database: its connections and its bulk way of writing candles."""

    writer: Engine
    reader: Engine
    statements: Statements
    # How the driver is told to connect.
    parameters: dict[str, Any]

    def abandon(self, driver: Any) -> None:  # noqa: ANN401 - the driver's own connection
        """Make whatever the connection waits for end with an error, from another thread."""

    def migration_lock(self, connection: Connection) -> None:
        """Let no other process migrate until the transaction ends."""

    def merge_candles(self, connection: Connection, run_id: int, flush: CandleFlush) -> Flushed:
        """Write the rows under this run, and announce the series."""
