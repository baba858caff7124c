"""The result of a sync."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from penstock.name import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.inventory.snapshot import SnapshotCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncResult:
    """What came of a sync.

    If it is held for a decision, or after a dry run, the published inventory is unchanged.
    """

    counts: SnapshotCounts
    rows: int
    bytes: int
    suspicions: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False

    @property
    def held(self) -> bool:
        """Whether a person has to decide."""
        return bool(self.suspicions) and not self.dry_run

    @property
    def written(self) -> int:
        """How many products changed in the inventory."""
        return 0 if self.held or self.dry_run else sum(self.counts.differences.values())

    @property
    def message(self) -> str:
        """The result in a sentence."""
        counts = self.counts
        if self.suspicions:
            held = "Would be held" if self.dry_run else "Held"
            return f"{held}: {' '.join(self.suspicions.values())}"
        numbers = counts.differences.items()
        named = ", ".join(f"{number:,} {kind}" for kind, number in numbers if number)
        if not (named or counts.unread):
            return f"Nothing changed: {counted(counts.unchanged, 'product')} up to date"
        done = "Would be published" if self.dry_run else "Published"
        published = f"{done}: {named or 'no changes'}, {counts.unchanged:,} unchanged"
        return f"{published}; {counts.unread}" if counts.unread else published

    def summary(self) -> Mapping[str, object]:
        """The result of the run, as JSON values."""
        return {
            "message": self.message,
            "suspicions": dict(self.suspicions),
            "unread": self.counts.unread,
            **self.logged(),
        }

    def logged(self) -> dict[str, object]:
        """What the execution log keeps of it."""
        return {
            "counts": self.counts.compared,
            "held": self.held,
            "dry_run": self.dry_run,
            "bytes": self.bytes,
            "rows": self.rows,
        }
