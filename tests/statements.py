"""The statements that this process sends to its databases."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from unittest import mock

import psycopg
from sqlalchemy import Engine, event

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def statements_sent() -> Iterator[list[str]]:
    """Those sent while the block runs, without BEGIN and COMMIT."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    copy = psycopg.Cursor.copy

    def note_copy(cursor: psycopg.Cursor[Any], statement: str) -> Any:  # noqa: ANN401 - its own
        sent.append(statement)
        return copy(cursor, statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        # SQLAlchemy knows nothing of COPY.
        with mock.patch.object(psycopg.Cursor, "copy", note_copy):
            yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)
