"""The run: one execution of collecting, and the single record of what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

from penstock.http.tally import RequestTally

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence


class RunState(StrEnum):
    """Where a run is; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})


class Priority(IntEnum):
    """Which queued run comes first: what a person waits for, what others need, then schedules."""

    HIGH = 0
    MEDIUM = 5
    LOW = 10


@dataclass(frozen=True, slots=True)
class Counters:
    """What a run (or one flush of it) did, in rows and requests."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    requests: int = 0

    @property
    def written(self) -> int:
        """Rows that are now different in the database."""
        return self.inserted + self.updated

    def __add__(self, other: Counters) -> Counters:
        """The sum, field by field."""
        return Counters(
            inserted=self.inserted + other.inserted,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            rejected=self.rejected + other.rejected,
            requests=self.requests + other.requests,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The progress of a run in its own unit: `done` of `total`, the rate, the seconds left.

    `waiting_for` and `waiting_until` (ms) are there while it waits for something outside.
    """

    unit: str
    done: int
    total: int
    per_second: float = 0.0
    seconds_left: float | None = None
    waiting_for: str | None = None
    waiting_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is to be run.

    While the run is queued or running it holds `resources`, which no other active run may hold.
    `wait`: where they are held, queue behind their holder instead of being refused. `task_id`: a
    deterministic one makes a second submission of the same thing the same run, as does the same
    `idempotency_key`. `asked` is what somebody asked for, where `params` say more than that and may
    differ the next day: it tells a repeated request from another one under the same key. `job_name`
    stands on each log line.
    """

    kind: str
    params: Mapping[str, object]
    resources: Sequence[str] = ()
    priority: Priority = Priority.HIGH
    job_name: str | None = None
    wait: bool = False
    task_id: uuid.UUID | None = None
    idempotency_key: str | None = None
    asked: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A row of the execution log when its run starts; a run has at most one for each symbol."""

    job_type: str
    symbol: str | None = None
    exchange: str | None = None
    timeframe: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class LogNote:
    """What a run adds to its rows in the log, besides how it ended.

    `records`: rows written by this start that were not counted when they were written. `failed`:
    this part did although the run did not.
    """

    records: int = 0
    failed: bool = False
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run in the hands of its worker.

    Each start has its own `fence`; a write under an older one is refused. `attempt` counts from 1.
    `job_id` is the job that delivered this start, where an engine has jobs. `notes` are for its
    execution log, by symbol ("" without one); the worker writes them while it works, and `requests`
    counts what it sends.
    """

    id: int
    task_id: uuid.UUID
    fence: int
    kind: str
    params: Mapping[str, object] = field(default_factory=dict)
    job_name: str | None = None
    attempt: int = 1
    job_id: int | None = None
    notes: dict[str, LogNote] = field(default_factory=dict, compare=False, repr=False)
    requests: RequestTally = field(default_factory=RequestTally, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    state: RunState
    error: str | None = None
    result: Mapping[str, object] = field(default_factory=dict)
