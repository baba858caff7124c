"""Sellers' accounts. A token is sealed before it is written and never shown again."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from penstock.collection.tables import collection_config
from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, NotFoundError
from penstock.inventory.source import MARKETPLACE
from penstock.inventory.tables import (
    account,
    inventory_sync,
    product,
    product_diff,
    product_history,
    snapshot,
)
from penstock.runs.events import ConfigsChanged
from penstock.runs.tables import schedule
from penstock.store.session.backend import attempt, broadcast, only_writer
from penstock.store.write.runs.claims import busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Row, Select

    from penstock.access.vault import Vault
    from penstock.store.session.database import Database


def account_resource(account_id: int) -> str:
    """The resource that a sync of the account claims, so that there is one at a time."""
    return f"account:{account_id}"


class SqlAccounts:
    """Adds, changes and deletes accounts; `penstock.inventory.queries` reads them."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def add(self, name: str, token: str, user_id: int) -> int:
        """Add an account; gives its id. ConflictError if the name is taken."""
        row = {"name": name, "token": self._vault.seal(token), "user_id": user_id}
        add = insert(account).values(created_at=DatabaseNow(), **row).returning(account.c.id)

        def write(connection: Connection) -> int:
            with _unique(connection, name):
                return int(connection.execute(add).scalar_one())

        return await self._database.write(write)

    async def change(
        self, account_id: int, *, name: str | None = None, token: str | None = None
    ) -> None:
        """Change the name or the token, and rename a config of the account with it.

        NotFoundError, or ConflictError if the name is taken.
        """
        values = {"name": name, "token": token and self._vault.seal(token)}
        given = {column: value for column, value in values.items() if value is not None}
        change = update(account).where(account.c.id == account_id).values(given)

        def write(connection: Connection) -> None:
            config = None if name is None else _config_of(connection, account_id)
            with _unique(connection, str(name)):
                if given and not connection.execute(change).rowcount:
                    raise unknown_account(account_id)
            if config is not None:
                _rename(connection, config, str(name))

        await self._database.write(write)

    async def seller(self, account_id: int) -> int:
        """The account's seller; NotFoundError for an unknown account."""
        wanted = select(account.c.user_id).where(account.c.id == account_id)
        found: int | None = await self._database.read(lambda connection: connection.scalar(wanted))
        if found is None:
            raise unknown_account(account_id)
        return found

    async def delete(self, account_id: int) -> None:
        """Delete the account and its products.

        ConflictError while a config names it, or a sync of it is queued or running.
        """
        await self._database.write(
            lambda connection: _delete(connection, account_id), hurried=False
        )


@contextlib.contextmanager
def _unique(connection: Connection, name: str) -> Iterator[None]:
    try:
        with attempt(connection):
            yield
    except IntegrityError as error:
        raise ConflictError(
            f"name: there is an account {name[:80]!r} already;"
            " choose another name, or change that account"
        ) from error


def _delete(connection: Connection, account_id: int) -> None:
    name = _locked_name(connection, account_id)
    if name is None:
        raise unknown_account(account_id)
    if (config := connection.execute(_configs(name)).one_or_none()) is not None:
        raise ConflictError(
            f"config {config.id} syncs this account;"
            f" remove it first: penstock config remove {shlex.quote(name)}"
        )
    if busy(connection, [account_resource(account_id)]):
        raise ConflictError("a sync of this account is queued or running; cancel it first")
    kept = select(snapshot.c.id).where(snapshot.c.account_id == account_id)
    connection.execute(delete(product_diff).where(product_diff.c.snapshot_id.in_(kept)))
    for table in (product_history, product, inventory_sync):
        connection.execute(delete(table).where(table.c.account_id == account_id))
    connection.execute(delete(account).where(account.c.id == account_id))


def _config_of(connection: Connection, account_id: int) -> Row[Any] | None:
    """The config that syncs the account, both locked; configs first, as when a config changes."""
    only_writer(connection, collection_config)
    name = _locked_name(connection, account_id)
    return connection.execute(_configs(name)).one_or_none()


def _locked_name(connection: Connection, account_id: int) -> str | None:
    wanted = select(account.c.name).where(account.c.id == account_id)
    return connection.scalar(wanted.with_for_update())


def _configs(name: object) -> Select[Any]:
    """The config that names an account, if any."""
    wanted = select(collection_config.c.id, collection_config.c.job_id)
    return wanted.where(
        collection_config.c.exchange == MARKETPLACE, collection_config.c.symbol == name
    )


def _rename(connection: Connection, config: Row[Any], name: str) -> None:
    broadcast(connection, ConfigsChanged(), "configs")
    connection.execute(
        update(collection_config)
        .where(collection_config.c.id == config.id)
        .values(symbol=name, updated_at=DatabaseNow())
    )
    params = (
        connection.scalar(select(schedule.c.params).where(schedule.c.name == config.job_id)) or {}
    )
    connection.execute(
        update(schedule)
        .where(schedule.c.name == config.job_id)
        .values(params={**params, "symbol": name})
    )


def unknown_account(account_id: int) -> NotFoundError:
    """The error for the id of no account."""
    return NotFoundError(
        f"account: there is no account {account_id}; `penstock accounts` lists them"
    )
