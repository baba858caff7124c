"""An inventory sync in the database compared with the first plan and with dlt's merge.

The first plan looks up each page's ids with SELECT … IN, then uses bulk_insert_mappings and
bulk_update_mappings: it compares nothing and misses products that are gone. dlt merges by upsert on
PostgreSQL, loading CSV, and by delete and insert on SQLite, where it has no upsert. All are timed
on the same rows, from decoded products to the last commit.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import defaultdict
from functools import partial
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, select
from sqlalchemy.orm import Session, registry

from benchmarks.inventory import add_account, exports_of, sync
from benchmarks.places import KINDS
from benchmarks.report import Figure, median_of
from penstock.columns import metadata
from penstock.inventory.tables import NORMALISED, STAGED
from penstock.inventory.tables import product as products
from penstock.store.connect import connect, parse_url
from penstock.store.migrate import migrate
from penstock.store.statements.products import Normalised, Normaliser, staged_values

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.inventory import Pages
    from benchmarks.places import Places
    from benchmarks.sizes import Sizes

Row = dict[str, Any]
Samples = defaultdict[tuple[str, str], list[float]]

_COLUMNS = (*STAGED, *NORMALISED)
_OURS = "ours"


class StoredProduct:
    """A row of the product table as an object."""


registry(metadata=metadata).map_imperatively(StoredProduct, products)


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Seconds of each way for a first import, the same rows again, and 1 % changed."""
    first, changed = exports_of(sizes.rival_products)
    exports = {"first import": first, "unchanged": first, "1 % changed": changed}
    for kind in KINDS:
        samples: Samples = defaultdict(list)
        for _ in range(sizes.rival_rounds):
            for way, syncing in (("first plan", _first_plan), ("dlt", _dlt), (_OURS, _ours)):
                with (
                    places.fresh(kind) as url,
                    tempfile.TemporaryDirectory(dir=places.folder) as folder,
                ):
                    for name, seconds in zip(
                        exports, syncing(url, folder, list(exports.values())), strict=True
                    ):
                        samples[way, name].append(seconds)
        for (way, name), seconds_of in samples.items():
            times = median(seconds_of) / median(samples[_OURS, name])
            note = f"{sizes.rival_products:,} products" + (
                "" if way == _OURS else f"; {times:.1f} × as long as ours"
            )
            yield median_of(f"inventory, {name}, {way}", kind, "s", seconds_of, note=note)


def _ours(url: str, _folder: str, exports: Sequence[Pages]) -> list[float]:
    async def synced() -> list[float]:
        database = connect(parse_url(url))
        try:
            await migrate(database)
            await add_account(database)
            return [await sync(database, pages) for pages in exports]
        finally:
            await database.close()

    return asyncio.run(synced())


def _first_plan(url: str, _folder: str, exports: Sequence[Pages]) -> list[float]:
    asyncio.run(_migrated(url))
    engine = create_engine(parse_url(url))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up)
    try:
        with Session(engine) as session:
            return [_timed(partial(_merge, session), pages) for pages in exports]
    finally:
        engine.dispose()


async def _migrated(url: str) -> None:
    database = connect(parse_url(url))
    await migrate(database)
    await database.close()


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 4000",
        "cache_size = -16000",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _merge(session: Session, pages: Pages) -> None:
    for page in pages:
        _merge_page(session, page)


def _merge_page(session: Session, page: Sequence[Any]) -> None:
    rows = [
        row
        | {
            "account_id": 1,
            "external_stock_id": str(row["product_id"]),
            "first_seen_run": 1,
            "changed_run": 1,
        }
        for row in _rows(page)
    ]
    query = select(products.c.product_id).where(
        products.c.account_id == 1, products.c.product_id.in_([row["product_id"] for row in rows])
    )
    known = set(session.scalars(query))
    session.bulk_insert_mappings(
        StoredProduct, [row for row in rows if row["product_id"] not in known]
    )
    session.bulk_update_mappings(StoredProduct, [row for row in rows if row["product_id"] in known])
    session.commit()


def _dlt(url: str, folder: str, exports: Sequence[Pages]) -> list[float]:
    # By default it sends telemetry, and prints a line for each step.
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DLT_DATA_DIR": folder,
    }
    import dlt  # noqa: PLC0415 - it reads the environment when it is imported

    postgres = url.startswith("postgresql")
    destination = (
        dlt.destinations.postgres(credentials=url)
        if postgres
        else dlt.destinations.sqlalchemy(credentials=url)
    )
    pipeline = dlt.pipeline(
        "inventory",
        pipelines_dir=folder,
        destination=destination,
        dataset_name="main" if not postgres else "rival",
    )
    hints: Row = {
        name: {"data_type": "text", "nullable": True}
        for name in ("description", "user_data_field", "tag", "condition", "language")
    }
    hints |= {
        name: {"data_type": "bool", "nullable": True}
        for name in ("graded", "foil", "signed", "altered")
    }
    merge = {"disposition": "merge", "strategy": "upsert" if postgres else "delete-insert"}

    def load(pages: Pages) -> None:
        rows = dlt.resource(
            chain.from_iterable(map(_rows, pages)),
            name="rival_product",
            primary_key="product_id",
            columns=hints,
        )
        pipeline.run(
            rows, write_disposition=merge, loader_file_format="csv" if postgres else None
        ).raise_on_failed_jobs()

    return [_timed(load, pages) for pages in exports]


def _rows(page: Sequence[Any]) -> list[Row]:
    normaliser: Normaliser[Normalised] = Normaliser(lambda normalised: normalised)
    return [
        dict(
            zip(
                _COLUMNS,
                [*staged_values(product), *normaliser.of(product.game_id, product.properties_hash)],
                strict=True,
            )
        )
        for product in page
    ]


def _timed(work: Callable[[Pages], None], pages: Pages) -> float:
    started = time.perf_counter()
    work(pages)
    return time.perf_counter() - started
