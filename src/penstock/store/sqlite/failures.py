"""What to do about a database file that cannot be used; SQLite's own words do not say."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from penstock.errors import StoreUnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

_DAMAGED = (
    "stop all processes that use it and restore a backup,"
    " or save what can be read: sqlite3 {file} .recover | sqlite3 {file}.saved"
)
_NO_RIGHTS = "SQLite makes files beside it, so this user has to be able to write to its folder too"
_ADVICE = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "name a file that Penstock made",
    sqlite3.SQLITE_FULL: "free some space on its disk",
    sqlite3.SQLITE_IOERR: "its disk is full or fails, or a quota or limit on files is reached",
    sqlite3.SQLITE_READONLY: _NO_RIGHTS,
    sqlite3.SQLITE_CANTOPEN: _NO_RIGHTS,
    sqlite3.SQLITE_PERM: _NO_RIGHTS,
}
# An extended code has the kind of the error in its last byte.
_KIND = 0xFF
_STEPS = 10_000


def unusable(file: Path, error: BaseException | None) -> StoreUnavailableError | None:
    """The error with what to do about it; None for one that is not about the file."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & _KIND
    if (advice := _ADVICE.get(code)) is None:
        return None
    return StoreUnavailableError(
        f"the database file {file} cannot be used now: {error}; {advice.format(file=file)}"
    )


def examined(connection: Connection, file: Path, *, within_s: float) -> str:
    """What is known of the file after SQLite's quick check, in words.

    StoreUnavailableError when it is damaged.
    """
    driver: Any = connection.connection.driver_connection
    until = time.monotonic() + within_s
    driver.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        (found,) = driver.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & _KIND == sqlite3.SQLITE_INTERRUPT:
            return f"no damage found in {within_s:g} s, which is not all"
        raise
    finally:
        driver.set_progress_handler(None, 0)
    if found != "ok":
        damage = " ".join(str(found).split())
        raise StoreUnavailableError(
            f"the database file {file} is damaged ({damage}); {_DAMAGED.format(file=file)}"
        )
    return "no damage found"
