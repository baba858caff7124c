"""INSERT … ON CONFLICT for either database."""

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
    change: Sequence[str],
    key: Sequence[str] = (),
    **computed: ColumnElement[Any],
) -> Insert:
    """Insert, or if the key exists, set `change` to the new values and `computed` as given.

    The key is the primary one unless another is named.
    """
    insert_into = _insert(connection, table)
    changed = {name: insert_into.excluded[name] for name in change} | computed
    put: Insert = insert_into.on_conflict_do_update(
        index_elements=key or table.primary_key, set_=changed
    )
    return put


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Insert, or ignore a row that exists, by any of its keys."""
    # SQLAlchemy forgets how many rows an INSERT wrote unless it is asked to remember.
    put: Insert = (
        _insert(connection, table)
        .on_conflict_do_nothing()
        .execution_options(preserve_rowcount=True)
    )
    return put


def _insert(connection: Connection, table: Table) -> Any:  # noqa: ANN401 - no common type
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
