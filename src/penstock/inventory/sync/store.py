"""The port that a sync writes through; `penstock.store` implements it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from penstock.inventory.product import Product, RejectedRow
    from penstock.inventory.sync.pace import SyncProgress
    from penstock.inventory.sync.snapshot import Comparison, Counts, SyncLimits
    from penstock.runs.context import RunContext
    from penstock.runs.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A seller's account. `token` is open here and sealed in the database; `user_id` is CardTrader's number of the seller."""

    id: int
    name: str
    token: str
    user_id: int


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
