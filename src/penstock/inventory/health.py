"""The alert rules of the inventory domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.alerts.rules import Bad, SubjectRule, counted
from penstock.inventory import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


def _stopped_markings(connection: Connection, _now: int) -> Sequence[Bad]:
    return [Bad(one.name, _unmarked(one)) for one in queries.stopped_markings(connection)]


def _unmarked(one: Any) -> str:  # noqa: ANN401 - a row of the query
    rows = f"{counted(one.unidentified, 'row')} of the newest export cannot be read and {'has' if one.unidentified == 1 else 'have'} no id"
    missing = (
        f"{counted(one.unmarked, 'missing product')} may be sold and {'is' if one.unmarked == 1 else 'are'} still shown"
        if one.unmarked
        else "none is missing"
    )
    return f"{one.name}: no product is marked as gone, because {rows}; {missing}"


RULES = (
    SubjectRule(
        name="marking_stopped",
        counted="accounts of which no product is marked as gone",
        recovered="{subject}: what is missing is marked as gone again",
        find=_stopped_markings,
    ),
)
