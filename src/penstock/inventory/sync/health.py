"""The alert rules of the inventory domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.alerts.rules import BadSubject, SubjectRule
from penstock.inventory.queries.accounts import accounts_without_marking
from penstock.name import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row


def _stopped_markings(connection: Connection, _now: int) -> Sequence[BadSubject]:
    return [BadSubject(row.name, _unmarked(row)) for row in accounts_without_marking(connection)]


def _unmarked(row: Row[Any]) -> str:
    have = "has" if row.unidentified == 1 else "have"
    rows = counted(row.unidentified, "row")
    unread = f"{rows} of the newest export cannot be read and {have} no id"
    missing = "none is missing"
    if row.unmarked:
        are = "is" if row.unmarked == 1 else "are"
        missing = f"{counted(row.unmarked, 'missing product')} may be sold and {are} still shown"
    return f"{row.name}: no product is marked as gone, because {unread}; {missing}"


RULES = (
    SubjectRule(
        name="marking_stopped",
        counted="accounts with no product marked as gone",
        recovered="{subject}: missing products are marked as gone again",
        find=_stopped_markings,
    ),
)
