"""Fixtures of all tests: the databases.

`database_url` runs a test on both: an SQLite file, and a database of a real PostgreSQL that this
session starts (see `databases`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.databases import DATABASES, Databases
from tests.folders import quick_folder
from tests.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tests.postgres_server import PostgresServer

# A shared machine can be slow at any time; a deadline would only measure the machine.
settings.register_profile("penstock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("penstock")

# The environment may have settings of a Penstock in use.
for name in list(os.environ):
    if name in {"DATABASE_URL", "PORT"} or (
        name.startswith("PENSTOCK_") and not name.startswith("PENSTOCK_TEST_")
    ):
        del os.environ[name]
# Pytest reads this for its first temporary folder.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", quick_folder())

_SEED_VARIABLE = "PENSTOCK_TEST_SEED"
_EVERYDAY_SEED = 20260518

Say = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="run enough random trials to show rare faults; see `make faults`",
    )
    parser.addoption(
        "--minutes",
        type=float,
        default=5.0,
        help="how long a hostile client and provider go on with --full",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests with a long form as `faults`."""
    for item in items:
        if isinstance(item, pytest.Function) and "trials" in item.fixturenames:
            item.add_marker("faults")


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Undo the log configuration of a command that a test runs in this process."""
    before, configured = structlog.get_config(), structlog.is_configured()
    yield
    if configured:
        structlog.configure(**before)
    else:
        structlog.reset_defaults()


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> Trials:
    """The number of random trials, and their seed."""
    return Trials(
        seed=int(os.environ.get(_SEED_VARIABLE, _EVERYDAY_SEED)),
        full=request.config.getoption("--full"),
        minutes=request.config.getoption("--minutes"),
    )


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Say:
    """Prints a line at the end of the session, such as the number of random trials."""
    return lambda line: record_property("said", line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines of `say`."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    said = [
        (report.nodeid, line)
        for report in reports
        if report.when == "call"
        for name, line in report.user_properties
        if name == "said"
    ]
    if said:
        terminalreporter.section("what was tried")
    for test, line in said:
        terminalreporter.line(f"{test.rpartition('::')[2]}: {line}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of the PostgreSQL log to a failure: the server may have failed too."""
    report = yield
    databases = getattr(item, "funcargs", {}).get("databases")
    if report.failed and databases is not None:
        report.sections.append(("end of the PostgreSQL server's log", databases.server_log()))
    return report


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Creates databases, for tests that need several, or one for a module."""
    with contextlib.ExitStack() as stack:
        yield Databases(tmp_path_factory.mktemp("migrated"), stack)


@pytest.fixture(scope="session")
def postgres_server(databases: Databases) -> PostgresServer:
    """The server of this session."""
    return databases.server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of the session's server as superuser; tests that write use `postgres_database`."""
    return postgres_server.url


@pytest.fixture
def postgres_database(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database for this test alone."""
    with databases.fresh("postgresql", tmp_path) as url:
        yield url


@pytest.fixture
def sqlite_database(databases: Databases, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated SQLite file for this test alone."""
    with databases.fresh("sqlite", tmp_path) as url:
        yield url


@pytest.fixture(params=DATABASES)
def database_url(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[str]:
    """A migrated database of each kind, in turn."""
    with databases.fresh(request.param, tmp_path) as url:
        yield url


@pytest.fixture(params=DATABASES)
def empty_database_url(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[str]:
    """A database without tables of each kind: on SQLite a file that does not exist."""
    with databases.fresh(request.param, tmp_path, migrated=False) as url:
        yield url
