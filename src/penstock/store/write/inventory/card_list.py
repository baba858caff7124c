"""The user's own catalogue, which an upload replaces, and the mapping of blueprints to it."""

from __future__ import annotations

from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import delete, func, insert, select, text, tuple_

from penstock.inventory.catalogue.card_list import MOST_ROWS
from penstock.inventory.catalogue.mapping import references_of
from penstock.inventory.catalogue.rows import CatalogueRow
from penstock.inventory.tables import catalogue, catalogue_reference, mapping
from penstock.store.session.backend import only_writer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from penstock.store.session.database import Database

T = TypeVar("T")

_PAGE_ROWS = 2_000
# The kinds of references of the second half of the catalogue are those of the first one and this.
_KINDS = 10
# Not the kind of a reference: `catalogue_id` of this row is the half that is in force.
_MARK = 0
_COLUMNS = tuple(one.name for one in fields(CatalogueRow))


def pages(rows: Iterable[T]) -> Iterator[Sequence[T]]:
    """The rows in pages of 2,000, each taken when it is asked for."""
    left = iter(rows)
    while page := list(islice(left, _PAGE_ROWS)):
        yield page


class SqlCatalog:
    """The user's catalogue; an upload replaces it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_catalogue(self, rows: Iterable[CatalogueRow]) -> int:
        """Replace the user's catalogue and map all blueprints again; gives how many are mapped.

        The rows are taken a page at a time, in a thread; one that raises changes nothing. Readers
        see the old catalogue or the new one. Other writers of SQLite get in after each page.
        """
        replacing = _Replacement(rows)
        if self._database.file is None:
            return await self._database.write(replacing.finish, hurried=False)
        while not await self._database.write(replacing.step, hurried=False):
            pass
        return replacing.mapped


class _Replacement:
    """Replaces the user's catalogue in steps, each of which may be a transaction.

    The rows and references of the catalogue in force have the numbers of one half. The new ones get
    those of the other half, which nothing refers to before `_publish`.
    """

    def __init__(self, rows: Iterable[CatalogueRow]) -> None:
        self.mapped = 0
        self._steps = self._all(pages(enumerate(rows, start=1)))
        next(self._steps)

    def step(self, connection: Connection) -> bool:
        """Take the next step; True when it was the last one."""
        try:
            self._steps.send(connection)
        except StopIteration:
            return True
        return False

    def finish(self, connection: Connection) -> int:
        """Take all steps; gives how many blueprints are mapped."""
        only_writer(connection, catalogue)
        while not self.step(connection):
            pass
        return self.mapped

    def _all(
        self, pages: Iterator[Sequence[tuple[int, CatalogueRow]]]
    ) -> Generator[None, Connection, None]:
        """Each `yield` ends a step, and gives the connection of the next one."""
        connection = yield
        old = _half_in_force(connection)
        new = 1 - old
        # An upload that was interrupted has left something there.
        while _clear(connection, new):
            connection = yield
        while page := next(pages, None):
            _add(connection, new, page)
            connection = yield
        self.mapped = _publish(connection, new)
        connection = yield
        while _clear(connection, old):
            connection = yield


def _half_in_force(connection: Connection) -> int:
    marked = select(catalogue_reference.c.catalogue_id).where(catalogue_reference.c.kind == _MARK)
    return connection.execute(marked).scalar_one_or_none() or 0


def _add(connection: Connection, half: int, page: Sequence[tuple[int, CatalogueRow]]) -> None:
    first = half * MOST_ROWS
    connection.execute(
        insert(catalogue),
        [
            {"id": first + number} | {name: getattr(one, name) for name in _COLUMNS}
            for number, one in page
        ],
    )
    references = [
        {"catalogue_id": first + number, "kind": _KINDS * half + kind, "value": value}
        for number, one in page
        for kind, value in references_of(one)
    ]
    if references:
        connection.execute(insert(catalogue_reference), references)


def _clear(connection: Connection, half: int) -> int:
    """Delete some rows of a half; gives how many."""
    rows, kinds = catalogue, catalogue_reference
    first, kind = half * MOST_ROWS, half * _KINDS
    ids = select(rows.c.id).where(rows.c.id.between(first + 1, first + MOST_ROWS))
    keys = select(*kinds.primary_key).where(kinds.c.kind.between(kind + 1, kind + _KINDS - 1))
    some_rows = ids.order_by(rows.c.id).limit(_PAGE_ROWS)
    some_keys = keys.order_by(*kinds.primary_key).limit(_PAGE_ROWS)
    return (
        connection.execute(delete(rows).where(rows.c.id.in_(some_rows))).rowcount
        + connection.execute(
            delete(kinds).where(tuple_(*kinds.primary_key).in_(some_keys))
        ).rowcount
    )


def _publish(connection: Connection, half: int) -> int:
    only_writer(connection, mapping)
    connection.execute(delete(catalogue_reference).where(catalogue_reference.c.kind == _MARK))
    connection.execute(
        insert(catalogue_reference), {"kind": _MARK, "value": "in force", "catalogue_id": half}
    )
    return map_blueprints(connection)


def map_blueprints(connection: Connection) -> int:
    """Map all blueprints again, in one statement; gives how many are mapped."""
    only_writer(connection, mapping)
    connection.execute(delete(mapping))
    connection.execute(text(_MAP), {"kinds": _KINDS * _half_in_force(connection)})
    return connection.execute(select(func.count()).select_from(mapping)).scalar_one()


# The best kind of reference wins; of several rows with the same reference, the first. Both are in
# one number: a window function takes twice as long.
_MAP = """
INSERT INTO mapping (blueprint_id, catalogue_id, kind)
SELECT blueprint_id, best & 4294967295, best >> 32 FROM (
    SELECT b.blueprint_id, min((CAST(b.kind AS bigint) << 32) + c.catalogue_id) AS best
    FROM blueprint_reference b CROSS JOIN catalogue_reference c
    WHERE c.kind = b.kind + :kinds AND c.value = b.value
    GROUP BY b.blueprint_id
) AS found
"""
