"""The syncs of accounts: their submissions, and the work of their runs."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from penstock.errors import (
    ConflictError,
    FencedError,
    RetryableError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from penstock.inventory.export.lane import Lane, beside
from penstock.inventory.export.pipeline import MOST_BYTES, stage
from penstock.inventory.export.spool import blocks_of
from penstock.inventory.pace import Phase, SyncPace
from penstock.inventory.result import SyncResult
from penstock.inventory.snapshot import INVENTORY_SYNC
from penstock.runs.run import LogNote, Priority, Submission

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
    )
    from pathlib import Path

    from penstock.inventory.export.spool import ExportSpool, SpoolWriter
    from penstock.inventory.snapshot import Comparison, SnapshotCounts, SyncLimits
    from penstock.inventory.source import InventorySource
    from penstock.inventory.store import InventoryStore, Staging, StoredAccount
    from penstock.runs.context import RunContext

_log = structlog.stdlib.get_logger()


def submission_of(
    account_id: int,
    name: str,
    *,
    dry_run: bool = False,
    priority: Priority = Priority.HIGH,
    wait: bool = False,
) -> Submission:
    """The run that syncs an account; its execution log shows the `name`."""
    return Submission(
        kind=INVENTORY_SYNC,
        params={"account_id": account_id, "account": name, "dry_run": dry_run},
        resources=[f"account:{account_id}"],
        priority=priority,
        job_name=f"inventory_sync_{account_id}",
        wait=wait,
    )


@contextlib.contextmanager
def name_running_sync() -> Iterator[None]:
    """Word the ledger's ConflictError for an inventory, in a block that submits a sync."""
    try:
        yield
    except ConflictError as error:
        if error.task_id is None:
            raise
        raise ConflictError(
            f"Inventory sync already running: task {error.task_id} is syncing this account;"
            " wait for it, or cancel it",
            task_id=error.task_id,
        ) from None


@dataclass(frozen=True, slots=True)
class InventoryRuns:
    """Submits syncs, and does the work of their runs.

    `on_published` is called for each published account. `export_bytes` is the most of an export.
    """

    source: InventorySource
    store: InventoryStore
    spool: ExportSpool
    limits: SyncLimits
    on_published: Callable[[RunContext, StoredAccount], Awaitable[None]] | None = None
    export_bytes: int = MOST_BYTES

    async def sync(
        self, account_id: int, *, dry_run: bool = False, wait: bool = False
    ) -> Submission:
        """The run that syncs an account, or says what would change; NotFoundError without it."""
        account = await self.store.account(account_id)
        return submission_of(account.id, account.name, dry_run=dry_run, wait=wait)

    async def sync_account(self, context: RunContext) -> SyncResult:
        """The work of a sync."""
        try:
            return await self._synced(context)
        except asyncio.CancelledError:
            # What is committed cannot be cancelled: then the run ends as after a takeover.
            if await self.store.published_by(context.run) is None:
                raise
            return await self._synced(context)

    async def _synced(self, context: RunContext) -> SyncResult:
        run = context.run
        account = await self.store.account(int(str(run.params["account_id"])))
        note = run.notes[str(run.params.get("account", ""))] = LogNote(
            metadata={"dry_run": bool(run.params.get("dry_run"))}
        )
        await asyncio.to_thread(self.spool.sweep)
        try:
            # After an earlier start that published and died nothing would differ.
            result = await self.store.published_by(run)
            if result is None:
                result = await _Sync(self, context, account).work()
        except (RetryableError, FencedError, asyncio.CancelledError):
            # The run may go on, here or elsewhere, and then needs the body; else it is swept later.
            raise
        except BaseException:
            await asyncio.to_thread(self.spool.remove, run)
            raise
        note.records, note.metadata = result.written, result.logged()
        await asyncio.to_thread(self.spool.remove, run)
        if self.on_published is not None and not (result.held or result.dry_run):
            await self.on_published(context, account)
        return result


class _Sync:
    """One start of one run."""

    def __init__(self, runs: InventoryRuns, context: RunContext, account: StoredAccount) -> None:
        self._runs = runs
        self._context = context
        self._run = context.run
        self._account = account
        self._dry_run = bool(context.run.params.get("dry_run"))
        self._pace = SyncPace(lambda progress: runs.store.progress(context, progress))

    async def work(self) -> SyncResult:
        """Stage the export, compare it, and publish it unless it is suspicious; show progress."""
        result = await beside(self._worked(), self._pace.keep_showing())
        # What is published stays so, even if this cannot be said now.
        with contextlib.suppress(StoreUnavailableError):
            await self._runs.store.progress(self._context, self._pace.ended(result.message))
        return result

    async def _worked(self) -> SyncResult:
        async with self._runs.store.staging(self._context, self._account) as staging:
            await self._fill(staging)
            self._pace.enter(Phase.CHECK)
            comparison = await staging.compare(self._runs.limits)
            counts = await self._decide(staging, comparison)
        return SyncResult(
            counts=counts,
            rows=self._pace.rows,
            bytes=self._pace.bytes,
            suspicions=comparison.suspicions,
            dry_run=self._dry_run,
        )

    async def _decide(self, staging: Staging, comparison: Comparison) -> SnapshotCounts:
        if comparison.suspicions or self._dry_run:
            await staging.keep(comparison, held=not self._dry_run)
            return comparison.counts
        self._pace.enter(Phase.PUBLISH)
        return await staging.publish(comparison)

    async def _fill(self, staging: Staging) -> None:
        kept = await asyncio.to_thread(self._runs.spool.whole, self._run)
        if kept is None:
            await self._fill_from_export(staging)
        else:
            await self._fill_from(kept, staging)

    async def _fill_from_export(self, staging: Staging) -> None:
        async with (
            self._runs.source.account(self._account.token) as seller,
            seller.export() as body,
            self._writer(gzip=body.gzip) as writer,
        ):
            self._pace.watch(body)
            await stage(
                self._to_its_end(body.blocks()),
                staging,
                gzip=body.gzip,
                most_bytes=self._runs.export_bytes,
                writer=writer,
                on_staged=self._pace.staged,
            )

    async def _fill_from(self, kept: Path, staging: Staging) -> None:
        """Continue from the body of an earlier start; a damaged one is useless, and removed."""
        _log.info("the export of an earlier start is used again")
        self._pace.enter(Phase.PARSE)
        try:
            with Lane("spool") as lane:
                await stage(
                    lane.each(blocks_of(kept)),
                    staging,
                    gzip=True,
                    most_bytes=self._runs.export_bytes,
                    writer=None,
                    on_staged=self._pace.staged,
                )
        except SourceUnavailableError:
            await asyncio.to_thread(self._runs.spool.remove, self._run)
            raise

    async def _to_its_end(self, blocks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        async with contextlib.aclosing(blocks):
            async for block in blocks:
                yield block
        self._pace.enter(Phase.PARSE)

    @contextlib.asynccontextmanager
    async def _writer(self, *, gzip: bool) -> AsyncIterator[SpoolWriter | None]:
        try:
            writer = await asyncio.to_thread(self._runs.spool.writer, self._run, gzip=gzip)
        except OSError as error:
            _log.warning("the export cannot be kept until its sync ends", error=str(error))
            yield None
            return
        try:
            yield writer
        finally:
            await asyncio.to_thread(writer.discard)
