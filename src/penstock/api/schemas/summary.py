"""The installation in one answer, as its first page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from penstock.api.schemas.alert import AlertShown
from penstock.api.schemas.execution_log import Day, Stats
from penstock.api.schemas.shape import Moment, RowShape, Shape

if TYPE_CHECKING:
    from penstock.collection.jobs import Job
    from penstock.runs.beats import Beat

# How many executions of a job are shown.
BEATS = 30

BeatState = Literal["running", "success", "partial", "failed", "cancelled"]


class BeatShown(Shape):
    """An execution of a job: `failed` of its `rows` of the execution log failed."""

    started_at: Moment
    state: BeatState
    rows: int
    failed: int
    records: int
    duration_seconds: float | None
    error: str | None

    @classmethod
    def of(cls, beat: Beat) -> Self:
        """The shape of a beat."""
        return cls.made(cls.fields_of(beat, state=_state(beat)))


def _state(beat: Beat) -> BeatState:
    if beat.running:
        return "running"
    if beat.failed:
        return "failed" if beat.failed == beat.rows else "partial"
    return "cancelled" if beat.cancelled else "success"


class JobBeats(Shape):
    """The newest executions of a job, the newest last."""

    job_name: str
    beats: list[BeatShown]

    @classmethod
    def of(cls, job_name: str, beats: list[Beat]) -> Self:
        """The shape of a job's beats."""
        return cls(job_name=job_name, beats=[BeatShown.of(beat) for beat in beats])


class JobShown(Shape):
    """What runs automatically, and how it went; `config` is the id of its config, if it has one.

    `symbol` and `exchange` are those of the config.
    """

    name: str
    task_type: str
    config: int | None
    symbol: str | None
    exchange: str | None
    next_run_at: Moment | None = Field(description="null while it is disabled or asleep")
    asleep: str | None
    beats: list[BeatShown] = Field(description="the newest executions, the newest last")

    @classmethod
    def of(cls, job: Job, beats: list[Beat]) -> Self:
        """The shape of a job."""
        return cls.made(cls.fields_of(job, beats=[BeatShown.of(beat) for beat in beats]))


class BudgetShown(Shape):
    """What all processes used of a provider's limit in the running minute.

    `allowed` is null while no run of this process has used the provider.
    """

    provider: str
    used: int
    allowed: int | None
    pause_seconds: float


class SeriesCount(RowShape):
    """How many series there are, and how many of them miss candles that are expected."""

    total: int
    incomplete: int


class Summary(Shape):
    """The state of the installation at `now`, by the database's clock.

    `working`: whether a process works on queued runs. `day` is of the last 24 hours. `jobs` are
    the ones that need a look first.
    """

    now: Moment
    working: bool
    series: SeriesCount
    configs: int
    enabled_configs: int
    accounts: int
    day: Stats
    days: list[Day]
    jobs: list[JobShown]
    jobs_total: int
    upcoming: list[JobShown] = Field(description="what runs next, without beats")
    budgets: list[BudgetShown]
    alerts: list[AlertShown] = Field(description="those that fire, up to 20")
    firing: int
