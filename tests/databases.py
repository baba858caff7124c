"""Databases for tests: an SQLite file, or one of a real PostgreSQL that the session starts when the first test wants it.

Migrations run once a session and kind; what a test gets is a copy, as fresh as a migrated one and twenty times as fast to make.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

import pytest

from penstock.store.database import Database, parse_url
from penstock.store.migrate import migrate
from tests.postgres_binaries import PostgresUnavailableError
from tests.postgres_server import PostgresServer, start_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DATABASES = ("sqlite", "postgresql")
_TEMPLATE = "penstock_migrated"


class Databases:
    """Makes databases; `folder` is for the file that others are copied from, and the server ends with `stack`."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    @cached_property
    def server(self) -> PostgresServer:
        """The PostgreSQL of this session."""
        try:
            return self._stack.enter_context(start_postgres(durable=False))
        except PostgresUnavailableError as error:
            missing_postgres(error, os.environ)

    def server_said(self) -> str:
        """The end of the server's log, if there is one."""
        return self.server.said() if "server" in self.__dict__ else ""

    @contextlib.contextmanager
    def fresh(self, kind: str, folder: Path, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a new database while the block runs: of a PostgreSQL, or of a file `penstock.db` or `empty.db` in the folder."""
        if kind == "postgresql":
            with self.server.database(*([self._template] if migrated else [])) as url:
                yield url
        elif migrated:
            yield f"sqlite:///{shutil.copyfile(self._file, folder / 'penstock.db')}"
        else:
            yield f"sqlite:///{folder / 'empty.db'}"

    @cached_property
    def _template(self) -> str:
        """The name of a migrated database."""
        url = self._stack.enter_context(self.server.database(name=_TEMPLATE))
        bring_up_to_date(url)
        return _TEMPLATE

    @cached_property
    def _file(self) -> Path:
        """A migrated file."""
        path = self._folder / "penstock.db"
        bring_up_to_date(f"sqlite:///{path}")
        return path


def bring_up_to_date(url: str) -> None:
    """Migrate a database, also where a loop runs already."""

    async def migrated() -> None:
        database = Database(parse_url(url))
        try:
            await migrate(database)
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrated()).result()


def missing_postgres(error: PostgresUnavailableError, environment: Mapping[str, str]) -> NoReturn:
    """Ends a test that has no PostgreSQL: failed, or skipped if that was asked for, and never skipped in CI."""
    reason = f"PostgreSQL could not be started: {error}"
    in_ci = environment.get("CI", "").lower() not in {"", "0", "false"}
    if environment.get("PENSTOCK_TEST_POSTGRES") == "skip" and not in_ci:
        pytest.skip(reason)
    pytest.fail(reason, pytrace=False)
