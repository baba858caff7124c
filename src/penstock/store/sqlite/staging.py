"""Staging on SQLite: a file beside the database, so that a slow download holds no lock there.

The file is lost with the process and needs no journal. While rows arrive and are compared, its
connection has the database attached for reading; to publish, the writer attaches the file.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

from penstock.access.private import ONLY_OURS
from penstock.inventory.tables import NORMALISED, STAGED
from penstock.store.session.backend import hold
from penstock.store.sqlite.rows import insert_rows
from penstock.store.statements.inventory import DIFF_COLUMNS, SQLITE, create_stage
from penstock.store.statements.products import Normaliser, staged_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Row

    from penstock.inventory.product import Product
    from penstock.runs.run import Run
    from penstock.store.session.database import Database

T = TypeVar("T")

_ALL_COLUMNS = len(STAGED) + len(NORMALISED)
_TIMEOUT_S = 10.0


class SqliteArea:
    """The Area of a SQLite database."""

    words = SQLITE

    def __init__(self, database: Database, published: Path, run: Run, *, first: bool) -> None:
        self._database = database
        self._published = published
        self._first = first
        self._file = published.with_name(f"{published.name}.stage-{run.id}")
        self._engine = create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=1, max_overflow=0
        )
        event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        hold.watch(self._engine)
        self._normalised = Normaliser(lambda normalised: normalised)

    def _connect(self) -> sqlite3.Connection:
        """The connection begins no transaction itself, as in penstock.store.sqlite.engine."""
        connection = sqlite3.connect(
            _uri(self._file, "rwc"),
            timeout=_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "cache_size = -16000",
            "temp_store = FILE",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("ATTACH ? AS published", [_uri(self._published, "ro")])
        return connection

    async def open(self) -> None:
        """Make it, empty: a file that a dead process left is removed."""
        await asyncio.to_thread(self._make)
        await self.stage(
            lambda connection: [
                connection.exec_driver_sql(statement)
                for statement in create_stage(SQLITE, first=self._first)
            ]
        )

    def _make(self) -> None:
        self._file.unlink(missing_ok=True)
        self._file.touch(ONLY_OURS)

    async def close(self) -> None:
        """Remove it."""
        await asyncio.to_thread(self._engine.dispose)
        await asyncio.to_thread(self._file.unlink, missing_ok=True)

    async def stage(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the area's own connection."""
        return await self._database.apart(self._engine, work)

    async def compare(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on the area's own connection, with an index and without a deadline."""

        def compare(connection: Connection) -> T:
            connection.exec_driver_sql(
                "CREATE INDEX IF NOT EXISTS inventory_stage_id ON inventory_stage (product_id)"
            )
            return work(connection)

        return await self._database.apart(self._engine, compare, hurried=False)

    async def publish(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction of the writer, with the area attached."""

        def publish(connection: Connection) -> T:
            connection.exec_driver_sql("ATTACH ? AS stage", (str(self._file),))
            # A transaction that has read it cannot detach it.
            connection.info["attached"] = "stage"
            return work(connection)

        return await self._database.write(publish, hurried=False)

    def put(self, connection: Connection, products: Sequence[Product]) -> None:
        """Stage products."""
        flat: list[object] = []
        for one in products:
            flat += staged_values(one)
            if self._first:
                flat += self._normalised.of(one.game_id, one.properties_hash)
        width = _ALL_COLUMNS if self._first else len(STAGED)
        insert_rows(connection, "inventory_stage", flat, width)

    def put_different(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Note differing rows with their normalised properties."""
        flat: list[object] = []
        for row in rows:
            flat += (
                row.product_id,
                row.kind,
                *self._normalised.of(row.game_id, row.properties.encode()),
            )
        insert_rows(connection, "inventory_diff", flat, len(DIFF_COLUMNS))


def discard_stages(database: Database) -> None:
    """Remove what dead processes left beside a SQLite database; only its owner may."""
    if database.file:
        for left in database.file.parent.glob(f"{database.file.name}.stage-*"):
            left.unlink(missing_ok=True)


def _uri(file: Path, mode: str) -> str:
    return f"file:{quote(str(file.absolute()))}?mode={mode}"
