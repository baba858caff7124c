"""The database of the settings, opened. Who only reads needs no more, and need not wait for what `domains` and `app` load."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import ConflictError, StoreUnavailableError
from penstock.store.database import Database, DatabaseOptions, parse_url, server_version
from penstock.store.migrate import migrate, newest_version, refuse_newer, version
from penstock.store.owner import owned, owner_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.settings import Settings


def database_file(settings: Settings) -> Path | None:
    """The file of a SQLite database, None for PostgreSQL; InvalidInputError for a URL that is neither."""
    url = parse_url(settings.database_url)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def masked_url(settings: Settings) -> str:
    """The database's URL without its password."""
    url = parse_url(settings.database_url)
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


@contextlib.asynccontextmanager
async def owned_database(settings: Settings, *, serving: str | None) -> AsyncIterator[Database]:
    async with open_database(settings) as database:
        with owned(database.file, url=serving) if database.file else contextlib.nullcontext():
            yield database


def refuse_missing(settings: Settings) -> None:
    """StoreUnavailableError when there is no database to read: nobody makes one for that."""
    if (file := database_file(settings)) and not file.exists():
        message = f"there is no database at {file} yet; `penstock collect` and `penstock accounts add` make one"
        raise StoreUnavailableError(message)


@contextlib.asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Database]:
    """The database for reading, beside whoever owns it; StoreUnavailableError when there is none, ConflictError when it is of another version."""
    async with open_database(settings) as database:
        refuse_missing(settings)
        found = await database.read(version)
        refuse_newer(found)
        if found != newest_version():
            message = f"the database has schema version {found or 'none'}, this Penstock works with {newest_version()}; run `penstock migrate`"
            raise ConflictError(message)
        yield database


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    options = DatabaseOptions(
        pool_size=settings.database_pool_size,
        threads=settings.database_threads,
        timeout_s=settings.database_timeout_s,
    )
    database = Database(parse_url(settings.database_url), options)
    try:
        yield database
    finally:
        await database.close()


def serving_url(settings: Settings) -> str | None:
    """Where the service is that owns this SQLite database; None when nobody does, or a process that does not serve."""
    file = database_file(settings)
    return owner_url(file) if file else None


async def check_database(settings: Settings) -> str:
    """What is there, in words; raises what stands in the way of using it."""
    async with open_database(settings) as database:
        if database.file and not database.file.exists():
            return "none yet, the first collection makes it"
    async with open_reader(settings) as database:
        return await database.read(
            lambda connection: f"{server_version(connection)} answers, schema {version(connection)}"
        )


async def migrate_database(settings: Settings) -> tuple[str | None, str]:
    """Bring the database to the present schema; gives the version before (None: it was empty) and after."""
    async with owned_database(settings, serving=None) as database:
        return await migrate(database)
