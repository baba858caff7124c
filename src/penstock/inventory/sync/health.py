"""The alert rules of the inventory domain. Times are ms."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from penstock.alerts.rules import BadSubject, SubjectRule, duration
from penstock.inventory.queries.accounts import (
    accounts_with_held_sync,
    accounts_without_marking,
)
from penstock.inventory.queries.schedules import scheduled_accounts
from penstock.moment import iso
from penstock.name import counted
from penstock.runs.schedule import Timing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row

# How long the scheduler may take to submit what is due.
_ALLOWANCE_MS = 60_000


def _held_syncs(connection: Connection, _now: int) -> Sequence[BadSubject]:
    return [BadSubject(row.name, _held(row)) for row in accounts_with_held_sync(connection)]


def _held(row: Row[Any]) -> str:
    why, name = "; ".join(row.suspicions.values()), shlex.quote(row.name)
    return (
        f"{row.name}: a sync is held since {iso(row.taken_at)} and nothing is published: {why};"
        f" see penstock diff {name}, then run penstock approve {name} or penstock reject {name}"
    )


def _late_inventories(connection: Connection, now: int) -> Sequence[BadSubject]:
    return list(_late(scheduled_accounts(connection), now))


def _late(rows: Sequence[Row[Any]], now: int) -> Iterator[BadSubject]:
    """The accounts of which two syncs were due since the last one that published."""
    for row in rows:
        timing = Timing(interval_s=row.interval_s, cron=row.cron, timezone=row.timezone)
        # A new or changed schedule has its first turn ahead.
        since = max(row.published_at or 0, row.configured_at)
        if now > timing.after(timing.after(since)) + _ALLOWANCE_MS:
            name = shlex.quote(row.name)
            state = f"nothing was published for {duration((now - since) / 1000)}"
            yield BadSubject(
                row.name,
                f"{row.name}: {state}, and two scheduled syncs were due; see penstock accounts,"
                f" or run penstock sync {name}",
            )


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
        name="sync_held",
        counted="accounts with a held sync",
        recovered="{subject}: no sync is held any more",
        find=_held_syncs,
    ),
    SubjectRule(
        name="late_inventory",
        counted="accounts of which scheduled syncs publish nothing",
        recovered="{subject}: the inventory is up to date again",
        find=_late_inventories,
    ),
    SubjectRule(
        name="marking_stopped",
        counted="accounts with no product marked as gone",
        recovered="{subject}: missing products are marked as gone again",
        find=_stopped_markings,
    ),
)
