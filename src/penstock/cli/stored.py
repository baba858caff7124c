"""What commands read of inventories, as JSON values; directly, also while a service runs."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from penstock.api.schemas.inventory.account import AccountShown
from penstock.api.schemas.inventory.catalogue import UnmappedItem
from penstock.api.schemas.inventory.product import DiffItem, HistoryItem, ProductShown
from penstock.api.schemas.inventory.sync import Sync
from penstock.errors import NotFoundError
from penstock.inventory.queries.accounts import list_accounts
from penstock.inventory.queries.catalogue import list_unmapped
from penstock.inventory.queries.products import list_history, list_products, product_rows
from penstock.inventory.queries.syncs import SyncQueries, list_diff, undecided_run
from penstock.opening import open_reader
from penstock.runs.queries import RunQueries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.inventory.queries.products import ProductQuery
    from penstock.inventory.queries.syncs import SyncRun
    from penstock.settings import Settings
    from penstock.store.session.database import Database

_PAGE = 5_000

Fields = dict[str, Any]


class Inventories:
    """The accounts of a database, their syncs and products."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._runs = RunQueries(
            listed_s=settings.task_cleanup_delay, stuck_after_s=settings.stuck_after_s
        )
        self._syncs = SyncQueries(self._runs)

    async def accounts(self) -> list[Fields]:
        """All accounts by name, each with its `newest_sync`."""
        rows = await self._database.read(list_accounts)
        return [
            AccountShown.of(row).values() | {"newest_sync": await self.newest_sync(row.id)}
            for row in rows
        ]

    async def account(self, given: str) -> Fields:
        """The account with a name or an id; NotFoundError lists the names."""
        found = await self.accounts()
        for field in ("name", "id"):
            for account in found:
                if str(account[field]) == given:
                    return account
        names = (
            ", ".join(repr(account["name"]) for account in found)
            or "none yet; add one with: penstock accounts add NAME"
        )
        raise NotFoundError(f"account: there is no account {given[:50]!r}; there are {names}")

    async def run_id(self, task_id: str) -> int:
        """The id of a sync's run; NotFoundError when the task is not a sync."""
        return (await self._sync(task_id)).run.id

    async def sync(self, task_id: str) -> Fields:
        """The sync of a task; NotFoundError when the task is not a sync."""
        return Sync.of(await self._sync(task_id)).values()

    async def newest_sync(self, account_id: int) -> Fields | None:
        """The newest sync of an account; None before the first."""
        return _shown(await self._newest(account_id))

    async def undecided(self, given: str) -> Fields:
        """The sync of a task; of an account, the one that waits for a decision, else the newest."""
        if task_id := _task(given):
            return await self.sync(task_id)
        account = await self.account(given)
        kept = await self._database.read(
            lambda connection: undecided_run(connection, account["id"])
        )
        found = await self._newest(account["id"]) if kept is None else await self._of_run(kept)
        if found is None:
            raise NotFoundError(
                f"{account['name']} was never synced; begin with: penstock sync {account['id']}"
            )
        return Sync.of(found).values()

    async def diff(self, task_id: str, *, kind: str | None, limit: int) -> list[Fields]:
        """What the sync of a task would change; NotFoundError when it keeps nothing."""
        run_id = await self.run_id(task_id)
        found: list[Fields] = []
        while page := await self._diff_page(
            run_id, kind, found[-1] if found else None, min(_PAGE, limit - len(found))
        ):
            found += page
            if len(found) == limit:
                break
        return found

    async def products(self, query: ProductQuery) -> list[Fields]:
        """A page of products."""
        found = await self._database.read(lambda connection: list_products(connection, query))
        return [ProductShown.of(row).values() for row in found]

    async def product(self, product_id: int) -> list[Fields]:
        """A product, in each account that has or had it."""
        return await self._database.read(
            lambda connection: [row._asdict() for row in product_rows(connection, product_id)]
        )

    async def history(self, product_id: int, *, limit: int) -> list[Fields]:
        """The changes of a product, the newest first; NotFoundError for an unknown one."""
        rows = await self._database.read(
            lambda connection: list_history(connection, product_id, limit=limit)
        )
        runs = await self._database.read(
            lambda connection: self._runs.named(connection, ids={row.run_id for row in rows})
        )
        tasks = {run.id: run.task_id for run in runs}
        return [HistoryItem.of(row, tasks.get(row.run_id)).values() for row in rows]

    async def unmapped(self, account_id: int | None) -> list[Fields]:
        """All unmapped blueprints, those with the most products first."""
        found: list[Fields] = []
        while page := await self._unmapped_page(
            account_id, found[-1]["blueprint_id"] if found else 0
        ):
            found += page
        return sorted(found, key=lambda one: (-one["products"], one["blueprint_id"]))

    async def _sync(self, task_id: str) -> SyncRun:
        found = await self._database.read(
            lambda connection: self._syncs.of_task(connection, task_id)
        )
        if found is None:
            raise NotFoundError(f"there is no sync {task_id}")
        return found

    async def _newest(self, account_id: int) -> SyncRun | None:
        return await self._database.read(
            lambda connection: self._syncs.newest(connection, account_id)
        )

    async def _of_run(self, run_id: int) -> SyncRun:
        return (
            await self._database.read(lambda connection: self._syncs.of_runs(connection, [run_id]))
        )[0]

    async def _diff_page(
        self, run_id: int, kind: str | None, last: Fields | None, limit: int
    ) -> list[Fields]:
        after = None if last is None else (last["kind"], last["product_id"])
        rows = await self._database.read(
            lambda connection: list_diff(connection, run_id, kind=kind, after=after, limit=limit)
        )
        return [DiffItem.of(row).values() for row in rows]

    async def _unmapped_page(self, account_id: int | None, after_id: int) -> list[Fields]:
        rows = await self._database.read(
            lambda connection: list_unmapped(
                connection, account_id=account_id, after_id=after_id, limit=_PAGE
            )
        )
        return [UnmappedItem.of(row).values() for row in rows]


def _shown(sync: SyncRun | None) -> Fields | None:
    return None if sync is None else Sync.of(sync).values()


def _task(given: str) -> str | None:
    """The id of a task, if the text is one; any other text is an account's name."""
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(given))
    return None


@contextlib.asynccontextmanager
async def opened_inventories(settings: Settings) -> AsyncIterator[Inventories]:
    """Inventories to read from, while the block runs."""
    async with open_reader(settings) as database:
        yield Inventories(database, settings)
