"""A snapshot of an inventory: its states, its comparison with the published one, the limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

# The kind of its run.
INVENTORY_SYNC = "inventory_sync"


class SnapshotState(StrEnum):
    """What became of a snapshot; `held` and `dry_run` ones are kept for a decision until a newer sync replaces them."""

    PUBLISHED = "published"
    HELD = "held"
    DRY_RUN = "dry_run"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a snapshot is against the published inventory, in products.

    Of the rows that were `rejected` so many are `unidentified`: their id cannot be read either. While there is one, each product that is missing may
    be that one: then so many stay `unmarked`, and none is gone.
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
    def of(cls, snapshot: Row[Any]) -> Counts:
        """The counts of a row that has the columns of a snapshot."""
        return cls(**{one.name: getattr(snapshot, one.name) for one in fields(cls)})

    @property
    def compared(self) -> dict[str, int]:
        """The published seven; the others say what could not be compared."""
        return {
            name: count
            for name, count in asdict(self).items()
            if name not in {"unidentified", "unmarked"}
        }

    @property
    def unread(self) -> str | None:
        """What rows that could not be read mean for the inventory, a sentence for people; None without any."""
        if not self.rejected:
            return None
        rows = f"{_counted(self.rejected, 'row')} could not be read"
        if not self.unidentified:
            return f"{rows}: {'its product is' if self.rejected == 1 else 'their products are'} kept as before"
        missing = (
            f"{_counted(self.unmarked, 'missing product')} kept as before"
            if self.unmarked
            else "none is missing"
        )
        return f"{rows}, {self.unidentified:,} without an id: nothing is marked as gone, {missing}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The staged snapshot against the published inventory. `base` names the published snapshot (None: there is none yet).

    `suspicions` maps a reason (`empty`, `shrunk`, `other_seller`, `duplicate_id`, `currency`) to a sentence for a person; where there is one, the
    snapshot is held. A rejected row whose id can be read tells that this product is there. With one whose id cannot be read nothing is gone: it may
    be what seems to be missing.
    """

    counts: Counts
    base: int | None
    suspicions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncLimits:
    """A snapshot that lacks more than `shrink_percent` of the published products, and more than `shrink_rows` of them, is held."""

    shrink_percent: float = 10.0
    shrink_rows: int = 3
