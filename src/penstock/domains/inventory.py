"""The declaration of the inventory domain: sellers' products at CardTrader."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.collection.domain import Domain, RunKind
from penstock.domains.parts import http_limits
from penstock.domains.plugins import MARKETPLACES, loaded
from penstock.errors import SourceRefusedError
from penstock.http.download import DownloadLimits
from penstock.inventory.accounts import SellerAccounts
from penstock.inventory.catalogue.refresh import CATALOGUE_REFRESH, CatalogueRefreshes
from penstock.inventory.export.spool import ExportSpool
from penstock.inventory.queries.syncs import SyncQueries
from penstock.inventory.snapshot import INVENTORY_SYNC, SyncLimits
from penstock.inventory.source import MARKETPLACE, InventorySourceConfig
from penstock.inventory.sync import health
from penstock.inventory.sync.configs import SyncConfigs
from penstock.inventory.sync.runs import InventoryRuns
from penstock.runs.run import LogEntry
from penstock.store.write.inventory.accounts import SqlAccounts
from penstock.store.write.inventory.card_list import SqlCatalog
from penstock.store.write.inventory.catalogue import SqlBlueprints
from penstock.store.write.inventory.snapshots import SqlInventoryStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from penstock.domains.parts import Parts
    from penstock.http.client import HttpLimits
    from penstock.http.governor import Budget
    from penstock.inventory.catalogue.refresh import Submitter
    from penstock.inventory.queries.syncs import SyncRun
    from penstock.inventory.source import InventorySource
    from penstock.inventory.store import InventoryStore, StoredAccount
    from penstock.runs.context import RunContext
    from penstock.runs.run import Run
    from penstock.settings import Settings


@dataclass(frozen=True)
class InventoryParts:
    """The parts for the domain's routes and commands."""

    source: InventorySource
    runs: InventoryRuns
    refreshes: CatalogueRefreshes
    accounts: SellerAccounts
    store: SqlInventoryStore
    catalogue: SqlCatalog
    configs: SyncConfigs
    syncs: SyncQueries

    async def approve(self, sync: SyncRun, submitter: Submitter) -> None:
        """Publish what a sync kept, and go on as after any other sync."""
        await self.store.approve(sync.run.id)
        await self.refreshes.published(submitter, await self.store.account(sync.account_id))


def declare(parts: Parts) -> Domain:
    """The entry point."""
    inventory = _inventory(parts)
    return Domain(
        name="inventory",
        kinds=[
            RunKind(
                name=INVENTORY_SYNC,
                work=inventory.runs.sync_account,
                log=_of_sync,
                plan=inventory.configs.scheduled,
            ),
            RunKind(name=CATALOGUE_REFRESH, work=inventory.refreshes.refresh, log=_row),
        ],
        configs=inventory.configs,
        rules=health.RULES,
        uses=[inventory],
    )


def _inventory(parts: Parts) -> InventoryParts:
    database = parts.database
    source = make_inventory_source(parts.settings, parts.http, parts.budgets.of)
    store = SqlInventoryStore(database, parts.vault)
    refreshes = CatalogueRefreshes(source, store, SqlBlueprints(), database)
    return InventoryParts(
        source=source,
        runs=make_inventory_runs(parts.settings, source, store, refreshes.published),
        refreshes=refreshes,
        accounts=SellerAccounts(source, SqlAccounts(database, parts.vault)),
        store=store,
        catalogue=SqlCatalog(database),
        configs=SyncConfigs(database),
        syncs=SyncQueries(parts.runs),
    )


def make_inventory_source(
    settings: Settings, http: HttpLimits, budget: Callable[[str, int], Budget]
) -> InventorySource:
    """The marketplace; `budget` takes the name of an account's budget and its window in seconds."""
    export = DownloadLimits(
        first_byte_s=settings.export_first_byte_s,
        idle_s=settings.export_idle_s,
        total_s=settings.export_deadline_s,
        attempts=settings.export_attempts,
    )
    config = InventorySourceConfig(
        base_url=settings.of_provider(MARKETPLACE).url, http=http, export=export, budget=budget
    )
    source: InventorySource = loaded(MARKETPLACES, MARKETPLACE)(config)
    return source


async def check_account(
    settings: Settings, account: StoredAccount, budget: Callable[[str, int], Budget]
) -> str:
    """Whose token an account has, in words; raises if the marketplace does not say it."""
    source = make_inventory_source(settings, http_limits(settings), budget)
    try:
        async with source.account(account.token) as opened:
            seller = await opened.seller()
    except SourceRefusedError:
        # The marketplace's own message may repeat the token.
        raise SourceRefusedError(
            f"CardTrader refuses the token of the account {account.name!r}; give it a new one: "
            f"penstock accounts edit {shlex.quote(account.name)} --token-file FILE"
        ) from None
    return f"the token of {account.name!r} is that of the seller {seller.user_id}"


def make_inventory_runs(
    settings: Settings,
    source: InventorySource,
    store: InventoryStore,
    on_published: Callable[[RunContext, StoredAccount], Awaitable[None]] | None = None,
) -> InventoryRuns:
    limits = SyncLimits(shrink_percent=settings.shrink_percent, shrink_rows=settings.shrink_rows)
    return InventoryRuns(
        source,
        store,
        ExportSpool(settings.export_folder),
        limits,
        on_published,
        settings.export_megabytes * 1_000_000,
    )


def _of_sync(run: Run) -> Sequence[LogEntry]:
    return _row(run, dry_run=bool(run.params.get("dry_run")))


def _row(run: Run, **metadata: object) -> Sequence[LogEntry]:
    """The log row, with the account as symbol; a run of another version may not name it."""
    name = run.params.get("account")
    return [
        LogEntry(
            job_type=run.kind,
            symbol=None if name is None else str(name),
            exchange=MARKETPLACE,
            metadata=metadata,
        )
    ]
