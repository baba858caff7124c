"""A seller's products are deterministic and realistic, and versions differ exactly as requested."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import InvalidInputError
from penstock.simulator.cardtrader.accounts import parse_accounts
from penstock.simulator.cardtrader.catalogue import Catalogue
from penstock.simulator.cardtrader.edits import FIELDS, Changes, Field
from penstock.simulator.cardtrader.export import Export, Press
from penstock.simulator.cardtrader.inventory import SellerInventory, SimulatedSeller, encoded
from penstock.simulator.cardtrader.stock import BLOCK, Stock, StockProduct

CATALOGUE = Catalogue(1)
COUNT = 20_000
DEMO = "demo"
ALWAYS = """
id name_en quantity bundle_size bundled_quantity description user_data_field tag price_cents
price_currency game_id category_id blueprint_id user_id properties_hash graded uploaded_images
"""
CHANGED = {
    "price": {"price_cents"},
    "quantity": {"quantity", "bundled_quantity"},
    "condition": {"properties_hash", "price_cents"},
    "description": {"description"},
    "user_data_field": {"user_data_field"},
    "tag": {"tag"},
}

DIGEST = """
import hashlib
from penstock.simulator.cardtrader.catalogue import Catalogue
from penstock.simulator.cardtrader.edits import Changes
from penstock.simulator.cardtrader.inventory import SellerInventory, SimulatedSeller, encoded
inventory = SellerInventory(Catalogue(5), SimulatedSeller("a", 7, 3000))
inventory.advance(Changes(changed=10, gone=5, new=3, sold=2))
print(hashlib.sha256(b"".join(map(encoded, inventory.products(2)))).hexdigest())
"""


def seller(count: int = 3000, token: str = DEMO) -> SellerInventory:
    return SellerInventory(CATALOGUE, SimulatedSeller(token, 1001, count))


def decoded(inventory: SellerInventory, version: int) -> dict[int, dict[str, Any]]:
    rows = [json.loads(encoded(product)) for product in inventory.products(version)]
    return {row["id"]: row for row in rows}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """A whole export, decoded independently of its encoder."""
    return list(json.loads(b"".join(Export(Press(), seller(COUNT), 1).pieces())))


def test_two_processes_make_the_same_products() -> None:
    there = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()
    inventory = SellerInventory(Catalogue(5), SimulatedSeller("a", 7, 3000))
    inventory.advance(Changes(changed=10, gone=5, new=3, sold=2))
    assert hashlib.sha256(b"".join(map(encoded, inventory.products(2)))).hexdigest() == there


def test_a_small_catalogue_has_the_first_expansions_of_each_game_and_only_their_products() -> None:
    small = Catalogue(1, expansions=2)
    first = [
        [expansion for expansion in CATALOGUE.expansions if expansion.game == game][:2]
        for game in CATALOGUE.games
    ]
    assert small.expansions == [expansion for of_game in first for expansion in of_game]
    known = {blueprint.id for blueprint in small.blueprints}
    assert known < {blueprint.id for blueprint in CATALOGUE.blueprints}
    assert {
        product.blueprint_id
        for product in SellerInventory(small, SimulatedSeller(DEMO, 1001, 500)).products(1)
    } <= known


def test_blocks_are_the_same_in_any_order() -> None:
    def block(stock: Stock, number: int) -> list[tuple[int, StockProduct]]:
        return list(stock.products(number * BLOCK, (number + 1) * BLOCK))

    forwards, backwards = (Stock(CATALOGUE, "demo", 1) for _ in range(2))
    first = [block(forwards, number) for number in (0, 1, 2)]
    assert [block(backwards, number) for number in (2, 1, 0)] == first[::-1]
    everything = [product for products in first for _, product in products]
    inventory = SellerInventory(CATALOGUE, SimulatedSeller("demo", 1, 3 * BLOCK))
    assert list(inventory.products(1)) == everything
    assert list(inventory.products(1, 1000, 1100)) == everything[1000:1100]


def test_another_seed_or_token_is_another_inventory() -> None:
    some = [encoded(product) for product in seller(50).products(1)]
    assert [encoded(product) for product in seller(50, "other").products(1)] != some
    assert [
        encoded(product)
        for product in SellerInventory(Catalogue(2), SimulatedSeller("demo", 1001, 50)).products(1)
    ] != some


def test_an_export_is_one_valid_array_with_ids_of_64_bits_that_are_unique_and_in_no_order(
    rows: list[dict[str, Any]],
) -> None:
    ids = [row["id"] for row in rows]
    assert len(ids) == len(set(ids)) == COUNT
    assert ids != sorted(ids)
    assert min(ids) > 0
    assert 2**53 < max(ids) < 2**63


def test_ids_of_several_sellers_do_not_meet() -> None:
    first, second = parse_accounts(("a", "b"), 5000)
    ids = [
        {product.id for product in SellerInventory(CATALOGUE, account).products(1)}
        for account in (first, second)
    ]
    assert not ids[0] & ids[1]


def test_a_product_has_about_600_bytes() -> None:
    size = sum(len(piece) for piece in Export(Press(), seller(COUNT), 1).pieces())
    assert 500 < size / COUNT < 700


def test_the_fields_and_their_types_are_those_of_the_real_export(
    rows: list[dict[str, Any]],
) -> None:
    assert {frozenset(row) for row in rows} == {
        frozenset(ALWAYS.split()),
        frozenset([*ALWAYS.split(), "expansion"]),
    }
    assert all(row["quantity"] == row["bundle_size"] * row["bundled_quantity"] > 0 for row in rows)
    assert {type(row["price_cents"]) for row in rows} == {int}
    assert min(row["price_cents"] for row in rows) > 0
    assert {row["price_currency"] for row in rows} == {"EUR"}
    assert {row["user_id"] for row in rows} == {1001}


def test_every_trap_is_there(rows: list[dict[str, Any]]) -> None:
    for field in ("description", "user_data_field", "tag"):
        kinds = Counter(
            "null" if row[field] is None else "text" if row[field] else "empty" for row in rows
        )
        assert min(kinds["null"], kinds["empty"], kinds["text"]) > COUNT / 20
    texts = "".join(row["description"] or "" for row in rows) + "".join(
        row["name_en"] for row in rows
    )
    assert all(trap in texts for trap in ("},{", '"', "\\", "\n", "]", "📦", "日本", "ä"))
    assert {json.dumps(row["graded"]) for row in rows} == {"false", "true", "null", "0", "1"}
    assert {row["bundle_size"] for row in rows} == {1, 4, 10}
    assert any(row["uploaded_images"] for row in rows)
    skus = Counter(row["user_data_field"] for row in rows if row["user_data_field"])
    assert max(skus.values()) > 1


def test_properties_have_prefixed_keys_and_sealed_goods_have_none(
    rows: list[dict[str, Any]],
) -> None:
    keys = {key for row in rows for key in row["properties_hash"]}
    assert {
        "condition",
        "mtg_language",
        "mtg_foil",
        "pokemon_language",
        "first_edition",
        "signed",
        "altered",
        "collector_number",
    } <= keys
    languages = {
        value
        for row in rows
        for key, value in row["properties_hash"].items()
        if key.endswith("_language")
    }
    assert {"en", "zh-TW", "jp"} <= languages
    sealed = {
        category["id"]
        for category in _categories()
        if "condition" not in {property_["name"] for property_ in category["properties"]}
    }
    assert {row["category_id"] in sealed for row in rows if not row["properties_hash"]} == {True}


def test_one_product_in_sixteen_is_a_second_one_of_the_same_thing(
    rows: list[dict[str, Any]],
) -> None:
    pairs = pairwise((row["blueprint_id"], row["properties_hash"]) for row in rows)
    assert sum(pair == other for pair, other in pairs) == pytest.approx(COUNT / 16, rel=0.2)


def _categories() -> list[dict[str, Any]]:
    from penstock.simulator.cardtrader.catalogue import shown_categories  # noqa: PLC0415

    return [
        json.loads(json.dumps(category))
        for game in CATALOGUE.games
        for category in shown_categories(game)
    ]


@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_product_differs_in_the_field_asked_for_and_nothing_else(field: Field) -> None:
    inventory = seller(500)
    inventory.advance(Changes(changed=100, fields=(field,)))
    inventory.advance(Changes(changed=100, fields=(field,)))
    versions = [decoded(inventory, version) for version in (1, 2, 3)]
    for before, after in pairwise(versions):
        for number, row in before.items():
            different = {name for name in row if row[name] != after[number][name]}
            assert different
            assert different <= CHANGED[field]


def test_a_version_has_exactly_the_percentages_asked_for() -> None:
    inventory = seller(3000)
    inventory.advance(Changes(changed=1, gone=2, new=3))
    assert inventory.difference(1, 2) == type(inventory.difference(1, 1))(
        new=90, changed=30, gone=60, returned=0
    )
    inventory.advance(Changes(returned=100))
    found = inventory.difference(2, 3)
    assert (found.new, found.changed, found.gone, found.returned) == (0, 0, 0, 60)
    assert inventory.totals(3).products == 3090
    later = decoded(seller(3090), 1)
    second, new = decoded(inventory, 2), later.keys() - decoded(inventory, 1).keys()
    assert {number: second[number] for number in new} == {number: later[number] for number in new}
    assert decoded(inventory, 1).keys() <= decoded(inventory, 3).keys()


def test_sold_stock_becomes_less_and_the_last_one_takes_the_product() -> None:
    inventory = seller(2000)
    inventory.advance(Changes(sold=100))
    before, after = decoded(inventory, 1), decoded(inventory, 2)
    assert {
        number for number, row in before.items() if row["bundled_quantity"] == 1
    } == before.keys() - after.keys()
    assert all(
        row["bundled_quantity"] == before[number]["bundled_quantity"] - 1
        for number, row in after.items()
    )
    inventory.advance(Changes(returned=100))
    assert min(row["quantity"] for row in decoded(inventory, 3).values()) > 0


percents = st.floats(0, 30)
changes = st.builds(
    Changes,
    changed=percents,
    gone=percents,
    new=percents,
    returned=st.floats(0, 100),
    sold=percents,
)


@settings(max_examples=25)
@given(count=st.integers(0, 40), steps=st.lists(changes, max_size=4))
def test_the_difference_and_the_totals_are_those_of_the_rows(
    count: int, steps: list[Changes]
) -> None:
    inventory = seller(count)
    for step in steps:
        inventory.advance(step)
    ever: set[int] = set()
    versions = [decoded(inventory, version) for version in range(1, inventory.version + 1)]
    for number, rows in enumerate(versions, 1):
        totals = inventory.totals(number)
        assert (totals.products, totals.ids) == (len(rows), sum(rows))
        assert (totals.quantity, totals.price_cents) == tuple(
            sum(row[name] for row in rows.values()) for name in ("quantity", "price_cents")
        )
        before = versions[max(0, number - 2)]
        found = inventory.difference(max(1, number - 1), number)
        arrived = rows.keys() - before.keys()
        assert (found.new + found.returned, found.gone) == (
            len(arrived),
            len(before.keys() - rows.keys()),
        )
        assert found.returned == len(arrived & ever)
        assert found.changed == sum(
            rows[product_id] != before[product_id] for product_id in rows.keys() & before.keys()
        )
        ever |= rows.keys()


@pytest.mark.parametrize(
    "wrong", ["", "demo:", "demo:-1", "demo:many", "two words", "demo:99999999999"]
)
def test_a_wrong_account_is_refused_by_its_name(wrong: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^(account|products): "):
        parse_accounts((wrong,), 10)


def test_the_same_token_twice_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="there twice"):
        parse_accounts(("a:1", "a:2"), 10)


def test_an_impossible_version_is_refused_and_changes_nothing() -> None:
    with pytest.raises(InvalidInputError, match="more than 100"):
        Changes(changed=60, gone=30, sold=11)
    inventory = seller(9_000_000)
    with pytest.raises(InvalidInputError, match="smaller percentage"):
        inventory.advance(Changes(new=50))
    assert inventory.version == 1
