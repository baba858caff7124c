"""A SQLite file that another process holds locked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.processes import PIPE, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@contextlib.asynccontextmanager
async def locked(database: Path) -> AsyncIterator[None]:
    """Another process holds the file's lock for writing."""
    locker = await start("-c", _LOCKER, str(database), stdin=PIPE)
    assert locker.stdout is not None
    assert await locker.stdout.readline() == b"locked\n"
    yield
    assert await locker.communicate() == (b"", b"")
