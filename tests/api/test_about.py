"""`/api/v1/admin/about`: what the service is, and how large its tables are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import insert, text

from penstock import __version__
from penstock.http.tables import provider_budget
from penstock.inventory.tables import catalogue_reference
from penstock.opening import open_database
from penstock.settings import load_settings
from penstock.store.sizes import SqlSizes, table_sizes

if TYPE_CHECKING:
    import aiohttp
    from sqlalchemy import Connection

_ABOUT = "/api/v1/admin/about"


async def test_the_service_says_what_it_is_and_how_long_it_keeps_what(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get(_ABOUT) as answer:
        about = await answer.json()
    assert about["version"] == __version__
    assert about["database"].startswith(("SQLite 3.", "PostgreSQL "))
    assert about["database_bytes"] > 100_000
    assert about["schema_version"].isdecimal()
    kept = (about["execution_log_days"], about["alert_days"], about["quarantine_rows"])
    assert kept == (30, 7, 1_000)


async def test_the_largest_table_comes_first_and_no_table_is_left_out(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get(f"{_ABOUT}/tables") as answer:
        page = await answer.json()
    sizes = [table["bytes"] for table in page["items"]]
    assert sizes == sorted(sizes, reverse=True)
    assert {"candle", "product", "job_execution_logs"} <= {table["name"] for table in page["items"]}
    assert page["next_cursor"] is None
    assert page["measured_at"].endswith("Z")


async def test_rows_are_told_without_reading_them(database_url: str) -> None:
    """With and without row ids, in more pages than one."""
    names = [f"the name of number {n}" for n in range(5_000)]
    at = {"window_start": 0, "used": 0, "paused_until": 0}
    cards = [{"kind": 1, "value": name, "catalogue_id": 1} for name in names]

    def fill(connection: Connection) -> None:
        connection.execute(insert(provider_budget), [at | {"provider": name} for name in names])
        connection.execute(insert(catalogue_reference), cards)

    async with open_database(load_settings(database_url=database_url)) as database:
        await database.write(fill)
        if database.file is None:
            await database.write(lambda connection: connection.execute(text("ANALYZE")))
        found = {table.name: table for table in await database.read(table_sizes)}
    for name in ("provider_budget", "catalogue_reference"):
        assert found[name].rows == len(names), name
        assert found[name].bytes > len(names) * 20, name


async def test_a_table_is_measured_once_for_all_who_ask(database_url: str) -> None:
    async with open_database(load_settings(database_url=database_url)) as database:
        sizes = SqlSizes(database)
        first, second = await asyncio.gather(sizes.sizes(), sizes.sizes())
        assert first is second
