"""A private PostgreSQL for tests and benchmarks: `with start_postgres() as server:`.

It listens on 127.0.0.1 and a Unix socket, has a random password and a unique temporary folder, so
that neither a server of the machine nor the remains of a crashed session interfere. A commit
survives any crash of a process; with `durable` also a crash of the machine, as benchmarks need it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.folders import quick_folder
from tests.postgres_binaries import (
    CHOICE_VARIABLE,
    Account,
    Binaries,
    PostgresUnavailableError,
    find_binaries,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_USER = "penstock"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
# The path of a Unix socket may have 107 bytes, and PostgreSQL adds its own name to the folder.
_MAX_FOLDER_LENGTH = 60
_LOG = "server.log"
_LOG_LINES = 40
# Only a crash of the machine shows the difference: a commit still waits for its record to be
# written (synchronous_commit).
# A standby never says `ready`.
_ANSWERING = {"ready", "standby"}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}

# Waits until this process is gone, also by kill -9; then stops the server and removes its folder.
_WATCHDOG = """
trap '' INT TERM HUP
cat >/dev/null
kill -INT "$1"
for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
rm -rf -- "$2"
"""


@dataclass(frozen=True)
class PostgresServer:
    """A running server; `url` is its database `postgres`, as superuser."""

    url: str
    version: int
    socket_folder: Path

    def log_end(self) -> str:
        """The end of the log; empty when the server has ended."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(
                (self.socket_folder / _LOG).read_text(errors="replace").splitlines()[-_LOG_LINES:]
            )
        return ""

    def database_url(self, name: str) -> str:
        """The URL of another database of this server."""
        return f"{self.url.rpartition('/')[0]}/{name}"

    @contextlib.contextmanager
    def database(self, template: str = "template1", name: str | None = None) -> Iterator[str]:
        """The URL of a new copy of `template`, dropped at the end with its connections."""
        name = name or f"penstock_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.database_url(name)
        finally:
            self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def start_postgres(choice: str | None = None, *, durable: bool = True) -> Iterator[PostgresServer]:
    """Start a server and stop it at the end; PostgresUnavailableError when that fails.

    `choice` as in `find_binaries`, by default the variable PENSTOCK_TEST_POSTGRES_BIN. A server
    that is not `durable` is in memory if possible, and waits for no disk.
    """
    account = Account.for_server()
    folder = _make_folder(account, tempfile.gettempdir() if durable else quick_folder())
    settings = {} if durable else _NOT_DURABLE
    try:
        binaries = find_binaries(account, folder, choice or os.environ.get(CHOICE_VARIABLE))
        password = _initialise(binaries, account, folder)
        with _serving(binaries, account, folder, settings) as port:
            url = f"postgresql://{_USER}:{password}@127.0.0.1:{port}/postgres"
            yield PostgresServer(url, binaries.version, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def standby(filled: Callable[[str], None]) -> Iterator[str]:
    """The URL of a database on a server that only reads: a standby whose primary is gone.

    `filled` fills the database before.
    """
    account = Account.for_server()
    folder = _make_folder(account, quick_folder())
    try:
        binaries = find_binaries(account, folder, os.environ.get(CHOICE_VARIABLE))
        address = f"{_USER}:{_initialise(binaries, account, folder)}@127.0.0.1"
        with _serving(binaries, account, folder, _NOT_DURABLE) as port:
            filled(f"postgresql://{address}:{port}/postgres")
        (folder / "data" / "standby.signal").touch()
        with _serving(binaries, account, folder, _NOT_DURABLE) as port:
            yield f"postgresql://{address}:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_folder(account: Account, best: str) -> Path:
    """A folder that the server's user can reach, with a path short enough for a socket."""
    usual = "/tmp", "/var/tmp"  # noqa: S108 - for mkdtemp
    for place in dict.fromkeys((best, tempfile.gettempdir(), *usual)):
        if len(place) <= _MAX_FOLDER_LENGTH and _is_open(Path(place), account):
            folder = Path(tempfile.mkdtemp(prefix="penstock-pg-", dir=place))
            account.own(folder)
            return folder
    message = "PostgreSQL can use no temporary folder; tried TMPDIR, /tmp and /var/tmp"
    raise PostgresUnavailableError(message)


def _is_open(place: Path, account: Account) -> bool:
    """Whether the server's user can enter; for another user, whether everybody can."""
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return False
    return account.uid is None or all(
        step.stat().st_mode & 0o001 for step in (place.resolve(), *place.resolve().parents)
    )


def _initialise(binaries: Binaries, account: Account, folder: Path) -> str:
    """Run initdb; gives the superuser's password."""
    password = secrets.token_hex(16)
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="ascii")
    account.own(secret)
    # --no-sync: the folder is empty and temporary.
    options = [
        "--no-sync",
        "--no-locale",
        "--encoding=UTF8",
        "--auth=scram-sha-256",
        f"--username={_USER}",
        f"--pwfile={secret}",
    ]
    try:
        account.output_of(
            [binaries.folder / "initdb", "-D", folder / "data", *options],
            timeout_s=_START_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        raise PostgresUnavailableError(
            f"initdb of {binaries.folder} failed:\n{error.output}"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise PostgresUnavailableError(f"initdb of {binaries.folder} failed: {error}") from error
    return password


@contextlib.contextmanager
def _serving(
    binaries: Binaries, account: Account, folder: Path, settings: Mapping[str, str]
) -> Iterator[int]:
    """The port of a running server; three attempts, since another process may take a free port."""
    log = folder / _LOG
    for _ in range(3):
        port = _free_port()
        process = _launch(binaries, account, folder, {"port": str(port), **settings})
        # This user owns the copies in the folder, and may signal the server.
        command: list[str | Path] = [
            "/bin/sh",
            "-c",
            _WATCHDOG,
            "watchdog",
            str(process.pid),
            folder,
        ]
        watchdog = Account().popen(command, output=subprocess.DEVNULL, feed=subprocess.PIPE)
        try:
            if _wait_until_ready(process, folder, port):
                yield port
                return
        finally:
            _stop(process, watchdog)
    raise PostgresUnavailableError(
        f"the server of {binaries.folder} did not start:\n{log.read_text(errors='replace')[-2000:]}"
    )


def _launch(
    binaries: Binaries, account: Account, folder: Path, settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(folder),
        "max_connections": "100",
        "log_checkpoints": "off",
        **settings,
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with (folder / _LOG).open("ab") as log:
        return account.popen(
            [binaries.folder / "postgres", "-D", folder / "data", *words], output=log.fileno()
        )


@contextlib.contextmanager
def away(url: str) -> Iterator[None]:
    """Cut all connections to the database and refuse new ones during the block."""
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path, port: int) -> bool:
    """Wait for the server's own file: a connection would not show which server answers."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            # The fourth line of this file is the port, the eighth the state.
            lines = (folder / "data" / "postmaster.pid").read_text(encoding="ascii").splitlines()
            if len(lines) > 7 and lines[3].strip() == str(port) and lines[7].strip() in _ANSWERING:
                return True
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes], watchdog: subprocess.Popen[bytes]) -> None:
    """Shut down fast, then by force. Stop the watchdog first: it could signal a reused pid."""
    watchdog.kill()
    watchdog.communicate()
    for word in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(word)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)
            return
