"""Where alerts are sent: kept encrypted, shown without what is secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from penstock.alerts.book import AlertTarget, TargetKind, TargetRow
from penstock.alerts.tables import alert_target as targets
from penstock.columns import DatabaseNow
from penstock.errors import ConflictError, InvalidInputError, NotFoundError
from penstock.store.session.backend import only_writer
from penstock.store.statements.upsert import insert_or_ignore
from penstock.store.write.alerts.lists import SHOWN, target_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from penstock.access.vault import Vault
    from penstock.alerts.book import Address
    from penstock.store.session.database import Database

# Each may have one message under way.
_MOST_TARGETS = 50


class SqlTargets:
    """The TargetStore of a database."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def add(self, name: str, address: Address) -> TargetRow:
        """Add an enabled target; InvalidInputError when there are too many."""

        def add(connection: Connection) -> TargetRow:
            if (connection.scalar(select(func.count()).select_from(targets)) or 0) >= _MOST_TARGETS:
                raise InvalidInputError(
                    f"name: there are {_MOST_TARGETS} targets already; remove one first",
                    field="name",
                )
            values = self._sealed(address) | {"name": name, "created_at": DatabaseNow()}
            put = insert_or_ignore(connection, targets).values(**values).returning(*SHOWN)
            made = connection.execute(put).one_or_none()
            if made is None:
                raise _taken(name)
            return target_of(made)

        return await self._database.write(add)

    async def change(
        self,
        target_id: int,
        *,
        name: str | None = None,
        address: Address | None = None,
        enabled: bool | None = None,
    ) -> TargetRow:
        def change(connection: Connection) -> TargetRow:
            only_writer(connection, targets)
            before = _one(connection, target_id)
            if name not in {None, before.name} and connection.scalar(
                select(targets.c.id).where(targets.c.name == name)
            ):
                raise _taken(str(name))
            given = {
                key: value
                for key, value in (("name", name), ("enabled", enabled))
                if value is not None
            }
            values = given | (self._sealed(address) if address else {})
            if values:
                connection.execute(
                    update(targets).where(targets.c.id == target_id).values(**values)
                )
            return _one(connection, target_id)

        return await self._database.write(change)

    async def remove(self, target_id: int) -> None:
        def remove(connection: Connection) -> None:
            if connection.execute(delete(targets).where(targets.c.id == target_id)).rowcount != 1:
                raise _missing(target_id)

        await self._database.write(remove)

    async def secrets_of(self, target_id: int) -> AlertTarget:
        def read(connection: Connection) -> AlertTarget:
            row = connection.execute(select(targets).where(targets.c.id == target_id)).one_or_none()
            if row is None:
                raise _missing(target_id)
            return opened(row, self._vault)

        return await self._database.read(read)

    def _sealed(self, address: Address) -> dict[str, Any]:
        key = address.signing_key
        secret = {
            "url": self._vault.seal(address.url),
            "signing_key": None if key is None else self._vault.seal(key),
        }
        return {"kind": address.kind, "shown": address.shown, **secret}


def opened(row: Row[Any], vault: Vault) -> AlertTarget:
    """A row of the table in the clear."""
    key = None if row.signing_key is None else vault.open(row.signing_key)
    return AlertTarget(
        id=row.id,
        name=row.name,
        kind=TargetKind(row.kind),
        url=vault.open(row.url),
        signing_key=key,
    )


def _one(connection: Connection, target_id: int) -> TargetRow:
    row = connection.execute(select(*SHOWN).where(targets.c.id == target_id)).one_or_none()
    if row is None:
        raise _missing(target_id)
    return target_of(row)


def _missing(target_id: int) -> NotFoundError:
    return NotFoundError(f"there is no alert target {target_id}; see `penstock alert targets list`")


def _taken(name: str) -> ConflictError:
    return ConflictError(f"name: there is an alert target {name!r} already; choose another name")
