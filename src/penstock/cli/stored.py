"""What commands read of inventories, as JSON values."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, TypeVar

from penstock.api.schemas.inventory.account import AccountShown
from penstock.api.schemas.inventory.catalogue import UnmappedItem
from penstock.api.schemas.inventory.product import DiffItem, HistoryItem, ProductShown
from penstock.api.schemas.inventory.sync import Sync
from penstock.cli.reading import read, read_pages
from penstock.errors import NotFoundError
from penstock.inventory.queries.accounts import list_accounts
from penstock.inventory.queries.catalogue import list_unmapped
from penstock.inventory.queries.products import (
    ProductQuery,
    list_history,
    list_products,
    product_rows,
)
from penstock.inventory.queries.syncs import SyncQueries, list_diff, undecided_run
from penstock.runs.queries import RunQueries
from penstock.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.cli.shown.text import Fields
    from penstock.inventory.queries.syncs import SyncRun
    from penstock.settings import Settings
    from penstock.store.session.database import Transaction

T = TypeVar("T")


class Inventories:
    """The accounts of a database, their syncs and products, as a transaction sees them."""

    def __init__(self, connection: Transaction, settings: Settings) -> None:
        self._connection = connection
        self._runs = RunQueries(
            listed_s=settings.task_cleanup_delay, stuck_after_s=settings.stuck_after_s
        )
        self._syncs = SyncQueries(self._runs)

    def accounts(self) -> list[Fields]:
        """All accounts by name, each with its `newest_sync`."""
        return [
            AccountShown.of(row).values() | {"newest_sync": self._newest_sync(row.id)}
            for row in list_accounts(self._connection)
        ]

    def account(self, given: str) -> Fields:
        """The account with a name or an id; NotFoundError lists the names."""
        found = self.accounts()
        for field in ("name", "id"):
            for account in found:
                if str(account[field]) == given:
                    return account
        names = (
            ", ".join(repr(account["name"]) for account in found)
            or "none yet; add one with: penstock accounts add NAME"
        )
        raise NotFoundError(f"account: there is no account {given[:50]!r}; there are {names}")

    def account_id(self, given: str | None) -> int | None:
        """The id of an account as in `account`; None without one."""
        return None if given is None else self.account(given)["id"]

    def run_id(self, task_id: str) -> int:
        """The id of a sync's run; NotFoundError when the task is not a sync."""
        return self._sync(task_id).run.id

    def sync(self, task_id: str) -> Fields:
        """The sync of a task; NotFoundError when the task is not a sync."""
        return Sync.of(self._sync(task_id)).values()

    def undecided(self, given: str) -> Fields:
        """The sync of a task; of an account, the one that waits for a decision, else the newest."""
        if task_id := _task(given):
            return self.sync(task_id)
        account = self.account(given)
        kept = undecided_run(self._connection, account["id"])
        if kept is not None:
            return Sync.of(self._syncs.of_runs(self._connection, [kept])[0]).values()
        if account["newest_sync"] is None:
            raise NotFoundError(
                f"{account['name']} was never synced; begin with: penstock sync {account['id']}"
            )
        newest: Fields = account["newest_sync"]
        return newest

    def products(self, account: str | None, text: str | None, *, limit: int) -> list[Fields]:
        """Published products by name, of one account or all; `text` is a part of the name."""
        account_id = self.account_id(account)
        query = ProductQuery(limit=limit, account=account_id, q=text, gone=False, sort="name_en")
        return [ProductShown.of(row).values() for row in list_products(self._connection, query)]

    def product(self, product_id: int) -> list[Fields]:
        """A product, in each account that has or had it."""
        return [row._asdict() for row in product_rows(self._connection, product_id)]

    def history(self, product_id: int, *, limit: int) -> list[Fields]:
        """The changes of a product, the newest first; NotFoundError for an unknown one."""
        rows = list_history(self._connection, product_id, limit=limit)
        runs = self._runs.named(self._connection, ids={row.run_id for row in rows})
        tasks = {run.id: run.task_id for run in runs}
        return [HistoryItem.of(row, tasks.get(row.run_id)).values() for row in rows]

    def _sync(self, task_id: str) -> SyncRun:
        found = self._syncs.of_task(self._connection, task_id)
        if found is None:
            raise NotFoundError(f"there is no sync {task_id}")
        return found

    def _newest_sync(self, account_id: int) -> Fields | None:
        newest = self._syncs.newest(self._connection, account_id)
        return None if newest is None else Sync.of(newest).values()


def _task(given: str) -> str | None:
    """The id of a task, if the text is one; any other text is an account's name."""
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(given))
    return None


def stored(database: str | None, query: Callable[[Inventories], T]) -> T:
    """The result of a query of the inventories."""
    settings = load_settings(database_url=database)
    return read(database, lambda connection: query(Inventories(connection, settings)))


def stored_diff(
    database: str | None, task_id: str, *, kind: str | None, limit: int
) -> list[Fields]:
    """What the sync of a task would change; NotFoundError when it keeps nothing."""
    run_id = stored(database, lambda inventories: inventories.run_id(task_id))

    def page(connection: Transaction, last: Fields | None, size: int) -> list[Fields]:
        after = None if last is None else (last["kind"], last["product_id"])
        rows = list_diff(connection, run_id, kind=kind, after=after, limit=size)
        return [DiffItem.of(row).values() for row in rows]

    return read_pages(database, page, most=limit)


def stored_unmapped(database: str | None, account: str | None) -> list[Fields]:
    """All unmapped blueprints, of one account or all; those with the most products first."""
    account_id = stored(database, lambda inventories: inventories.account_id(account))

    def page(connection: Transaction, last: Fields | None, size: int) -> list[Fields]:
        after_id = last["blueprint_id"] if last else 0
        rows = list_unmapped(connection, account_id=account_id, after_id=after_id, limit=size)
        return [UnmappedItem.of(row).values() for row in rows]

    found = read_pages(database, page)
    return sorted(found, key=lambda item: (-item["products"], item["blueprint_id"]))
