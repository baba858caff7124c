"""Opens the database of the settings, without loading `domains` and `app`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from penstock.access.private import open_to_others
from penstock.errors import ConflictError, StoreUnavailableError
from penstock.store.connect import connect, parse_url
from penstock.store.migrate import (
    migrate,
    newest_version,
    refuse_newer,
    refuse_unusable,
    version,
)
from penstock.store.owner import files_of, owned, owner_url, real_file
from penstock.store.session.database import Database, DatabaseOptions, file_of, server_version

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from penstock.settings import Settings
    from penstock.store.session.database import Transaction


def database_file(settings: Settings) -> Path | None:
    """The file of a SQLite database, None for PostgreSQL; InvalidInputError for another URL."""
    return file_of(parse_url(settings.database_url))


def masked_url(settings: Settings) -> str:
    """The database's URL without its password."""
    url = parse_url(settings.database_url)
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


@contextlib.asynccontextmanager
async def owned_database(settings: Settings, *, serving: str | None) -> AsyncIterator[Database]:
    file = database_file(settings)
    with owned(file, url=serving) if file else contextlib.nullcontext():
        async with open_database(settings) as database:
            yield database


def is_fresh(settings: Settings) -> bool:
    """Whether the database is a SQLite file that does not exist yet.

    StoreUnavailableError when something that cannot be used is in its place.
    """
    file = database_file(settings)
    return file is not None and not real_file(file).exists()


def refuse_missing(settings: Settings) -> None:
    """Raise StoreUnavailableError when there is no database: reading must not create one."""
    if is_fresh(settings):
        raise StoreUnavailableError(
            f"there is no database at {database_file(settings)} yet; "
            "`penstock collect` and `penstock accounts add` create one"
        )


@contextlib.asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Database]:
    """The database for reading, also while another process owns it.

    StoreUnavailableError when there is none, or none can be made; ConflictError when its schema is
    of another version.
    """
    async with open_database(settings) as database:
        refuse_missing(settings)
        found = await database.read(version)
        refuse_newer(found)
        if found != newest_version():
            if found is None:
                await database.read(lambda connection: refuse_unusable(database, connection))
            present = f"schema version {found}" if found else "no Penstock tables yet"
            raise ConflictError(
                f"the database has {present}, this Penstock needs schema version "
                f"{newest_version()}; run `penstock migrate`"
            )
        yield database


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    options = DatabaseOptions(
        pool_size=settings.database_pool_size,
        threads=settings.database_threads,
        timeout_s=settings.database_timeout_s,
    )
    if file := database_file(settings):
        real_file(file)
    database = connect(parse_url(settings.database_url), options)
    try:
        yield database
    finally:
        await database.close()


def serving_url(settings: Settings) -> str | None:
    """The URL of the service that owns this SQLite database, if one does."""
    file = database_file(settings)
    return owner_url(file) if file else None


async def check_database(settings: Settings) -> str:
    """The state of the database in words; raises if it cannot be used."""
    if is_fresh(settings):
        return "none yet, the first collection creates it"

    def state(connection: Transaction) -> list[str]:
        schema = f"{server_version(connection)} answers, schema {version(connection)}"
        examined = backend.examined(connection, within_s=settings.database_timeout_s)
        return [schema, examined] if examined else [schema]

    async with open_database(settings) as database:
        await database.read(lambda connection: refuse_unusable(database, connection))
    async with open_reader(settings) as database:
        backend = database.backend
        found = await database.read(state)
    return "; ".join([*found, *_rights(database)])


def _rights(database: Database) -> list[str]:
    wide = open_to_others(files_of(database.file)) if database.file else []
    names = " ".join(map(str, wide))
    return (
        [f"other users may read or write it, to keep them out: chmod 600 {names}"] if wide else []
    )


async def migrate_database(settings: Settings) -> tuple[str | None, str]:
    """Migrate to the newest schema; gives the versions before (None: empty) and after."""
    async with owned_database(settings, serving=None) as database:
        return await migrate(database)
