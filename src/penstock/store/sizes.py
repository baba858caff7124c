"""How large the database is, and each of its tables."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from penstock.columns import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.store.session.database import Database

_KEPT_S = 600.0
# Indexes are pages of their table. A table without row ids keeps rows in all of its pages, the
# others in their leaves.
_SQLITE = """
SELECT schema.tbl_name AS name, SUM(pages.bytes) AS bytes,
       SUM(CASE WHEN schema.type = 'table'
           THEN CASE WHEN schema.sql LIKE '%WITHOUT ROWID%' THEN cells ELSE leaf_cells END
           ELSE 0 END) AS rows
FROM (
    SELECT name, SUM(pgsize) AS bytes, SUM(ncell) AS cells,
           SUM(CASE pagetype WHEN 'leaf' THEN ncell ELSE 0 END) AS leaf_cells
    FROM dbstat GROUP BY name
) AS pages
JOIN sqlite_schema AS schema USING (name)
GROUP BY schema.tbl_name
"""
_DBSTAT = "SELECT 1 FROM pragma_module_list WHERE name = 'dbstat'"
_POSTGRESQL = """
SELECT relname AS name, pg_total_relation_size(oid) AS bytes,
       CAST(NULLIF(reltuples, -1) AS bigint) AS rows
FROM pg_class
WHERE relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace)
"""


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its indexes. `rows` is an estimate on PostgreSQL, None before its first one."""

    name: str
    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Our tables, the largest first, at a time in ms; none where SQLite cannot tell."""

    measured_at: int
    tables: list[TableSize]


class SqlSizes:
    """The sizes of the tables, measured at most every ten minutes.

    SQLite reads all pages of the file for it, on a connection apart.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._measuring = asyncio.Lock()
        self._measured: tuple[float, Sizes] | None = None

    async def sizes(self) -> Sizes:
        """The sizes; StoreUnavailableError when the file is too large to be read in time."""
        async with self._measuring:
            if self._measured is None or time.monotonic() - self._measured[0] > _KEPT_S:
                tables = await self._database.apart(self._database.backend.reader, table_sizes)
                self._measured = time.monotonic(), Sizes(int(time.time() * 1000), tables)
            return self._measured[1]


def table_sizes(connection: Connection) -> list[TableSize]:
    """Our tables, the largest first; none where SQLite was built without `dbstat`."""
    on_sqlite = connection.dialect.name == "sqlite"
    if on_sqlite and connection.scalar(text(_DBSTAT)) is None:
        return []
    found = connection.execute(text(_SQLITE if on_sqlite else _POSTGRESQL))
    ours = [TableSize(row.name, row.rows, row.bytes) for row in found if row.name in metadata]
    return sorted(ours, key=lambda table: (-table.bytes, table.name))


def database_bytes(connection: Connection) -> int:
    """The size of the whole database."""
    if connection.dialect.name == "sqlite":
        pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        return int(connection.execute(text(pages)).scalar_one())
    of_all = "SELECT pg_database_size(current_database())"
    return int(connection.execute(text(of_all)).scalar_one())
