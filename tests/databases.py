"""Databases for tests: SQLite files, and a real PostgreSQL that starts with the first use.

Migrations run once per session and kind. A test gets a copy, which is twenty times as fast.
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

from penstock.store.connect import connect, parse_url
from penstock.store.migrate import migrate
from tests.postgres_binaries import PostgresUnavailableError
from tests.postgres_server import PostgresServer, start_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DATABASES = ("sqlite", "postgresql")
_TEMPLATE = "penstock_migrated"


class Databases:
    """Creates databases; `folder` has the file to copy, and the server ends with `stack`."""

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

    def server_log(self) -> str:
        """The end of the server's log, if it has started."""
        return self.server.log_end() if "server" in self.__dict__ else ""

    @contextlib.contextmanager
    def fresh(self, kind: str, folder: Path, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a new database for the block: on PostgreSQL, or a file in the folder."""
        if kind == "postgresql":
            with self.server.database(*([self.migrated] if migrated else [])) as url:
                yield url
        elif migrated:
            yield f"sqlite:///{shutil.copyfile(self._file, folder / 'penstock.db')}"
        else:
            yield f"sqlite:///{folder / 'empty.db'}"

    @cached_property
    def migrated(self) -> str:
        """The name of a migrated database of the server, to be copied."""
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
    """Migrate a database, also while a loop runs."""

    async def migrated() -> None:
        database = connect(parse_url(url))
        try:
            await migrate(database)
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrated()).result()


def missing_postgres(error: PostgresUnavailableError, environment: Mapping[str, str]) -> NoReturn:
    """Fail a test without PostgreSQL, or skip it if requested and not in CI."""
    reason = f"PostgreSQL could not be started: {error}"
    in_ci = environment.get("CI", "").lower() not in {"", "0", "false"}
    if environment.get("PENSTOCK_TEST_POSTGRES") == "skip" and not in_ci:
        pytest.skip(reason)
    pytest.fail(reason, pytrace=False)
