"""A sync as the API, the WebSocket and the commands show it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape
from penstock.api.schemas.task import STATUS, Status, message_of
from penstock.inventory.snapshot import SnapshotCounts, SnapshotState
from penstock.runs.run import RunState

if TYPE_CHECKING:
    from penstock.inventory.queries.syncs import SyncRun

# What is shown of a sync that has no row of its own yet.
_NOT_BEGUN = SimpleNamespace(
    phase=None,
    bytes=0,
    rows=0,
    rows_per_second=0.0,
    eta_seconds=None,
    state=None,
    suspicions=None,
)
_UNIDENTIFIED = "of the rejected rows, those whose id cannot be read: with one, nothing is gone"


class SyncCounts(Shape):
    """The snapshot compared with the published inventory, in products; zeros until then.

    Rejected ones are rows.
    """

    new: int
    changed: int
    unchanged: int
    gone: int
    returned: int
    rejected: int
    unmapped: int


class Sync(Shape):
    """A sync. `held`: it waits for a decision now.

    `state` is what became of its snapshot, null until there is one.
    """

    task_id: str
    account_id: int
    dry_run: bool
    status: Status
    phase: Literal["export", "parse", "check", "publish"] | None = Field(
        description="null before it has begun"
    )
    progress: int = Field(ge=0, le=100)
    message: str
    bytes: int = Field(description="received, as they came over the wire")
    rows: int = Field(description="products read")
    rows_per_second: float
    eta_seconds: float | None
    counts: SyncCounts
    held: bool
    state: SnapshotState | None
    suspicions: dict[str, str] = Field(
        description="reason: a sentence; why it was held, or would be"
    )
    unidentified: int = Field(description=_UNIDENTIFIED)
    unmarked: int = Field(description="missing products that stay because of these rows")
    unread: str | None = Field(
        description="what unreadable rows mean for the inventory, a sentence; null without any"
    )
    error: str | None
    result: dict[str, Any] | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None

    @classmethod
    def of(cls, sync: SyncRun) -> Self:
        """The shape of a sync."""
        run, begun = sync.run, sync.begun or _NOT_BEGUN
        counts = SnapshotCounts.of(sync.begun) if sync.begun and begun.state else SnapshotCounts()
        return cls.made(
            cls.fields_of(
                run,
                account_id=sync.account_id,
                dry_run=sync.dry_run,
                status=STATUS[run.state],
                phase=begun.phase,
                message=message_of(run),
                bytes=begun.bytes,
                rows=begun.rows,
                rows_per_second=begun.rows_per_second,
                eta_seconds=begun.eta_seconds if run.state is RunState.RUNNING else None,
                counts=SyncCounts.made(counts.compared),
                held=begun.state == SnapshotState.HELD,
                state=begun.state and SnapshotState(begun.state),
                suspicions=begun.suspicions or {},
                unidentified=counts.unidentified,
                unmarked=counts.unmarked,
                unread=counts.unread,
            )
        )
