"""The alerts and their targets as they are shown: without what is secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, desc, func, select

from penstock.alerts.book import Alert, AlertState, TargetKind, TargetRow
from penstock.alerts.tables import alert, alert_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row


# The columns of a target that are not secret.
SHOWN = [alert_target.c[name] for name in ("id", "name", "kind", "shown", "enabled", "created_at")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertList:
    """Which alerts to list: firing ones first, each kind with the newest change first."""

    limit: int
    skip: int = 0
    state: AlertState | None = None


def list_alerts(connection: Connection, query: AlertList) -> list[Alert]:
    """The alerts of a list."""
    firing_first = case((alert.c.state == AlertState.FIRING, 0), else_=1)
    wanted = (
        select(alert)
        .order_by(firing_first, desc(alert.c.since), alert.c.rule, alert.c.subject)
        .limit(query.limit)
        .offset(query.skip)
    )
    if query.state is not None:
        wanted = wanted.where(alert.c.state == query.state)
    return [alert_of(row) for row in connection.execute(wanted)]


def firing_counts(connection: Connection, rules: Sequence[str]) -> dict[str, int]:
    """How many alerts of each rule fire; a former rule is there while one of its alerts does."""
    counted = (
        select(alert.c.rule, func.count())
        .where(alert.c.state == AlertState.FIRING)
        .group_by(alert.c.rule)
    )
    return dict.fromkeys(rules, 0) | dict(map(tuple, connection.execute(counted)))


def rule_states(connection: Connection, rules: Sequence[str]) -> dict[str, AlertState]:
    """The state of each rule: firing for any subject, else resolved in the last week, else ok."""
    found = {
        (row.rule, row.state)
        for row in connection.execute(select(alert.c.rule, alert.c.state).distinct())
    }
    order = (AlertState.FIRING, AlertState.RESOLVED)
    return {
        rule: next((state for state in order if (rule, state) in found), AlertState.OK)
        for rule in rules
    }


def alert_of(row: Row[Any]) -> Alert:
    """An alert of a row of the table."""
    return Alert(**{**row._asdict(), "state": AlertState(row.state)})


def list_targets(connection: Connection) -> list[TargetRow]:
    """All targets, by id."""
    listed = select(*SHOWN).order_by(alert_target.c.id)
    return [target_of(row) for row in connection.execute(listed)]


def target_of(row: Row[Any]) -> TargetRow:
    """A target of a row with the columns SHOWN."""
    return TargetRow(**{**row._asdict(), "kind": TargetKind(row.kind)})
