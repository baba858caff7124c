"""Bulk INSERT on SQLite, 500 rows in a statement.

The driver releases the interpreter's lock around each step, and gets it back late beside a busy
thread: row by row 30,000 candles took 8.6 s there, in statements of 500 rows 0.4 s
(docs/decisions/0003-bulk-writes.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_ROWS_IN_A_STATEMENT = 500


def insert_rows(
    connection: Connection, into: str, flat: Sequence[object], width: int, on_conflict: str = ""
) -> int:
    """Insert rows of `width` values, all in one flat list; gives how many were written."""
    row, written = f"({', '.join('?' * width)})", 0
    group = _ROWS_IN_A_STATEMENT * width
    whole = len(flat) // group * group
    for rows, begin, end in ((_ROWS_IN_A_STATEMENT, 0, whole), (1, whole, len(flat))):
        step = rows * width
        if parameters := [tuple(flat[at : at + step]) for at in range(begin, end, step)]:
            statement = f"INSERT INTO {into} VALUES {', '.join([row] * rows)} {on_conflict}"
            written += connection.exec_driver_sql(statement, parameters).rowcount
    return written
