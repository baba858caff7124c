"""The database's part of an inventory sync, against raw COPY of the same rows.

The time is from decoded products to the published snapshot. Raw means: COPY of the export's
columns into a staging table, and COPY of all columns into a table with the columns, values and
indexes of `product`; both render their text page by page and do nothing else. Values from
properties are prepared in advance.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec
import psycopg
from sqlalchemy import insert

from benchmarks.places import KINDS, POSTGRESQL, driver_url
from benchmarks.report import Figure, median_of
from penstock.access.vault import Vault
from penstock.columns import DatabaseNow
from penstock.inventory.product import Product
from penstock.inventory.snapshot import SyncLimits
from penstock.inventory.store import StoredAccount
from penstock.inventory.tables import NORMALISED, STAGED
from penstock.inventory.tables import account as accounts
from penstock.runs.context import RunContext
from penstock.runs.run import RunEnd, RunState, Submission
from penstock.simulator.cardtrader.catalogue import Catalogue
from penstock.simulator.cardtrader.edits import Changes
from penstock.simulator.cardtrader.inventory import SellerInventory, SimulatedSeller, encoded
from penstock.store.postgres.staging import COPY_OPTIONS, copy_lines, tail_of
from penstock.store.statements.inventory import POSTGRES, create_stage
from penstock.store.statements.products import Normaliser
from penstock.store.write.inventory.snapshots import SqlInventoryStore
from tests.dispatches import ledger_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.places import Places
    from benchmarks.sizes import Sizes
    from penstock.store.session.database import Database

_PAGE = 5_000
_USER = 77
_STAGING = "COPY inventory_stage"
_INDEXED = "COPY into a table with the indexes"
# Multiples of the raw time.
_MOST_TIMES = {"first import": 1.6, "1 % changed": 2.5, "unchanged": 2.5}

Pages = list[list[Product]]
Samples = defaultdict[str, list[float]]


class _Open(Vault):
    """A vault without keys."""

    def __init__(self) -> None:
        """No keys."""

    def seal(self, text: str) -> str:
        return text

    def open(self, sealed: str) -> str:
        return sealed


def measure(places: Places, sizes: Sizes) -> Iterator[Figure]:
    """Seconds of each kind of sync, and on PostgreSQL its multiple of raw COPY."""
    exports = exports_of(sizes.products)
    for kind in KINDS:
        samples: Samples = defaultdict(list)
        for _ in range(sizes.inventory_rounds):
            asyncio.run(_round(places, kind, exports, samples))
        yield from _figures(kind, samples, sizes)


def exports_of(products: int) -> list[Pages]:
    """An export, and the next one with 1 % of changes."""
    seller = SellerInventory(Catalogue(1), SimulatedSeller("benchmark", _USER, products))
    seller.advance(Changes(changed=1))
    return [_pages(seller, version) for version in (1, 2)]


def _pages(seller: SellerInventory, version: int) -> Pages:
    decode = msgspec.json.Decoder(Product).decode
    rows = [decode(encoded(product)) for product in seller.products(version)]
    return [rows[first : first + _PAGE] for first in range(0, len(rows), _PAGE)]


async def _round(places: Places, kind: str, exports: Sequence[Pages], samples: Samples) -> None:
    async with places.migrated(kind) as database:
        if kind == POSTGRESQL:
            _raw(database, exports[0], samples)
        await add_account(database)
        for name, export in (
            ("first import", exports[0]),
            ("unchanged", exports[0]),
            ("1 % changed", exports[1]),
        ):
            samples[name].append(await sync(database, export))


async def add_account(database: Database) -> None:
    """The seller, as account 1."""
    row = {"id": 1, "name": "benchmark", "token": "", "user_id": _USER}
    await database.write(
        lambda connection: connection.execute(
            insert(accounts).values(created_at=DatabaseNow(), **row)
        )
    )


async def sync(database: Database, pages: Pages) -> float:
    """Seconds from decoded products to the commit."""
    store, ledger = SqlInventoryStore(database, _Open()), ledger_over(database)
    run = await ledger.start(Submission(kind="inventory_sync", params={}))
    started = time.perf_counter()
    async with store.staging(
        RunContext(run, ledger), StoredAccount(id=1, name="benchmark", token="", user_id=_USER)
    ) as staging:
        for page in pages:
            await staging.add(page)
        await staging.publish(await staging.compare(SyncLimits()))
        seconds = time.perf_counter() - started
    await ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
    return seconds


def _raw(database: Database, pages: Pages, samples: Samples) -> None:
    with psycopg.connect(driver_url(database)) as driver:
        for statement in create_stage(POSTGRES, "TEMPORARY", first=False):
            driver.execute(statement)
        nothing = [[""] * len(page) for page in pages]
        samples[_STAGING].append(
            _copied(driver, f"inventory_stage ({', '.join(STAGED)})", pages, nothing)
        )
        driver.execute("CREATE TABLE raw_product (LIKE product INCLUDING ALL)")
        columns = (
            *STAGED,
            *NORMALISED,
            "external_stock_id",
            "account_id",
            "first_seen_run",
            "changed_run",
        )
        samples[_INDEXED].append(
            _copied(driver, f"raw_product ({', '.join(columns)})", pages, _tails(pages))
        )
        driver.execute("DROP TABLE raw_product")


def _tails(pages: Pages) -> list[list[str]]:
    tails = Normaliser(lambda normalised: tail_of(*normalised))
    return [
        [
            tails.of(product.game_id, product.properties_hash)
            + tail_of(str(product.id), "1", "1", "1")
            for product in page
        ]
        for page in pages
    ]


def _copied(
    driver: psycopg.Connection, target: str, pages: Pages, tails: Sequence[Sequence[str]]
) -> float:
    driver.commit()
    started = time.perf_counter()
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN {COPY_OPTIONS}") as copy:
        for page, ends in zip(pages, tails, strict=True):
            copy.write(copy_lines(page, ends))
    driver.commit()
    return time.perf_counter() - started


def _figures(kind: str, samples: Samples, sizes: Sizes) -> Iterator[Figure]:
    note = f"{sizes.products:,} products"
    for name in _MOST_TIMES:
        yield median_of(f"inventory in the database, {name}", kind, "s", samples[name], note=note)
    if kind != POSTGRESQL:
        return
    for raw in (_STAGING, _INDEXED):
        yield median_of(f"{raw} alone", kind, "s", samples[raw], note=note)
    for name, limit in _MOST_TIMES.items():
        raw = _INDEXED if name == "first import" else _STAGING
        pairs = [ours / theirs for ours, theirs in zip(samples[name], samples[raw], strict=True)]
        ratio = statistics.median(samples[name]) / statistics.median(samples[raw])
        yield Figure(
            name=f"{name} ÷ {raw}",
            database=kind,
            unit="×",
            samples=pairs,
            value=ratio,
            limit=limit,
            note="ratio of medians",
        )
