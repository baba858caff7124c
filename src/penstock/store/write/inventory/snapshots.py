"""Inventories: staged apart, compared, and published in one transaction."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from heapq import nsmallest
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import select, text

from penstock.errors import StoreUnavailableError
from penstock.inventory.pace import Phase, SyncProgress
from penstock.inventory.queries.syncs import sync_row
from penstock.inventory.result import SyncResult
from penstock.inventory.snapshot import Comparison, SnapshotCounts, SnapshotState, SyncLimits
from penstock.inventory.store import StoredAccount
from penstock.inventory.tables import account as accounts
from penstock.inventory.tables import inventory_sync, product_quarantine
from penstock.runs.context import Shown
from penstock.runs.events import RunChanged
from penstock.runs.run import Counters
from penstock.runs.tables import run as runs
from penstock.store.postgres.staging import PostgresArea, give_time
from penstock.store.session.backend import announce
from penstock.store.sqlite.staging import SqliteArea
from penstock.store.statements import inventory as sql
from penstock.store.statements.upsert import upsert
from penstock.store.write.inventory import publish as publishing
from penstock.store.write.inventory.accounts import unknown_account
from penstock.store.write.inventory.check import SnapshotFacts, suspicions
from penstock.store.write.quarantine import MOST_KEPT, put_refused, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Connection

    from penstock.access.vault import Vault
    from penstock.inventory.product import Product, RejectedRow
    from penstock.runs.context import RunContext, Writing
    from penstock.runs.run import Run
    from penstock.store.session.database import Database

# Where rows are staged; each database has its own way.
Area: TypeAlias = PostgresArea | SqliteArea

_CURRENCY, _USER = attrgetter("price_currency"), attrgetter("user_id")
_DIFFERENT_ROWS = 5_000


class SqlInventoryStore:
    """The InventoryStore of a database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def account(self, account_id: int) -> StoredAccount:
        """The account with its token in the clear; NotFoundError if there is none."""
        wanted = select(accounts).where(accounts.c.id == account_id)
        row = await self._database.read(lambda connection: connection.execute(wanted).one_or_none())
        if row is None:
            raise unknown_account(account_id)
        return StoredAccount(
            id=row.id, name=row.name, token=self._vault.open(row.token), user_id=row.user_id
        )

    async def published_by(self, run: Run) -> SyncResult | None:
        """What the run has published, if anything."""
        sync = await self._database.read(lambda connection: sync_row(connection, run.id))
        if sync is None or sync.state != SnapshotState.PUBLISHED:
            return None
        return SyncResult(counts=SnapshotCounts.of(sync), rows=sync.rows, bytes=sync.bytes)

    @contextlib.asynccontextmanager
    async def staging(
        self, context: RunContext, account: StoredAccount
    ) -> AsyncIterator[SqlStaging]:
        """An empty staging area, which is gone at the end."""
        run = context.run
        await context.write(lambda writing: _show(writing.connection, run, account.id))
        first = (
            await self._database.read(lambda connection: publishing.base_of(connection, account.id))
            is None
        )
        area: Area = (
            SqliteArea(self._database, file, run, first=first)
            if (file := self._database.file)
            else PostgresArea(self._database, first=first)
        )
        try:
            await area.open()
            yield SqlStaging(context, area, account)
        finally:
            await area.close()

    async def progress(self, context: RunContext, progress: SyncProgress) -> None:
        """Show the progress of the run."""
        await context.write(lambda writing: _progress(writing, progress))

    async def approve(self, run_id: int) -> SnapshotCounts:
        """Publish what a run kept; ConflictError if its base is outdated or it was replaced."""
        words = sql.SQLITE if self._database.file else sql.POSTGRES

        def approve(connection: Connection) -> SnapshotCounts:
            give_time(connection)
            counts = publishing.approve(connection, words, run_id)
            _note_decision(connection, run_id, "Approved and published")
            return counts

        return await self._database.write(approve, hurried=False)

    async def reject(self, run_id: int) -> None:
        """Drop what a run kept."""

        def reject(connection: Connection) -> None:
            publishing.reject(connection, run_id)
            _note_decision(connection, run_id, "Rejected, the inventory is as it was")

        await self._database.write(reject, hurried=False)


def _note_decision(connection: Connection, run_id: int, message: str) -> None:
    """Show the decision on the run, and tell its followers."""
    connection.execute(runs.update().where(runs.c.id == run_id).values(message=message))
    announce(connection, RunChanged(run_id))


def _show(connection: Connection, run: Run, account_id: int) -> None:
    put = upsert(connection, inventory_sync, change=("phase",))
    connection.execute(put, {"run_id": run.id, "account_id": account_id, "phase": Phase.EXPORT})


def _progress(writing: Writing, progress: SyncProgress) -> None:
    shown = {
        name: value
        for name, value in asdict(progress).items()
        if name not in {"percent", "message"}
    }
    writing.connection.execute(
        inventory_sync.update().where(inventory_sync.c.run_id == writing.run.id).values(shown)
    )
    writing.show(Shown(progress.percent, progress.message))


@dataclass(slots=True)
class _Seen:
    """What was staged so far."""

    rows: int = 0
    rejected: int = 0
    unidentified: int = 0
    currencies: Counter[str] = field(default_factory=Counter)
    users: Counter[int] = field(default_factory=Counter)

    def add(self, products: Sequence[Product]) -> None:
        """Count a page."""
        self.rows += len(products)
        self.currencies.update(map(_CURRENCY, products))
        self.users.update(map(_USER, products))


class SqlStaging:
    """The Staging of a database."""

    def __init__(self, context: RunContext, area: Area, account: StoredAccount) -> None:
        self._context = context
        self._area = area
        self._account = account
        self._seen = _Seen()
        self._taken: publishing.Taken | None = None

    async def add(self, products: Sequence[Product]) -> None:
        """Stage products."""
        await self._area.stage(lambda connection: self._area.put(connection, products))
        self._seen.add(products)

    async def refuse(self, rows: Sequence[RejectedRow]) -> None:
        """Put the first rows of a run into quarantine, and note the ids of all that are there."""
        if kept := rows[: max(0, MOST_KEPT - self._seen.rejected)]:
            await self._context.write(lambda writing: _refuse(writing, self._account.id, kept))
        there = [{"product_id": one.product_id} for one in rows if one.product_id is not None]
        if there:
            await self._area.stage(lambda connection: connection.execute(text(sql.UNREAD), there))
        self._seen.rejected += len(rows)
        self._seen.unidentified += len(rows) - len(there)

    async def compare(self, limits: SyncLimits) -> Comparison:
        """Compare everything staged with what is published."""
        self._taken = taken = await self._area.compare(
            lambda connection: self._compare(connection, limits)
        )
        return Comparison(counts=taken.counts, base=taken.base, suspicions=taken.suspicions)

    async def publish(self, comparison: Comparison) -> SnapshotCounts:
        """Publish the snapshot under the run's fence."""
        taken = self._compared(comparison)

        def publish(writing: Writing) -> None:
            publishing.publish(writing.connection, self._area.words, taken)
            rejected = Counters(rejected=taken.counts.rejected)
            writing.count(publishing.written(taken.counts) + rejected)

        await self._context.write(publish, within=self._area.publish)
        return taken.counts

    async def keep(self, comparison: Comparison, *, held: bool) -> None:
        """Keep the difference under the run's fence."""
        taken = self._compared(comparison)
        state = SnapshotState.HELD if held else SnapshotState.DRY_RUN

        def keep(writing: Writing) -> None:
            publishing.keep(writing.connection, self._area.words, taken, state)
            writing.count(Counters(rejected=taken.counts.rejected))

        await self._context.write(keep, within=self._area.publish)

    def _compared(self, comparison: Comparison) -> publishing.Taken:
        taken = self._taken
        if taken is None or (comparison.counts, comparison.base) != (taken.counts, taken.base):
            raise RuntimeError("a comparison is published by the staging area that made it")
        return taken

    def _compare(self, connection: Connection, limits: SyncLimits) -> publishing.Taken:
        facts = self._facts(connection)
        base = publishing.base_of(connection, self._account.id)
        kinds = {"new": facts.rows} if base is None else self._diff(connection)
        missing = (base.products if base else 0) - (
            facts.rows - kinds.get("new", 0) - kinds.get("returned", 0)
        )
        gone = 0
        if missing and not self._seen.unidentified:
            gone = connection.execute(text(sql.GONE), {"account": self._account.id}).rowcount
        written = {name: kinds.get(name, 0) for name in ("new", "changed", "returned")}
        counts = SnapshotCounts(
            **written,
            unchanged=facts.rows - sum(written.values()),
            gone=gone,
            rejected=self._seen.rejected,
            unmapped=connection.execute(text(sql.UNMAPPED)).scalar_one(),
            unidentified=self._seen.unidentified,
            unmarked=missing if self._seen.unidentified else 0,
        )
        return publishing.Taken(
            account_id=self._account.id,
            run_id=self._context.run.id,
            base=base and base.id,
            counts=counts,
            products=facts.rows + missing - gone,
            currencies=facts.currencies,
            suspicions=suspicions(facts, base, counts, limits, self._account),
        )

    def _diff(self, connection: Connection) -> Counter[str]:
        """Number of differing rows of each kind."""
        kinds: Counter[str] = Counter()
        connection.execute(text("DELETE FROM inventory_diff"))
        streamed = {"stream_results": True, "max_row_buffer": _DIFFERENT_ROWS}
        found = connection.execute(
            text(sql.compare(self._area.words)),
            {"account": self._account.id},
            execution_options=streamed,
        )
        for rows in found.partitions(_DIFFERENT_ROWS):
            self._area.put_different(connection, rows)
            kinds.update(row.kind for row in rows)
        return kinds

    def _facts(self, connection: Connection) -> SnapshotFacts:
        """What is staged, with one row of each id."""
        seen, staged = self._seen, connection.execute(text(sql.STAGED_COUNT)).one()
        if staged.rows != seen.rows:
            raise StoreUnavailableError(
                "the staging area was lost with its connection to the database"
            )
        twice = connection.execute(text(sql.TWICE)).all() if staged.ids < staged.rows else []
        if twice:
            connection.execute(text(sql.drop_twice(self._area.words)))
        return SnapshotFacts(
            rows=staged.ids,
            twice=twice[0].ids if twice else 0,
            twice_sample=[row.product_id for row in twice],
            currencies=dict(seen.currencies.most_common()),
            strangers=seen.rows - seen.users[self._account.user_id],
            users=nsmallest(3, seen.users),
        )


def _refuse(writing: Writing, account_id: int, rows: Sequence[RejectedRow]) -> None:
    """The run counts them at its end, since it may start anew."""
    owned = {"account_id": account_id, "run_id": writing.run.id}
    values = [
        refused(row.reason, row.detail, row.raw) | owned | {"product_id": row.product_id}
        for row in rows
    ]
    put_refused(writing.connection, product_quarantine, "account_id", values)
