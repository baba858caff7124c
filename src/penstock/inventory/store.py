"""The port that a sync writes through; `penstock.store` implements it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from penstock.inventory.pace import SyncProgress
    from penstock.inventory.product import Product, RejectedRow
    from penstock.inventory.result import SyncResult
    from penstock.inventory.snapshot import Comparison, SnapshotCounts, SyncLimits
    from penstock.runs.context import RunContext
    from penstock.runs.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccount:
    """A seller's account with its token in the clear; `user_id` is the seller at CardTrader."""

    id: int
    name: str
    token: str
    user_id: int


class Staging(Protocol):
    """The staged rows of one sync, invisible to all others."""

    async def add(self, products: Sequence[Product]) -> None:
        """Stage products."""

    async def refuse(self, rows: Sequence[RejectedRow]) -> None:
        """Put rows that are no products into quarantine."""

    async def compare(self, limits: SyncLimits) -> Comparison:
        """Compare everything staged with what is published."""

    async def publish(self, comparison: Comparison) -> SnapshotCounts:
        """Publish the snapshot with its history and the run's counters, in one transaction.

        ConflictError if the published snapshot is no longer the base.
        """

    async def keep(self, comparison: Comparison, *, held: bool) -> None:
        """Keep the difference: for a decision (`held`), or as the answer of a dry run."""


class InventoryStore(Protocol):
    """Where the inventory goes; `penstock.store` implements it for each database."""

    async def account(self, account_id: int) -> StoredAccount:
        """The account; NotFoundError if there is none."""

    async def published_by(self, run: Run) -> SyncResult | None:
        """What an earlier start of the run has published, if anything."""

    def staging(
        self, context: RunContext, account: StoredAccount
    ) -> AbstractAsyncContextManager[Staging]:
        """An empty staging area, which is gone at the end."""

    async def progress(self, context: RunContext, progress: SyncProgress) -> None:
        """Show the progress of the run."""
