"""Notices that a database file was removed or replaced while this process has it open.

What is written to such a file is lost with the process, and SQLite reports no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


class Presence:
    """The database file and its log, as they were in the first transaction that wrote."""

    def __init__(self, database: Path) -> None:
        real = database.resolve()
        self._parts = (database, real.with_name(f"{real.name}-wal"))
        self._known: dict[Path, tuple[int, int]] = {}

    def note(self, *_: object) -> None:
        """Remember the files, which are open now."""
        for part in self._parts:
            if part not in self._known and (found := _identity(part)) is not None:
                self._known[part] = found

    def check(self, *_: object) -> None:
        """StoreUnavailableError if one of them is gone, or is another file now."""
        for part, known in list(self._known.items()):
            if _identity(part) != known:
                raise StoreUnavailableError(
                    f"{part} was removed or replaced while this process uses it; put it back,"
                    " or restart this process to use what is there now"
                )


def _identity(file: Path) -> tuple[int, int] | None:
    """The device and the inode; None without a file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
