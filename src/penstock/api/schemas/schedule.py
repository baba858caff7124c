"""A schedule as the API and the commands show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape

if TYPE_CHECKING:
    from penstock.store.write.schedules import ScheduleRow


class ScheduleShown(Shape):
    """A schedule: `name` is the job name of its runs, `task_type` what they do.

    Either an interval or a cron expression says when. `next_run_at` is null while it is disabled or
    asleep.
    """

    name: str
    task_type: str
    enabled: bool
    interval_seconds: int | None
    cron: str | None
    timezone: str | None
    next_run_at: Moment | None
    last_run_at: Moment | None
    asleep: str | None = Field(description="why it submits nothing now; null while it does")
    params: dict[str, Any]

    @classmethod
    def of(cls, row: ScheduleRow) -> Self:
        """The shape of a schedule."""
        kept = row.schedule
        return cls(
            **cls.fields_of(
                kept,
                task_type=kept.kind,
                enabled=row.enabled,
                interval_seconds=kept.interval_s,
                next_run_at=row.next_run_at if row.enabled and row.asleep is None else None,
                last_run_at=row.last_run_at,
                asleep=row.asleep,
            )
        )
