"""Products, their history and the catalogues over HTTP, read from both databases."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
from typing import TYPE_CHECKING, Any

import aiohttp
from sqlalchemy import update

from penstock.inventory.catalogue.rows import BlueprintRow
from penstock.inventory.source import Expansion, Game
from penstock.inventory.tables import product
from penstock.store.write.inventory.catalogue import SqlBlueprints
from tests.api.seller import INVENTORY, OTHER, PRODUCTS, Seller, seller
from tests.market_builders import unfenced

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CSV = {"Content-Type": "text/csv; charset=utf-8"}
JSON = {"Content-Type": "application/json"}


async def _upload(shop: Seller, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    async with shop.service.session.post(
        f"{INVENTORY}/catalog", data=body, headers=headers
    ) as answer:
        return answer.status, await answer.json()


async def _know_blueprints(shop: Seller) -> list[int]:
    """Put every second blueprint of the products into the catalogue: their ids.

    Expansion 5 has half of them.
    """
    used = sorted(
        {product["blueprint_id"] for product in await shop.pages("/products?limit=1000")}
    )[::2]
    catalogue, context = SqlBlueprints(), unfenced(shop.service.app.database)
    await catalogue.put_games(context, [Game(id=1, name="Magic")])
    await catalogue.put_expansions(
        context,
        [
            Expansion(id=number, game_id=1, code=f"e{number}", name=f"Expansion {number}")
            for number in (5, 6, 7)
        ],
    )
    await catalogue.put_blueprints(
        context,
        [
            BlueprintRow(
                id=blueprint_id,
                game_id=1,
                category_id=1,
                expansion_id=5 + at % 2,
                name=f"Card {blueprint_id}",
                scryfall_id=f"S-{blueprint_id}",
                tcgplayer_id=f"7{blueprint_id}",
            )
            for at, blueprint_id in enumerate(used)
        ],
    )
    return used


async def test_products_are_listed_with_every_filter(database_url: str, tmp_path: Path) -> None:
    async with seller(database_url, tmp_path) as shop:
        await shop.call("POST", "/accounts", {"name": "other", "token": OTHER})
        await shop.synced()
        known = await _know_blueprints(shop)
        await _upload(
            shop,
            json.dumps(
                [
                    {"sku": f"SKU-{blueprint}", "scryfall_id": f"s-{blueprint}"}
                    for blueprint in known[:3]
                ]
            ).encode(),
            JSON,
        )
        every = await shop.pages("/products?limit=1000")
        assert len(every) == PRODUCTS
        assert {product["sku"] for product in every} == {
            None,
            *(f"SKU-{blueprint}" for blueprint in known[:3]),
        }

        async def same(query: str, expected: list[dict[str, Any]]) -> None:
            assert expected, query
            assert await shop.pages(f"/products?{query}&limit=97") == expected, query

        product = every[7]
        await same(f"account={shop.account_id}", every)
        await same(
            f"game={product['game_id']}",
            [other for other in every if other["game_id"] == product["game_id"]],
        )
        await same("expansion=5", [other for other in every if other["expansion_id"] == 5])
        await same(
            f"condition={product['condition']}",
            [other for other in every if other["condition"] == product["condition"]],
        )
        await same("language=en", [other for other in every if other["language"] == "en"])
        await same("foil=true", [other for other in every if other["foil"]])
        await same("foil=false", [other for other in every if other["foil"] is False])
        await same("mapped=true", [other for other in every if other["sku"]])
        await same("mapped=false", [other for other in every if not other["sku"]])
        part = product["name_en"][1:5]
        await same(
            f"q={part.upper()}",
            [other for other in every if part.lower() in other["name_en"].lower()],
        )
        assert (
            (await shop.get("/products?q=%25"))["items"]
            == (await shop.get("/products?account=2"))["items"]
            == []
        )


async def test_products_are_sorted_and_no_page_skips_a_product(
    database_url: str, tmp_path: Path
) -> None:
    products = 150
    async with seller(database_url, tmp_path, products=products) as shop:
        await shop.synced()
        for account, column in itertools.product(
            ("", "account=1&"), ("product_id", "name_en", "price_cents", "quantity")
        ):
            up = await shop.pages(f"/products?{account}sort={column}&limit=23")
            down = await shop.pages(f"/products?{account}sort=-{column}&limit=23")
            assert up == down[::-1]
            assert len(up) == len({product["product_id"] for product in up}) == products
            if column != "name_en":  # its order is the database's collation
                values = [product[column] for product in up]
                assert values == sorted(values)
            if column in {"price_cents", "quantity"}:
                assert len(set(values)) < products, "some are alike"


async def test_gone_products_are_listed_separately(database_url: str, tmp_path: Path) -> None:
    async with seller(database_url, tmp_path) as shop:
        await shop.synced()
        await shop.edit(gone=1)
        await shop.synced()
        there, gone, both = [
            await shop.pages(f"/products?gone={which}&limit=1000")
            for which in ("false", "true", "any")
        ]
        assert (len(there), len(gone), len(both)) == (PRODUCTS - 6, 6, PRODUCTS)
        assert {product["gone_at"] for product in there} == {None}
        assert all(product["gone_at"].endswith("Z") for product in gone)
        assert there == await shop.pages("/products?limit=1000")


async def test_the_history_of_a_product_shows_the_changes_of_each_sync(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path) as shop:
        first = await shop.synced()
        before = {
            product["product_id"]: product for product in await shop.pages("/products?limit=1000")
        }
        assert (await shop.get(f"/products/{min(before)}/history")) == {
            "items": [],
            "next_cursor": None,
        }
        syncs = []
        for _ in range(2):
            await shop.edit(changed=100, fields=["price"])
            syncs.append((await shop.synced())["task_id"])
        product = (await shop.pages("/products?limit=1000"))[3]
        history = await shop.pages(
            f"/products/{product['product_id']}/history?account={shop.account_id}&limit=1"
        )
        assert [item["task_id"] for item in history] == syncs[::-1]
        assert first["task_id"] not in syncs
        assert {item["kind"] for item in history} == {"changed"}
        newest, oldest = (item["changes"]["price_cents"] for item in history)
        assert (newest[1], oldest[0]) == (
            product["price_cents"],
            before[product["product_id"]]["price_cents"],
        )
        assert newest[0] == oldest[1]
        for path in ("/products/7/history", f"/products/{product['product_id']}/history?account=9"):
            assert (await shop.call("GET", path))[0] == 404
        for path in ("/products/0/history", f"/products/{2**64}/history", "/products/x/history"):
            assert (await shop.call("GET", path))[1]["field"] == "product_id"


async def test_the_catalogues_are_listed_and_unmapped_products_are_counted(
    database_url: str, tmp_path: Path
) -> None:
    async with seller(database_url, tmp_path) as shop:
        assert await shop.get("/games") == {"items": [], "next_cursor": None}
        await shop.synced()
        known = await _know_blueprints(shop)
        assert (await shop.get("/games"))["items"] == [
            {"id": 1, "name": "Magic", "display_name": None}
        ]
        assert [
            expansion["id"] for expansion in await shop.pages("/expansions?game=1&limit=1")
        ] == [5, 6, 7]
        assert await shop.pages("/expansions?game=2") == []
        assert [blueprint["id"] for blueprint in await shop.pages("/blueprints?limit=3")] == known
        assert [
            blueprint["id"] for blueprint in await shop.pages("/blueprints?expansion=6")
        ] == known[1::2]
        unmapped = await shop.pages(f"/unmapped?account={shop.account_id}&limit=50")
        assert sum(blueprint["products"] for blueprint in unmapped) == PRODUCTS
        body = "\ufeffsku;tcgplayer_id\r\n" + "".join(
            f"A{blueprint};7{blueprint}\r\n" for blueprint in known
        )
        assert await _upload(shop, body.encode(), CSV) == (
            200,
            {"rows": len(known), "mapped": len(known)},
        )
        assert (await shop.pages("/blueprints"))[0]["sku"] == f"A{known[0]}"
        left = await shop.pages("/unmapped?limit=50")
        assert {product["blueprint_id"] for product in left} == {
            blueprint["blueprint_id"] for blueprint in unmapped
        } - set(known)
        assert await _upload(shop, b"sku\nB\n", CSV) == (200, {"rows": 1, "mapped": 0})
        assert await shop.pages("/unmapped?limit=50") == unmapped


WRONG_CATALOGUES = [
    (b"sku,name\nA,b\n,c\n", CSV, "sku", "row 3, sku: "),
    (
        b"sku,names\nA,b\n",
        CSV,
        "catalogue",
        "unknown column 'names'; use sku, name, scryfall_id",
    ),
    (b"sku\nA\n\xff\n", CSV, "catalogue", "not UTF-8"),
    (b"sku\nA\0B\n", CSV, "sku", "row 2, sku: "),
    (b'sku\n"A\n', CSV, "catalogue", "after row 1"),
    (b"", CSV, "sku", "sku"),
    (b'[{"sku": "A"}, {"sku": "B", "set_code": 1.5}]', JSON, "catalogue", "row 2, set_code: "),
    (b'[{"sku": "A", "price": 1}]', JSON, "catalogue", "unknown field `price`"),
    (b'{"sku": "A"}', JSON, "catalogue", "send an array of objects"),
    (b"[[[[", JSON, "catalogue", "send an array of objects"),
    (b"[]", JSON, "catalogue", "it has no rows; send at least one"),
    (b"sku\n\n", CSV, "catalogue", "it has no rows; send at least one"),
    (b"[" + b"0," * 100_000, JSON, "catalogue", "row 1: Expected `object`"),
    (b"sku\n" + b"," * 100_000, CSV, "catalogue", "row 2: it is longer than 65,536 characters"),
    (b'[{"sku": "\\ud800"}]', JSON, "catalogue", ""),
    (b'[{"sku": "\\u0000"}]', JSON, "sku", "row 1, sku: "),
    (
        b"sku\nA\n",
        {"Content-Type": "application/x-www-form-urlencoded"},
        "Content-Type",
        "text/csv or application/json",
    ),
]


async def test_an_invalid_catalogue_changes_nothing(
    sqlite_database: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        assert (await _upload(shop, b"sku,scryfall_id\nA,1\n", CSV))[1]["rows"] == 1
        for body, headers, field, detail in WRONG_CATALOGUES:
            with subtests.test(repr(body)):
                status, problem = await _upload(shop, body, headers)
                assert (status, problem["code"], problem["field"]) == (422, "invalid_input", field)
                assert detail in problem["detail"]
                assert len(problem["detail"]) < 400
                rows = await shop.service.app.database.read(
                    lambda connection: connection.exec_driver_sql("SELECT sku FROM catalogue").all()
                )
                assert [row.sku for row in rows] == ["A"]


async def test_a_catalogue_can_be_longer_than_other_bodies_but_not_unlimited(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        rows = 40_000
        body = b"sku,name\n" + b"".join(b"A%d,%s\n" % (number, b"x" * 50) for number in range(rows))
        assert len(body) > 2_000_000
        async with shop.service.session.post(
            f"{INVENTORY}/catalog", data=io.BytesIO(body), headers=CSV
        ) as answer:
            assert (await answer.json())["rows"] == rows

        async def endless() -> Any:  # noqa: ANN401 - an asynchronous generator
            for _ in range(70):
                yield b"y" * 1_048_576

        for data in (io.BytesIO(bytes(64 * 1_048_576 + 1)), endless()):
            # It may be refused while it is sent; this client then does not wait for an answer.
            with contextlib.suppress(ConnectionError, aiohttp.ClientConnectionError):
                async with shop.service.session.post(
                    f"{INVENTORY}/catalog", data=data, headers=CSV
                ) as answer:
                    problem = await answer.json()
                    assert (answer.status, problem["code"]) == (413, "too_large")
                    assert "67,108,864 bytes" in problem["detail"]
            count = await shop.service.app.database.read(
                lambda connection: connection.exec_driver_sql(
                    "SELECT count(*) FROM catalogue"
                ).scalar()
            )
            assert count == rows


async def test_only_a_few_concurrent_uploads_are_accepted_and_others_must_retry(
    sqlite_database: str, tmp_path: Path
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        begun, may_end = asyncio.Semaphore(0), asyncio.Event()

        async def slow(name: int) -> Any:  # noqa: ANN401 - an asynchronous generator
            begun.release()
            yield b"sku\n"
            await may_end.wait()
            yield b"A%d\n" % name

        async def upload(name: int) -> int:
            # The body is sent only when the service reads it; by then the upload is counted.
            async with shop.service.session.post(
                f"{INVENTORY}/catalog", data=slow(name), headers=CSV, expect100=True
            ) as answer:
                return answer.status

        uploads = [asyncio.create_task(upload(name)) for name in range(4)]
        for _ in uploads:
            await begun.acquire()
        refused = await shop.service.until(
            lambda: _upload(shop, b"sku\nB\n", CSV), lambda answer: answer[0] == 429
        )
        assert refused[1]["code"] == "too_many_requests"
        may_end.set()
        assert await asyncio.gather(*uploads) == [200] * 4
        assert (await _upload(shop, b"sku\nB\n", CSV))[0] == 200


WRONG_LISTS = [
    ("/products?sort=token", "sort"),
    ("/products?account=0", "account"),
    (f"/products?account={2**31}", "account"),
    (f"/products?game={2**63}", "game"),
    (f"/products?expansion={2**70}", "expansion"),
    ("/products?q=a%00b", "q"),
    ("/products?condition=%00", "condition"),
    ("/products?gone=perhaps", "gone"),
    ("/products?gone=", "gone"),
    ("/products?limit=1001", "limit"),
    ("/products?skip=1", "skip"),
    ("/products?cursor=abc", "cursor"),
    ("/products?cursor=%00", "cursor"),
    ("/products?cursor=%F0%9F%92%A9", "cursor"),
    ("/products?cursor=WzEsMSwxXQ&sort=name_en", "cursor"),
    ("/products?cursor=WyJcdTAwMDAiLDEsMV0&sort=name_en", "cursor"),
    ("/products?cursor=WzE4NDQ2NzQ0MDczNzA5NTUxNjE2LDEsMV0", "cursor"),
    ("/expansions?game=0", "game"),
    ("/blueprints?cursor=9999999999999999999", "cursor"),
    ("/unmapped?cursor=-1", "cursor"),
    ("/unmapped?kind=x", "kind"),
]


async def test_a_bad_list_request_names_the_field(
    sqlite_database: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    async with seller(sqlite_database, tmp_path, work=False) as shop:
        for path, field in WRONG_LISTS:
            with subtests.test(path):
                status, problem = await shop.call("GET", path)
                assert (status, problem["code"]) == (422, "invalid_input"), problem
                assert problem["field"] == field


async def test_product_values_are_returned_exactly_as_they_were_sent(
    database_url: str, tmp_path: Path
) -> None:
    """A number that JSON can contain and Python cannot hold breaks no answer."""
    async with seller(database_url, tmp_path) as shop:
        await shop.synced()
        odd = '{"mtg_rarity":"Common","x":1e999,"y":123456789012345678901234567890.50}'
        await shop.service.app.database.write(
            lambda connection: connection.execute(update(product).values(properties=odd))
        )
        async with shop.service.session.get(f"{INVENTORY}/products?limit=1") as answer:
            assert odd in await answer.text()
