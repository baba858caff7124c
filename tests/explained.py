"""Query plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


def explained(connection: Connection, read: Callable[[], object], which: int) -> str:
    """The plan of the statement that `read` sends at this position."""
    sent: list[tuple[str, Any]] = []

    def note(
        _connection: object, _cursor: object, statement: str, parameters: object, *_more: object
    ) -> None:
        sent.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    read()
    event.remove(connection, "before_cursor_execute", note)
    statement, parameters = sent[which]
    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    return (
        "\n".join(
            str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)
        )
        + "\n"
    )
