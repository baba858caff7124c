"""How the inventory is read: the key finds any page in the usual order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from penstock.inventory.queries.products import ProductQuery, _products, list_products
from tests.shop_builders import opened_shop, product_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ROWS = 3_000
# The usual order: of all accounts, of one, in reverse, and after a cursor.
_QUERIES = {
    "all": ProductQuery(limit=50, gone=False),
    "account": ProductQuery(limit=50, account=1, gone=False),
    "backwards": ProductQuery(limit=50, account=1, gone=False, sort="-product_id"),
    "deep": ProductQuery(limit=50, gone=False, after=(2_500, 1, 2_500)),
    "deep in an account": ProductQuery(limit=50, account=1, gone=False, after=(2_500, 1, 2_500)),
    "deep backwards": ProductQuery(
        limit=50, account=1, gone=False, sort="-product_id", after=(500, 1, 500)
    ),
}


async def _plan(url: str, query: ProductQuery) -> str:
    async with opened_shop(url) as shop:
        await shop.sync([product_of(number) for number in range(1, _ROWS)])

        def explain(connection: Connection) -> str:
            if connection.dialect.name == "postgresql":
                connection.execute(text("ANALYZE product"))
            statement = _products(query).compile(
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            words = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
            return "\n".join(
                str(row[-1]) for row in connection.exec_driver_sql(f"{words} {statement}")
            )

        return await shop.opened.database.write(explain)


@pytest.mark.parametrize("name", _QUERIES)
async def test_sqlite_finds_a_page_by_the_key(sqlite_database: str, name: str) -> None:
    plan = await _plan(sqlite_database, _QUERIES[name])
    page = plan.partition("SCAN anon_1")[0]
    assert "TEMP B-TREE" not in page, plan
    bounds = {
        "all": "SCAN product USING COVERING INDEX",
        "deep": r"\(\(account_id,product_id\)>\(\?,\?\)\)",
        "account": r"\(account_id=\?\)",
    }
    bounds |= {
        "backwards": bounds["account"],
        "deep in an account": r"\(account_id=\? AND product_id>\?\)",
    }
    bounds |= {"deep backwards": r"\(account_id=\? AND product_id<\?\)"}
    assert re.search(bounds[name], page), plan


@pytest.mark.parametrize("name", _QUERIES)
async def test_postgresql_finds_a_page_by_the_key(postgres_database: str, name: str) -> None:
    plan = await _plan(postgres_database, _QUERIES[name])
    limited = plan[plan.index("Limit") :]
    assert re.search(r"Index (Only )?Scan (Backward )?using product_pkey on product", limited), plan
    if "deep" in name:
        assert re.search(r"Index Cond: .*product_id", limited), plan


@pytest.mark.parametrize(
    "part", ["Æther", "æTHER", "ледяной", "Élan", "50%", "a/b_c", "æther // ÉLAN"]
)
async def test_part_of_a_name_is_found_in_any_case_and_script(database_url: str, part: str) -> None:
    names = ["Jötunn's Æther // Élan", "Ледяной дозор", "Half 50% a/b_c", "Half 500 axb-c"]
    async with opened_shop(database_url) as shop:
        await shop.sync(
            [product_of(number, name_en=name) for number, name in enumerate(names, start=1)]
        )
        found = await shop.opened.database.read(
            lambda connection: list_products(connection, ProductQuery(limit=9, q=part))
        )
        assert (
            [row.name_en for row in found]
            == [name for name in names if part.lower() in name.lower()]
            != []
        )
