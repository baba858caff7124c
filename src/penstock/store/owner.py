"""Ownership of a SQLite file: one process writes to it at a time, and says who it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

import msgspec

from penstock.errors import ConflictError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Owner(msgspec.Struct, frozen=True):
    """The content of the lock file."""

    pid: int | None = None
    url: str | None = None


@contextlib.contextmanager
def owned(database: Path, *, url: str | None = None) -> Iterator[None]:
    """Own the file while the block runs; `url` tells others where this process serves.

    ConflictError names the present owner. The lock is the operating system's, so it ends with the
    process.
    """
    try:
        # A file reached through a link is the same file.
        file = database.resolve()
        lock = file.with_name(file.name + ".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailableError(
            f"the database file {database} cannot be used: {error.strerror}"
        ) from error
    try:
        _take(descriptor, database)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(_Owner(os.getpid(), url)), 0)
        yield
    finally:
        os.close(descriptor)


def owner_url(database: Path) -> str | None:
    """The URL at which the owner of the file serves; None without an owner, or without a URL."""
    file = database.resolve()
    try:
        descriptor = os.open(file.with_name(file.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(descriptor).url
    finally:
        os.close(descriptor)
    return None


def _owner(descriptor: int) -> _Owner:
    """The owner; unknown between its taking the lock and its writing."""
    text = os.pread(descriptor, 1000, 0)
    return msgspec.json.decode(text, type=_Owner) if text else _Owner()


def _take(descriptor: int, database: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = _owner(descriptor)
        who = ", which serves at ".join(str(known) for known in (owner.pid, owner.url) if known)
        whose = f"another process ({who})" if who else "another process"
        raise ConflictError(
            f"{database} is in use by {whose}; stop that process first,"
            " or use PostgreSQL, which several processes can share"
        ) from None
