"""The declaration of Penstock's own upkeep: the retention of the execution log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.collection.domain import Domain, RunKind
from penstock.runs.schedule import Schedule
from penstock.store.write.retention import LOG_RETENTION, LogRetention, retention

if TYPE_CHECKING:
    from penstock.domains.parts import Parts

_HOUR_S = 3_600


def declare(parts: Parts) -> Domain:
    """The entry point."""
    return Domain(
        name="upkeep",
        kinds=[
            RunKind(
                name=LOG_RETENTION,
                work=LogRetention(parts.settings.execution_log_retention_days),
                plan=retention,
            )
        ],
        schedules=[
            Schedule(
                name=LOG_RETENTION,
                kind=LOG_RETENTION,
                interval_s=_HOUR_S,
                first_after_s=_HOUR_S,
                params={},
            )
        ],
    )
