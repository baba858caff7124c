"""Inventory cases from the field: a spreadsheet's ids, odd products, separate blueprints."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from penstock.access.vault import new_key
from tests.acceptance.commands import Ended, Penstock
from tests.marketplace import Marketplace, blueprint, marketplace, product

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_GONE = "SELECT product_id FROM product WHERE gone_at IS NOT NULL ORDER BY product_id"
_SKUS = """
    SELECT p.product_id, c.sku FROM product p LEFT JOIN mapping m ON m.blueprint_id = p.blueprint_id
    LEFT JOIN catalogue c ON c.id = m.catalogue_id ORDER BY p.product_id
"""
_PATIENCE_S = 60


@dataclass(frozen=True)
class Shop:
    """A seller at a marketplace, and the seller's program."""

    market: Marketplace
    penstock: Penstock

    async def gone(self) -> set[int]:
        return {number for (number,) in await self.penstock.rows(_GONE)}

    async def skus(self) -> list[str | None]:
        """The SKU of each product by its id."""
        return [sku for _, sku in await self.penstock.rows(_SKUS)]

    async def upload(self, text: str, name: str = "cards.csv") -> Ended:
        file = self.penstock.folder / name
        file.write_text(text)
        return await self.penstock("catalog", "upload", str(file))


@contextlib.asynccontextmanager
async def a_shop(
    penstock: Penstock, url: str, products: list[dict[str, Any]]
) -> AsyncIterator[Shop]:
    async with marketplace(products) as market:
        given = {
            "database_url": url,
            "cardtrader_url": market.url,
            "secret_key": new_key(),
            "request_attempts": "1",
            "run_attempts": "1",
        }
        known = penstock.with_settings(**given)
        added = await known.with_settings(cardtrader_token="token")("accounts", "add", "shop")
        assert added.code == 0, added.err
        yield Shop(market, known)


@pytest.fixture
async def forty(tmp_path: Path, sqlite_database: str) -> AsyncIterator[Shop]:
    """A shop with the products 1 to 40, synced."""
    async with a_shop(
        Penstock(tmp_path), sqlite_database, [product(number) for number in range(1, 41)]
    ) as shop:
        assert (await shop.penstock("sync", "shop")).code == 0
        yield shop


def without(rows: list[dict[str, Any]], *numbers: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["id"] not in numbers]


async def test_a_product_with_a_grade_in_text_is_kept_with_it_and_sold_ones_are_gone(
    forty: Shop,
) -> None:
    market, penstock = forty.market, forty.penstock
    market.products = without(market.products, 5)
    market.products[9] |= {"graded": "PSA 9.5", "price_cents": 9_999}
    assert market.products[9]["id"] == 11
    synced = await penstock("sync", "shop")
    assert (synced.code, "nothing changed" in synced.out) == (0, False)
    assert await forty.gone() == {5}
    assert await penstock.rows("SELECT price_cents, graded FROM product WHERE product_id = 11") == [
        (9_999, "PSA 9.5")
    ]
    shown = (await penstock("products", "shop", "-q", "Card 11", "--json")).json
    assert [product["graded"] for product in shown] == ["PSA 9.5"]
    assert "graded PSA 9.5" in (await penstock("history", "11")).out
    market.products = without(market.products, *range(21, 31))
    held = await penstock("sync", "shop")
    assert (held.code, await forty.gone()) == (8, {5})
    assert "10 of 39 published products are missing" in held.out


async def test_a_new_grade_counts_as_a_changed_product(forty: Shop) -> None:
    for grade in (9, 7, "7.5", 10):
        forty.market.products[10]["graded"] = grade
        synced = (await forty.penstock("sync", "shop", "--json")).json
        assert (synced["counts"]["changed"], synced["counts"]["unchanged"]) == (1, 39)
        assert await forty.penstock.rows("SELECT graded FROM product WHERE product_id = 11") == [
            (str(grade),)
        ]
    assert await forty.penstock.rows(
        "SELECT DISTINCT graded FROM product WHERE product_id <> 11"
    ) == [("false",)]


async def test_an_unreadable_row_with_a_readable_id_counts_as_present(forty: Shop) -> None:
    market, penstock = forty.market, forty.penstock
    market.products = without(market.products, 5)
    market.products[9] |= {"name_en": {"text": None}, "price_cents": 1}
    synced = await penstock("sync", "shop")
    assert (synced.code, await forty.gone()) == (0, {5})
    assert "published; 1 row could not be read: its product is kept as before" in " ".join(
        synced.out.split()
    )
    assert await penstock.rows(
        "SELECT name_en, price_cents FROM product WHERE product_id = 11"
    ) == [("Card 11", 111)]
    assert await penstock.rows("SELECT product_id FROM product_quarantine") == [(11,)]
    again = await penstock("sync", "shop")
    assert (again.code, await forty.gone(), "nothing changed" in again.out) == (0, {5}, False)


async def test_with_a_row_without_an_id_no_product_is_marked_as_gone_and_every_view_says_so(
    forty: Shop,
) -> None:
    market, penstock = forty.market, forty.penstock
    market.products = [*without(market.products, *range(21, 31)), product(0, id=None)]
    said = (
        "1 row could not be read, 1 without an id: nothing is marked as gone,"
        " 10 missing products kept as before"
    )
    synced = await penstock("sync", "shop")
    assert (synced.code, await forty.gone()) == (0, set())
    assert said in " ".join(synced.out.split())
    assert "nothing changed" not in synced.out
    async with penstock.serving() as service:
        async with service.session.get("/api/v1/inventory/accounts/1/sync") as answer:
            sync = await answer.json()
        assert (
            sync["unread"],
            sync["unidentified"],
            sync["unmarked"],
            sync["result"]["unread"],
        ) == (said, 1, 10, said)
        assert said in sync["message"]
    assert (await penstock("sync", "shop", "--dry-run")).code == 0
    assert said in " ".join((await penstock("diff", "shop")).out.split())
    market.products = market.products[:-1]
    assert (await penstock("sync", "shop")).code == 8, "ten of forty are missing"


@pytest.fixture
async def two(tmp_path: Path, sqlite_database: str) -> AsyncIterator[Shop]:
    """A shop with products of the blueprints 100 and 101, mapped by a list with plain ids."""
    products = [product(1, blueprint_id=100), product(2, blueprint_id=101)]
    async with a_shop(Penstock(tmp_path), sqlite_database, products) as shop:
        first = blueprint(100, tcg_player_id=180_397, card_market_ids=[366_585])
        shop.market.blueprints["8"] = [first, blueprint(101, tcg_player_id=180_398)]
        assert (await shop.penstock("sync", "shop")).code == 0
        assert (await shop.upload("sku,tcgplayer_id\nold 1,180397\nold 2,180398\n")).code == 0
        assert await shop.skus() == ["old 1", "old 2"]
        yield shop


@pytest.mark.parametrize(
    ("text", "skus"),
    [
        (
            "sku,name,tcgplayer_id,cardmarket_id\nA,one,180397.0,366585.0\nB,two,180398.0,\n",
            ["A", "B"],
        ),
        ("sku,name,tcgplayer_id,cardmarket_id\nA,one,1.80397E+05,\n", ["A", None]),
        ("sku,name,tcgplayer_id,cardmarket_id\nA,one, ,366585.0\n", ["A", None]),
    ],
)
async def test_ids_as_written_by_a_spreadsheet_are_the_same_ids(
    two: Shop, text: str, skus: list[str | None]
) -> None:
    uploaded = await two.upload(text)
    assert (uploaded.code, await two.skus()) == (0, skus), uploaded.err


async def test_floats_in_json_are_the_same_ids_too(two: Shop) -> None:
    uploaded = await two.upload(
        '[{"sku": "A", "tcgplayer_id": 180397.0}, {"sku": "B", "tcgplayer_id": 1.80398e5}]',
        "cards.json",
    )
    assert (uploaded.code, await two.skus()) == (0, ["A", "B"]), uploaded.err


@pytest.mark.parametrize(
    ("text", "name", "row"),
    [
        ("sku,tcgplayer_id\nA,180397.5\n", "cards.csv", 2),
        ('[{"sku": "A", "tcgplayer_id": "180,397"}]', "cards.json", 1),
    ],
)
async def test_an_invalid_id_is_refused_by_row_and_column_and_the_old_mapping_stays(
    two: Shop, text: str, name: str, row: int
) -> None:
    refused = await two.upload(text, name)
    assert (refused.code, f"row {row}, tcgplayer_id: " in refused.complaint) == (2, True)
    assert await two.skus() == ["old 1", "old 2"]


_CARDS = "sku,scryfall_id,tcgplayer_id,cardmarket_id\nA,s-100,180397,\nB,,180398,\nC,,,362677\n"


async def test_blueprints_of_no_expansion_and_ids_in_text_are_looked_up_and_mapped(
    tmp_path: Path, database_url: str
) -> None:
    products = [product(number, blueprint_id=number) for number in (100, 101, 200)]
    async with a_shop(Penstock(tmp_path), database_url, products) as shop:
        shop.market.blueprints = {
            "8": [
                blueprint(100, tcg_player_id="180397", scryfall_id="S-100"),
                blueprint(101, tcg_player_id=180_398),
            ],
            "null": [blueprint(200, expansion_id=None, card_market_ids=[362_677])],
        }
        assert (await shop.upload(_CARDS)).code == 0
        async with shop.penstock.serving() as service:
            assert (await shop.penstock("sync", "shop")).code == 0
            async with asyncio.timeout(_PATIENCE_S):
                while await shop.skus() != ["A", "B", "C"]:
                    await asyncio.sleep(
                        0.05
                    )  # the lookup is a separate run that this command does not follow
            async with service.session.get("/api/v1/inventory/blueprints?limit=3") as answer:
                assert [
                    product["expansion_id"] for product in json.loads(await answer.read())["items"]
                ] == [8, 8, None]
            async with service.session.get("/api/v1/inventory/products?mapped=true") as answer:
                assert [product["sku"] for product in json.loads(await answer.read())["items"]] == [
                    "A",
                    "B",
                    "C",
                ]
        assert await shop.penstock.rows("SELECT id FROM unlisted_blueprint") == []
        assert shop.market.asked == ["8", "null"]
        assert (await shop.penstock("sync", "shop")).code == 0
        assert shop.market.asked == ["8", "null"]
