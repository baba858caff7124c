"""The test suite's own PostgreSQL is real, private, temporary, and never silently missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.databases import missing_postgres
from tests.house.sources import ROOT
from tests.postgres_binaries import (
    CHOICE_VARIABLE,
    EMBEDDED,
    Account,
    PostgresUnavailableError,
    embedded_folders,
    find_binaries,
)
from tests.postgres_server import PostgresServer, start_postgres

ERROR = PostgresUnavailableError("no server here")


def _wait_until(gone: Path, seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while gone.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not gone.exists()


def test_a_folder_without_a_server_is_a_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(
            PostgresUnavailableError,
            match=rf"no usable PostgreSQL server(.|\n)*{tmp_path}(.|\n)*PENSTOCK_TEST_POSTGRES_BIN",
        ),
        start_postgres(str(tmp_path)),
    ):
        pass


def test_a_machine_without_any_server_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHOICE_VARIABLE, raising=False)
    monkeypatch.setattr("tests.postgres_binaries._search_machine", lambda: iter([]))
    monkeypatch.setattr("tests.postgres_binaries.embedded_folders", list)
    with pytest.raises(PostgresUnavailableError, match="nothing was found"), start_postgres():
        pass


def test_a_server_that_is_too_old_is_not_used(tmp_path: Path) -> None:
    for program in ("postgres", "initdb"):
        path = tmp_path / program
        path.write_text('#!/bin/sh\necho "postgres (PostgreSQL) 13.22"\n')
        path.chmod(0o755)
    # As this user: the server's user under root cannot enter pytest's folder.
    with pytest.raises(PostgresUnavailableError, match="too old"):
        find_binaries(Account(), tmp_path, str(tmp_path))


@pytest.mark.parametrize(
    "environment", [{}, {"CI": "true"}, {"CI": "true", "PENSTOCK_TEST_POSTGRES": "skip"}]
)
def test_without_postgres_a_test_fails(environment: dict[str, str]) -> None:
    with pytest.raises(pytest.fail.Exception, match="no server here"):
        missing_postgres(ERROR, environment)


def test_without_postgres_a_test_is_skipped_only_when_asked_for() -> None:
    with pytest.raises(pytest.skip.Exception, match="no server here"):
        missing_postgres(ERROR, {"PENSTOCK_TEST_POSTGRES": "skip"})


def durability(url: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
        ).fetchone()


def test_commits_survive_a_killed_process_and_on_a_durable_server_a_machine_crash(
    postgres_url: str,
) -> None:
    assert durability(postgres_url) == ("off", "on")
    with start_postgres() as server:
        assert durability(server.url) == ("on", "on")


def test_the_server_answers_on_its_socket_too(postgres_server: PostgresServer) -> None:
    with psycopg.connect(
        postgres_server.url, host=str(postgres_server.socket_folder), hostaddr=""
    ) as connection:
        assert connection.execute("SELECT inet_server_addr()").fetchone() == (None,)


def test_a_password_is_needed(postgres_server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.url, password="wrong")


def test_each_test_has_a_database_of_its_own(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as first, postgres_server.database() as other:
        with psycopg.connect(first) as connection:
            connection.execute("CREATE TABLE mine (number integer)")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_a_database_is_dropped_despite_open_connections(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        left_open = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")
    left_open.close()


def test_one_test_body_runs_on_both_databases(database_url: str) -> None:
    assert database_url.startswith(("sqlite:////", "postgresql://"))


def test_the_embedded_server_starts_and_leaves_nothing() -> None:
    assert embedded_folders(), "the development dependencies include one"
    with start_postgres(EMBEDDED) as server, psycopg.connect(server.url) as connection:
        assert connection.info.server_version // 10_000 == server.version
        assert server.socket_folder.exists()
    assert not server.socket_folder.exists()


def test_the_end_of_the_log_can_be_read_while_it_runs_and_is_empty_afterwards() -> None:
    with start_postgres(durable=False) as server:
        assert "ready to accept connections" in server.log_end()
    assert server.log_end() == ""


@pytest.mark.usefixtures("postgres_server")
def test_the_server_is_stopped_after_an_error() -> None:
    with pytest.raises(KeyboardInterrupt), start_postgres() as server:
        raise KeyboardInterrupt
    assert not server.socket_folder.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)


@pytest.mark.usefixtures("postgres_server")
def test_a_killed_session_leaves_no_server_behind() -> None:
    code = """
import time
from tests.postgres_server import start_postgres
with start_postgres() as server:
    print(server.socket_folder, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as session:
        assert session.stdout is not None
        folder = Path(session.stdout.readline().strip())
        assert folder.exists()
        os.kill(session.pid, signal.SIGKILL)
    assert _wait_until(gone=folder)
