"""What every folder of tests shares: the databases.

`database_url` runs one test body over both: an SQLite file and a database of a real PostgreSQL that this session starts (see `postgres_server`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

from tests.postgres_binaries import PostgresUnavailableError
from tests.postgres_server import PostgresServer, start_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# A shared machine can be slow at any moment; a test that is timed shows that, and no fault of ours.
settings.register_profile("penstock", deadline=None)
settings.load_profile("penstock")

DATABASES = ("sqlite", "postgresql")

Say = Callable[[str], None]


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Say:
    """Has a line printed at the end of the session: of a test that draws its cases, since a zero says nothing without its n."""
    return lambda line: record_property("said", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests had to `say`."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    said = [(report.nodeid, line) for report in reports if report.when == "call" for name, line in report.user_properties if name == "said"]
    if said:
        terminalreporter.section("what was tried")
    for test, line in said:
        terminalreporter.line(f"{test.rpartition('::')[2]}: {line}")


def missing_postgres(error: PostgresUnavailableError, environment: Mapping[str, str]) -> NoReturn:
    """Ends a test that has no PostgreSQL: failed, or skipped if that was asked for, and never skipped in CI."""
    reason = f"PostgreSQL could not be started: {error}"
    in_ci = environment.get("CI", "").lower() not in {"", "0", "false"}
    if environment.get("PENSTOCK_TEST_POSTGRES") == "skip" and not in_ci:
        pytest.skip(reason)
    pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this session."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(start_postgres())
        except PostgresUnavailableError as error:
            missing_postgres(error, os.environ)
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """`postgresql://…` of the session's server, as its superuser; tests that write take `postgres_database`."""
    return postgres_server.url


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """`postgresql://…` of a fresh database that only this test has."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def sqlite_database(tmp_path: Path) -> str:
    """`sqlite:////…` of a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'penstock.db'}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database of each kind, one after the other."""
    url: str = request.getfixturevalue("sqlite_database" if request.param == "sqlite" else "postgres_database")
    return url
