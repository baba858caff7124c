"""Migrations: bring a database to the present schema, one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from penstock.columns import metadata
from penstock.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

    from penstock.store.session.database import Database


async def migrate(database: Database) -> tuple[str | None, str]:
    """Migrate to the newest version in one transaction, under a lock; gives both versions.

    ConflictError if a newer Penstock made the database.
    """

    def upgrade(connection: Connection) -> tuple[str | None, str]:
        database.backend.migration_lock(connection)
        refuse_unusable(database, connection, migrating=True)
        before = version(connection)
        if before != newest_version():
            refuse_newer(before)
            _run_migrations(connection)
        return before, newest_version()

    return await database.write(upgrade, hurried=False)


def refuse_unusable(database: Database, connection: Connection, *, migrating: bool = False) -> None:
    """StoreUnavailableError for a database that cannot be written to, with what mends it."""
    # It declares all tables; a command that only reads does without most of them.
    import penstock.store.schema  # noqa: F401, PLC0415 - see above

    database.backend.check(connection, [*metadata.tables], newest_version(), migrating=migrating)


def make_tables(connection: Connection, tables: Sequence[Table]) -> None:
    """Make the missing tables of domains; their later changes are the domain's own affair."""
    for table in tables:
        table.create(connection, checkfirst=True)


def version(connection: Connection) -> str | None:
    """The version that alembic noted in the database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def newest_version() -> str:
    """The version that this program works with."""
    return known_versions()[-1]


def known_versions() -> list[str]:
    """All versions that this program knows, the newest last; a migration's file begins with its."""
    return sorted(
        file.name.partition("_")[0]
        for file in Path(__file__).with_name("migrations").glob("versions/[0-9]*.py")
    )


def refuse_newer(found: str | None) -> None:
    """ConflictError if the version in the database is not known."""
    if found is not None and found not in known_versions():
        raise ConflictError(
            f"the database has schema version {found}, which this Penstock does not know;"
            " install the version that made it, or a newer one"
        )


def _run_migrations(connection: Connection) -> None:
    # Loading alembic takes longer than most commands, and few find something to migrate.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", "penstock.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
