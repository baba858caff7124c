"""What one sync of an account works with: where its rows are staged, compared and published, and what it says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Row

    from penstock.inventory.product import Product, RejectedRow
    from penstock.runs.context import RunContext
    from penstock.runs.run import Run

# The kind of its run.
INVENTORY_SYNC = "inventory_sync"


class Phase(StrEnum):
    """Where a sync is."""

    EXPORT = "export"
    PARSE = "parse"
    CHECK = "check"
    PUBLISH = "publish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A seller's account. `token` is open here and sealed in the database; `user_id` is CardTrader's number of the seller."""

    id: int
    name: str
    token: str
    user_id: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncProgress:
    """What is shown of a running sync: bytes as they came over the wire, products staged, seconds left as far as that can be known."""

    phase: Phase
    percent: int
    message: str
    bytes: int = 0
    rows: int = 0
    rows_per_second: float = 0.0
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What a run has published: the rows of its export, and the bytes as they came over the wire."""

    counts: Counts
    rows: int
    bytes: int


class Staging(Protocol):
    """The staged rows of one sync, seen by nobody else."""

    async def add(self, products: Sequence[Product]) -> None:
        """Stage a page."""

    async def refuse(self, rows: Sequence[RejectedRow]) -> None:
        """Put rows that are no products into quarantine."""

    async def compare(self, limits: SyncLimits) -> Comparison:
        """Compare what is staged, all of it, with what is published."""

    async def publish(self, comparison: Comparison) -> Counts:
        """Make the snapshot the published one, with history and the run's counters, in one transaction; ConflictError on another base."""

    async def keep(self, comparison: Comparison, *, held: bool) -> None:
        """Keep the difference, readable: for a decision (`held`), or as the answer of a dry run."""


class InventoryStore(Protocol):
    """Where the inventory goes; implemented by `penstock.store` for each database."""

    async def account(self, account_id: int) -> Account:
        """NotFoundError when there is none."""

    async def published_by(self, run: Run) -> Published | None:
        """What an earlier start of the run has published and could not say any more; None: nothing."""

    def staging(
        self, context: RunContext, account: Account
    ) -> AbstractAsyncContextManager[Staging]:
        """An empty staging area, gone at the end."""

    async def progress(self, context: RunContext, progress: SyncProgress) -> None:
        """Show where the run is."""
