"""Pages of `GET /products`: every sort, typical filters, the first, a middle and the last page."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text

from benchmarks.inventory import add_account, exports_of, sync
from benchmarks.places import KINDS, POSTGRESQL
from benchmarks.report import worst_of
from penstock.api.routes.inventory.products import ProductPage
from penstock.api.schemas.answer import answer
from penstock.api.schemas.cursor import cursor_of
from penstock.api.schemas.inventory.product import ProductShown
from penstock.inventory.queries.products import SORTS, ProductQuery, list_products, product_key
from penstock.inventory.tables import blueprint, catalogue, mapping, product
from penstock.simulator.cardtrader.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fastapi import Response
    from sqlalchemy import Connection

    from benchmarks.inventory import Pages
    from benchmarks.places import Places
    from benchmarks.report import Figure
    from benchmarks.sizes import Sizes
    from penstock.store.session.database import Database

    Key = tuple[Any, int, int]

_LIMIT_MS = 200.0
_ALL = ProductQuery(limit=50, account=1, gone=False)
_LISTS = {
    "all": _ALL,
    "of every account": replace(_ALL, account=None),
    "by name": replace(_ALL, q="dragon"),
    "by a name that none has": replace(_ALL, q="no such card"),
    "of a game": replace(_ALL, game=1),
    "of an expansion": replace(_ALL, expansion=8),
    "in a rare condition": replace(_ALL, condition="Poor"),
    "foil, in a language": replace(_ALL, language="it", foil=True),
    "mapped": replace(_ALL, mapped=True),
    "not mapped": replace(_ALL, mapped=False),
    "gone": replace(_ALL, gone=True),
    "gone or not": replace(_ALL, gone=None),
}
_ORDERS = [f"{sign}{name}" for name, sign in itertools.product(SORTS, ("", "-"))]


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Milliseconds of a page, on each database: of each list the slowest order and place."""
    exports = exports_of(sizes.products)
    for kind in KINDS:
        for name, medians in asyncio.run(_measured(places, kind, sizes, exports)).items():
            yield worst_of(
                f"products, {name}, slowest page",
                kind,
                "ms",
                medians,
                limit=_LIMIT_MS,
                note=f"of {sizes.products:,}; medians of {sizes.product_reads} reads each",
            )


async def _measured(
    places: Places, kind: str, sizes: Sizes, exports: Sequence[Pages]
) -> Mapping[str, list[float]]:
    async with places.migrated(kind) as database:
        await add_account(database)
        for export in exports:
            await sync(database, export)
        await database.write(_map_half, hurried=False)
        if kind == POSTGRESQL:
            # As autovacuum does it within a minute.
            await database.write(
                lambda connection: connection.exec_driver_sql("ANALYZE"), hurried=False
            )
        return await _medians(database, sizes.product_reads)


async def _medians(database: Database, reads: int) -> Mapping[str, list[float]]:
    medians = defaultdict[str, list[float]](list)
    for sort in _ORDERS:
        cursors = await database.write(partial(_cursors, sort=sort), hurried=False)
        for (name, query), after in itertools.product(_LISTS.items(), cursors):
            asked = replace(query, sort=sort, after=after)
            times = [await _timed(database, asked) for _ in range(reads)]
            medians[name].append(statistics.median(times))
    return medians


def _cursors(connection: Connection, sort: str) -> list[Key | None]:
    """What the first, a middle and the last page of all products begin after."""
    count = connection.scalar(select(func.count()).select_from(product)) or 0
    way = "DESC" if sort.startswith("-") else "ASC"
    names = (sort.removeprefix("-"), "account_id", "product_id")
    order = ", ".join(f"{name} {way}" for name in dict.fromkeys(names))
    key = text(f"SELECT {', '.join(names)} FROM product ORDER BY {order} LIMIT 1 OFFSET :skipped")
    places = (count // 2, count - _ALL.limit - 1)
    found = (connection.execute(key, {"skipped": place}).one() for place in places)
    return [None, *((row[0], row[1], row[2]) for row in found)]


async def _timed(database: Database, query: ProductQuery) -> float:
    started = time.perf_counter()
    await database.read(lambda connection: _answer(connection, query))
    return (time.perf_counter() - started) * 1000


def _answer(connection: Connection, query: ProductQuery) -> Response:
    return answer(
        ProductPage.of(
            list_products(connection, query),
            query.limit,
            ProductShown.of,
            lambda row: cursor_of(product_key(row, query.sort)),
        )
    )


def _map_half(connection: Connection) -> None:
    """Know all blueprints, and map every second of them."""
    known = Catalogue(1).blueprints
    rows = [
        {
            "id": one.id,
            "game_id": one.expansion.game.id,
            "category_id": one.category_id,
            "expansion_id": one.expansion.id,
            "name": one.name,
        }
        for one in known
    ]
    connection.execute(insert(blueprint), rows)
    half = list(enumerate(known[::2], start=1))
    connection.execute(insert(catalogue), [{"id": at, "sku": f"S{at}"} for at, _ in half])
    connection.execute(
        insert(mapping),
        [{"blueprint_id": one.id, "catalogue_id": at, "kind": 1} for at, one in half],
    )
