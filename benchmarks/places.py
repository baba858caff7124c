"""New databases of both kinds, each removed at the end of its block."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from penstock.store.connect import connect, parse_url
from penstock.store.migrate import migrate
from tests.postgres_server import start_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from penstock.store.session.database import Database
    from tests.postgres_server import PostgresServer

SQLITE = "SQLite"
POSTGRESQL = "PostgreSQL"
KINDS = (SQLITE, POSTGRESQL)


@dataclass(frozen=True, slots=True)
class Places:
    """A private PostgreSQL and a temporary folder (in TMPDIR) for databases."""

    server: PostgresServer
    folder: Path

    @contextlib.contextmanager
    def fresh(self, kind: str) -> Iterator[str]:
        """The URL of an empty database."""
        if kind == POSTGRESQL:
            with self.server.database() as url:
                yield url
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            yield f"sqlite:///{Path(folder) / 'penstock.db'}"

    @contextlib.asynccontextmanager
    async def migrated(self, kind: str) -> AsyncIterator[Database]:
        """An open database with all tables and no rows."""
        with self.fresh(kind) as url:
            database = connect(parse_url(url))
            try:
                await migrate(database)
                yield database
            finally:
                await database.close()

    def postgres_version(self) -> str:
        """The server's own version text."""
        with psycopg.connect(self.server.url) as connection:
            return str(connection.info.parameter_status("server_version"))


@contextlib.contextmanager
def places() -> Iterator[Places]:
    """Start PostgreSQL and create the folder; both are removed at the end."""
    with (
        start_postgres() as server,
        tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder,
    ):
        yield Places(server, Path(folder))


def driver_url(database: Database) -> str:
    """The URL of a PostgreSQL database for psycopg."""
    return database.url.set(drivername="postgresql").render_as_string(hide_password=False)
