"""A snapshot of an inventory: its states, its comparison with the published one, the limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from penstock.name import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

# The kind of run that syncs an account.
INVENTORY_SYNC = "inventory_sync"


class SnapshotState(StrEnum):
    """What became of a snapshot; held and dry-run ones are kept until a newer sync."""

    PUBLISHED = "published"
    HELD = "held"
    DRY_RUN = "dry_run"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCounts:
    """A snapshot against the published inventory, in numbers of products.

    Of the `rejected` rows, `unidentified` ones have no readable id. While there is one, any missing
    product may be that one: then `unmarked` products are missing, and none is gone.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    returned: int = 0
    rejected: int = 0
    unmapped: int = 0
    unidentified: int = 0
    unmarked: int = 0

    @classmethod
    def of(cls, snapshot: Row[Any]) -> SnapshotCounts:
        """The counts of a row with the columns of a snapshot."""
        return cls(**{one.name: getattr(snapshot, one.name) for one in fields(cls)})

    @property
    def compared(self) -> dict[str, int]:
        """The seven published counts; the others say what could not be compared."""
        counts = asdict(self)
        del counts["unidentified"], counts["unmarked"]
        return counts

    @property
    def differences(self) -> dict[str, int]:
        """The counts of products that differ from the published inventory."""
        kinds = ("new", "changed", "gone", "returned")
        return {kind: getattr(self, kind) for kind in kinds}

    @property
    def unread(self) -> str | None:
        """What unreadable rows mean for the inventory, in a sentence; None without any."""
        if not self.rejected:
            return None
        rows = f"{counted(self.rejected, 'row')} could not be read"
        if not self.unidentified:
            kept = "its product is" if self.rejected == 1 else "their products are"
            return f"{rows}: {kept} kept as before"
        missing = "none is missing"
        if self.unmarked:
            missing = f"{counted(self.unmarked, 'missing product')} kept as before"
        return f"{rows}, {self.unidentified:,} without an id: nothing is marked as gone, {missing}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The staged snapshot against the published one, `base` (None: there is none yet).

    `suspicions` maps a reason (`empty`, `shrunk`, `other_seller`, `duplicate_id`, `currency`) to a
    sentence; with any, the snapshot is held. A rejected row with a readable id proves that its
    product is there; without one nothing is gone, since it may be what seems to be missing.
    """

    counts: SnapshotCounts
    base: int | None
    suspicions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLimits:
    """A snapshot is held if it lacks more products than both limits, of those published."""

    shrink_percent: float = 10.0
    shrink_rows: int = 3
