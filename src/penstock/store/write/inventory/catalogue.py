"""CardTrader's catalogue, the user's own, and the mapping, one statement over all blueprints."""

from __future__ import annotations

from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import to_builtins
from sqlalchemy import Table, delete, func, insert, select, text

from penstock.columns import DatabaseNow
from penstock.inventory.catalogue.mapping import references_of
from penstock.inventory.catalogue.rows import CatalogueRow
from penstock.inventory.tables import (
    blueprint,
    blueprint_reference,
    catalogue,
    catalogue_reference,
    category,
    expansion,
    game,
    mapping,
    unlisted_blueprint,
)
from penstock.store.statements.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection

    from penstock.inventory.catalogue.rows import BlueprintRow
    from penstock.inventory.source import Category, Expansion, Game
    from penstock.runs.context import RunContext, Writing
    from penstock.store.session.database import Database

_PAGE_ROWS = 5_000
_COLUMNS = tuple(one.name for one in fields(CatalogueRow))


class SqlCatalog:
    """The user's catalogue; an upload replaces it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_catalogue(self, rows: Iterable[CatalogueRow]) -> int:
        """Replace the user's catalogue and map all blueprints again; gives how many are mapped.

        The rows are taken a page at a time, in a thread; one that raises changes nothing.
        """

        def put(connection: Connection) -> int:
            _put_catalogue(connection, rows)
            return _map(connection)

        return await self._database.write(put, hurried=False)


class SqlBlueprints:
    """The BlueprintStore of a database."""

    async def put_games(self, context: RunContext, games: Sequence[Game]) -> None:
        """Put games."""
        await _put_all(context, game, games)

    async def put_categories(self, context: RunContext, categories: Sequence[Category]) -> None:
        """Put categories."""
        await _put_all(context, category, categories)

    async def put_expansions(self, context: RunContext, expansions: Sequence[Expansion]) -> None:
        """Put expansions."""
        await _put_all(context, expansion, expansions)

    async def put_blueprints(self, context: RunContext, blueprints: Sequence[BlueprintRow]) -> None:
        """Put blueprints with their references."""
        if blueprints:
            await context.write(
                lambda writing: _put_blueprints(writing.connection, blueprints), hurried=False
            )

    async def keep_unlisted(self, context: RunContext, blueprint_ids: Collection[int]) -> None:
        """Note the time at which CardTrader did not list these."""
        rows = [{"id": one} for one in sorted(blueprint_ids)]

        def keep(writing: Writing) -> None:
            asked = upsert(writing.connection, unlisted_blueprint, change=("asked_at",))
            writing.connection.execute(asked.values(asked_at=DatabaseNow()), rows)

        if rows:
            await context.write(keep, hurried=False)

    async def map(self, context: RunContext) -> int:
        """Map all blueprints again."""
        return await context.write(lambda writing: _map(writing.connection), hurried=False)


async def _put_all(context: RunContext, table: Table, rows: Sequence[object]) -> None:
    if rows:
        await context.write(lambda writing: _put(writing.connection, table, rows))


def _put(connection: Connection, table: Table, rows: Collection[object]) -> None:
    """Put structs or dataclasses whose fields are the columns of the table."""
    change = [column.name for column in table.c if column.name != "id"]
    put = upsert(connection, table, change=change)
    connection.execute(put, [to_builtins(row) for row in rows])


def _put_blueprints(connection: Connection, blueprints: Sequence[BlueprintRow]) -> None:
    by_id = {one.id: one for one in blueprints}
    _put(connection, blueprint, by_id.values())
    connection.execute(
        delete(blueprint_reference).where(blueprint_reference.c.blueprint_id.in_(by_id))
    )
    references = [
        {"blueprint_id": one.id, "kind": int(kind), "value": value}
        for one in by_id.values()
        for kind, value in references_of(one)
    ]
    if references:
        connection.execute(insert(blueprint_reference), references)


def _put_catalogue(connection: Connection, rows: Iterable[CatalogueRow]) -> None:
    connection.execute(delete(catalogue_reference))
    connection.execute(delete(catalogue))
    numbered = enumerate(rows, start=1)
    while page := list(islice(numbered, _PAGE_ROWS)):
        connection.execute(
            insert(catalogue),
            [
                {"id": number} | {name: getattr(one, name) for name in _COLUMNS}
                for number, one in page
            ],
        )
        references = [
            {"catalogue_id": number, "kind": int(kind), "value": value}
            for number, one in page
            for kind, value in references_of(one)
        ]
        if references:
            connection.execute(insert(catalogue_reference), references)


def _map(connection: Connection) -> int:
    connection.execute(delete(mapping))
    connection.execute(text(_MAP))
    return connection.execute(select(func.count()).select_from(mapping)).scalar_one()


# The best kind of reference wins; of several rows with the same reference, the first.
_MAP = """
INSERT INTO mapping (blueprint_id, catalogue_id, kind)
SELECT blueprint_id, catalogue_id, kind FROM (
    SELECT b.blueprint_id, c.catalogue_id, b.kind, row_number() OVER (
        PARTITION BY b.blueprint_id ORDER BY b.kind, c.catalogue_id
    ) AS nth
    FROM blueprint_reference b JOIN catalogue_reference c ON c.kind = b.kind AND c.value = b.value
) AS found
WHERE nth = 1
"""
