"""A new key for all secrets: each sealed column is sealed again, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from penstock.access.vault import Vault, new_key
from penstock.alerts.tables import alert_target
from penstock.inventory.tables import account
from penstock.store.keys import KeyFile

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection

    from penstock.access.vault import Keys
    from penstock.store.session.database import Database

# Every column that a vault sealed; its table has an `id`.
SEALED: tuple[Column[str], ...] = (alert_target.c.url, alert_target.c.signing_key, account.c.token)


async def rotate_key(database: Database, keys: Keys) -> int:
    """Seal every secret with the first key; gives how many there are.

    A key file of our own gets a new key for that, and loses the old ones. If interrupted, it can
    run again: the file holds both keys until the transaction is committed.
    """
    vault = Vault(keys)

    async def seal_again() -> int:
        return await database.write(
            lambda connection: sum(_column(connection, column, vault) for column in SEALED),
            hurried=False,
        )

    if not isinstance(keys, KeyFile) or not keys.ours:
        return await seal_again()
    found = keys.needed()
    keys.replace([new := new_key(), *found])
    count = await seal_again()
    keys.replace([new])
    return count


def secrets_opened(connection: Connection, vault: Vault) -> int:
    """Open every secret, as a check; gives how many there are."""
    sealed = [
        one
        for column in SEALED
        for (one,) in connection.execute(select(column).where(column.is_not(None)))
    ]
    return len([vault.open(one) for one in sealed])


def _column(connection: Connection, column: Column[str], vault: Vault) -> int:
    table = column.table
    rows = connection.execute(
        select(table.c.id, column).where(column.is_not(None)).with_for_update()
    ).all()
    for key, sealed in rows:
        connection.execute(
            update(table)
            .where(table.c.id == key)
            .values({column.name: vault.seal(vault.open(sealed))})
        )
    return len(rows)
