"""For processes to be killed at a certain moment: they stop there and print `halted`.

A moment is a word that the script knows, or `before:2:candle`: just before the second commit of a
transaction that inserted into `candle`; with `after`, just after it. `never` is none.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from sqlalchemy import Engine, Pool, event

if TYPE_CHECKING:
    from sqlalchemy import Connection


def halt() -> None:
    """Stop the calling thread for ever."""
    os.write(1, b"halted\n")
    threading.Event().wait()


def halt_at_commit(moment: str) -> None:
    """Make this process halt at this commit; ignore moments that are not commits."""
    place, _, rest = moment.partition(":")
    if place not in {"before", "after"}:
        return
    number, _, table = rest.partition(":")
    inserting = f"insert into {table} ("
    commits = 0

    def look(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if inserting in statement.lower():
            connection.info["inserted"] = True

    def count(connection: Connection) -> None:
        nonlocal commits
        if not connection.info.pop("inserted", False):
            return
        commits += 1
        if commits == int(number):
            if place == "before":
                halt()
            connection.info["halt"] = True

    def given_back(_driver: object, record: object) -> None:
        if record.info.pop("halt", False):  # type: ignore[attr-defined]
            halt()

    event.listen(Engine, "before_cursor_execute", look)
    event.listen(Engine, "commit", count)
    event.listen(Pool, "checkin", given_back)
