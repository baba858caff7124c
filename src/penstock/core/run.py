"""The run: one execution of collecting, and the single record of what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

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


@dataclass(frozen=True, slots=True)
class Run:
    """A claimed, running run. Each start of it has its own `fence`; a write under an older fence is refused."""

    id: int
    task_id: uuid.UUID
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a run ended."""

    state: RunState
    error: str | None = None
    result: Mapping[str, object] = field(default_factory=dict)


class RunLedger(Protocol):
    """Where runs are recorded and what they touch is claimed."""

    async def start(self, kind: str, params: Mapping[str, object], resources: Sequence[str]) -> Run:
        """Record a new running run that holds `resources`.

        Raises ConflictError when a live run holds one of them; runs whose worker died are failed first and their resources freed.
        """

    async def heartbeat(self, run: Run) -> None:
        """Say that the run's worker lives; FencedError when somebody else has taken the run over."""

    async def finish(self, run: Run, end: RunEnd) -> None:
        """Record the end and free the run's resources; FencedError as above."""
