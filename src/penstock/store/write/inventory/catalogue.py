"""CardTrader's catalogue: rows replace those with the same id, a page in a transaction."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import to_builtins
from sqlalchemy import Table, delete, insert

from penstock.columns import DatabaseNow
from penstock.inventory.catalogue.mapping import references_of
from penstock.inventory.tables import (
    blueprint,
    blueprint_reference,
    category,
    expansion,
    game,
    unlisted_blueprint,
)
from penstock.store.statements.upsert import upsert
from penstock.store.write.inventory.card_list import map_blueprints, pages

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from penstock.inventory.catalogue.rows import BlueprintRow
    from penstock.inventory.source import Category, Expansion, Game
    from penstock.runs.context import RunContext, Writing


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
        for page in pages(blueprints):
            await context.write(partial(_put_blueprints, page), hurried=False)

    async def keep_unlisted(self, context: RunContext, blueprint_ids: Collection[int]) -> None:
        """Note the time at which CardTrader did not list these."""
        for page in pages(sorted(blueprint_ids)):
            await context.write(partial(_keep_unlisted, page), hurried=False)

    async def map(self, context: RunContext) -> int:
        """Map all blueprints again."""
        return await context.write(
            lambda writing: map_blueprints(writing.connection), hurried=False
        )


async def _put_all(context: RunContext, table: Table, rows: Sequence[object]) -> None:
    for page in pages(rows):
        await context.write(partial(_put_page, table, page))


def _put_page(table: Table, rows: Sequence[object], writing: Writing) -> None:
    _put(writing.connection, table, rows)


def _put(connection: Connection, table: Table, rows: Collection[object]) -> None:
    """Put structs or dataclasses whose fields are the columns of the table."""
    change = [column.name for column in table.c if column.name != "id"]
    put = upsert(connection, table, change=change)
    connection.execute(put, [to_builtins(row) for row in rows])


def _keep_unlisted(blueprint_ids: Sequence[int], writing: Writing) -> None:
    asked = upsert(writing.connection, unlisted_blueprint, change=("asked_at",))
    rows = [{"id": one} for one in blueprint_ids]
    writing.connection.execute(asked.values(asked_at=DatabaseNow()), rows)


def _put_blueprints(blueprints: Sequence[BlueprintRow], writing: Writing) -> None:
    connection, by_id = writing.connection, {one.id: one for one in blueprints}
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
