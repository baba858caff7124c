"""Migrations: bring a database to the present schema, one process at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from penstock.errors import ConflictError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from penstock.store.database import Database


async def migrate(database: Database) -> tuple[str | None, str]:
    """Migrate to the newest version in one transaction, under a lock; gives the version before and after.

    ConflictError when the database was made by a newer Penstock.
    """

    def upgrade(connection: Connection) -> tuple[str | None, str]:
        database.backend.migration_lock(connection)
        before = version(connection)
        config = _config()
        newest = ScriptDirectory.from_config(config).get_current_head() or ""
        if before != newest:
            refuse_newer(before)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return before, newest

    return await database.write(upgrade, hurried=False)


def version(connection: Connection) -> str | None:
    """The version of the schema in the database; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def newest_version() -> str:
    """The version that this program works with."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "penstock.store:migrations")
    return config


def refuse_newer(found: str | None) -> None:
    """ConflictError when the version in the database is not one of ours."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        message = f"the database has schema version {found}, which this Penstock does not know; install the version that made it, or a newer one"
        raise ConflictError(message)
