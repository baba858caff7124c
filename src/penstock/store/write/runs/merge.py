"""The merge of any table: rows are written by key, if they are new or different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import select, tuple_

from penstock.columns import Exact
from penstock.runs.context import Writing
from penstock.runs.run import Counters
from penstock.store.statements.upsert import insert_or_ignore, upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

Rows: TypeAlias = Sequence[Mapping[str, Any]]

_ROWS_AT_ONCE = 500


class SqlWriting(Writing):
    """The Writing of a database."""

    def merge(self, table: Table, rows: Rows) -> Counters:
        """Write rows by key; gives how many are new, different and unchanged."""
        merged = Counters()
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            merged += _merge(self.connection, table, rows[first : first + _ROWS_AT_ONCE])
        self.count(merged)
        return merged


def _merge(connection: Connection, table: Table, rows: Rows) -> Counters:
    keys = [column.name for column in table.primary_key]
    wanted = {tuple(row[name] for name in keys): row for row in rows}
    there = select(table).where(tuple_(*table.primary_key).in_(list(wanted)))
    present = {
        tuple(row[name] for name in keys): row for row in connection.execute(there).mappings()
    }
    new = [row for key, row in wanted.items() if key not in present]
    changed = [
        row for key, row in wanted.items() if key in present and _differs(table, present[key], row)
    ]
    if new:
        connection.execute(insert_or_ignore(connection, table), new)
    if changed:
        change = [name for name in changed[0] if name not in keys]
        connection.execute(upsert(connection, table, change=change), changed)
    return Counters(
        inserted=len(new), updated=len(changed), unchanged=len(wanted) - len(new) - len(changed)
    )


def _differs(table: Table, now: Mapping[Any, Any], then: Mapping[str, Any]) -> bool:
    return any(
        _exact(table, name, now[name]) != _exact(table, name, value) for name, value in then.items()
    )


def _exact(table: Table, name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    """`1.0` and `1.00` are the same amount."""
    return Decimal(value) if isinstance(table.c[name].type, Exact) and value is not None else value
