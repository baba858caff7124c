"""INSERT … ON CONFLICT in the words of either database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Insert, Table


def upsert(
    connection: Connection,
    table: Table,
    *,
    key: Sequence[str],
    change: Sequence[str],
    **computed: ColumnElement[Any],
) -> Insert:
    """Insert, or where `key` is there already set the columns of `change` to the new values and those of `computed` to theirs."""
    insert_into = _insert(connection, table)
    changed = {name: insert_into.excluded[name] for name in change} | computed
    put: Insert = insert_into.on_conflict_do_update(index_elements=list(key), set_=changed)
    return put


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Insert, or leave what is there alone, whichever of its keys it is."""
    # SQLAlchemy forgets how many rows an INSERT wrote unless it is asked to remember.
    put: Insert = (
        _insert(connection, table)
        .on_conflict_do_nothing()
        .execution_options(preserve_rowcount=True)
    )
    return put


def _insert(connection: Connection, table: Table) -> Any:  # noqa: ANN401 - the two dialects have no common type for what they share
    return (
        postgresql.insert(table)
        if connection.dialect.name == "postgresql"
        else sqlite.insert(table)
    )
