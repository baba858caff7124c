"""Ownership of a SQLite file: one process writes to it at a time, and says who it is.

Two locks of the operating system, which end with the process: one on the file beside the database,
which names the owner, and one on the database itself, which is still held when the other file was
removed. The latter is on a byte that SQLite neither locks nor stores.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
from typing import TYPE_CHECKING

import msgspec

from penstock.access.private import ONLY_OURS, make_folder
from penstock.errors import ConflictError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ENDS = ("-wal", "-shm", ".lock", ".key")
_FAR_BYTE = 1 << 62
# A lock of the open file, not of the process: SQLite opens and closes the same file, which drops
# the process's locks. Where the system has none, the file beside the database has to do.
_SET_LOCK: int | None = getattr(fcntl, "F_OFD_SETLK", None)
_LOCK = struct.pack("@hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _FAR_BYTE, 1, 0)


class _Owner(msgspec.Struct, frozen=True):
    """The content of the lock file."""

    pid: int | None = None
    url: str | None = None


@contextlib.contextmanager
def owned(database: Path, *, url: str | None = None) -> Iterator[None]:
    """Own the file while the block runs, and make it if it is missing.

    `url` tells others where this process serves. ConflictError names the present owner. This
    process closes its connections to the file before the block ends: closing the file here drops
    SQLite's locks.
    """
    file = real_file(database)
    with _usable(database):
        make_folder(file.parent)
    with _opened(_beside(file), database) as lock:
        _take(lock, database)
        with _opened(file, database) as itself:
            _take_itself(itself, database)
            with _usable(database):
                os.ftruncate(lock, 0)
                os.pwrite(lock, msgspec.json.encode(_Owner(os.getpid(), url)), 0)
            yield


def real_file(database: Path) -> Path:
    """The file behind links, which may be missing; StoreUnavailableError if it cannot be used.

    SQLite names its log after the database, so a file with two names has two logs and loses rows.
    """
    with _usable(database):
        file = _without_links(database)
        try:
            found = file.stat()
        except FileNotFoundError:
            if not _has_broken_link(database):
                return file
            # The folder of another disk, perhaps, that is not there now.
            why = f"it is a link to {file}, which does not exist; make that, or remove the link"
            raise _unusable(database, why) from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not an ordinary file"
        raise _unusable(database, f"it is {kind}; name another file")
    if found.st_nlink > 1:
        raise _unusable(
            database,
            "it has a second name (a hard link), and SQLite loses rows of such a file;"
            f" remove the other name, which `find / -xdev -samefile {file}` shows",
        )
    return file


def files_of(database: Path) -> list[Path]:
    """The file and those beside it, whether they exist or not."""
    file = real_file(database)
    return [file, *(file.with_name(file.name + end) for end in _ENDS)]


def owner_url(database: Path) -> str | None:
    """The URL at which the owner of the file serves; None without an owner, or without a URL."""
    try:
        lock = _beside(_without_links(database))
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(descriptor).url
    finally:
        os.close(descriptor)
    return None


def _without_links(database: Path) -> Path:
    try:
        return database.resolve()
    except RuntimeError:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


def _has_broken_link(path: Path) -> bool:
    return any(part.is_symlink() and not part.exists() for part in (path, *path.parents))


def _beside(file: Path) -> Path:
    return file.with_name(file.name + ".lock")


@contextlib.contextmanager
def _opened(file: Path, database: Path) -> Iterator[int]:
    with _usable(database):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, ONLY_OURS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _usable(database: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unusable(database, error.strerror or str(error)) from error


def _unusable(database: Path, why: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"the database file {database} cannot be used: {why}")


def _owner(descriptor: int) -> _Owner:
    """The owner; unknown between its taking the lock and its writing."""
    text = os.pread(descriptor, 1000, 0)
    with contextlib.suppress(msgspec.DecodeError):
        return msgspec.json.decode(text, type=_Owner)
    return _Owner()


def _take(lock: int, database: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _in_use(database, _owner(lock)) from None


def _take_itself(file: int, database: Path) -> None:
    if _SET_LOCK is None:
        return
    with _usable(database):
        try:
            fcntl.fcntl(file, _SET_LOCK, _LOCK)
        except BlockingIOError:
            raise _in_use(database, _Owner()) from None


def _in_use(database: Path, owner: _Owner) -> ConflictError:
    who = ", which serves at ".join(str(known) for known in (owner.pid, owner.url) if known)
    whose = f"another process ({who})" if who else "another process"
    return ConflictError(
        f"{database} is in use by {whose}; stop that process first,"
        " or use PostgreSQL, which several processes can share"
    )
