"""A seller edits the inventory between exports, in any way.

The table equals each export, the history has each edit, and money is whole cents.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import strategies as st

from penstock.inventory.export.pipeline import PackedReader
from penstock.inventory.product import Product, RejectedRow
from penstock.inventory.tables import STAGED
from tests.examples import try_examples
from tests.inventory_builders import body_of, row
from tests.seller_builders import differing, row_of
from tests.shop_builders import NEVER_SHRUNK, SELLER, Shop, Synced, counted, opened_shop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.conftest import Say
    from tests.trials import Trials

Sent = dict[int, dict[str, Any]]
Edit = tuple[str, Any, Any]

_texts = st.sampled_from([None, "", "text", "},{", "\\N", "ü🂡", "a\nb\t"])
_fields = {
    "name_en": st.sampled_from(["Lightning Bolt", "Æther // Élan", ""]),
    "quantity": st.integers(0, 3),
    "bundle_size": st.integers(1, 2),
    "bundled_quantity": st.none() | st.integers(0, 2),
    "description": _texts,
    "user_data_field": _texts,
    "tag": _texts,
    "price_cents": st.integers(0, 3) | st.just(2**62),
    "price_currency": st.sampled_from(["EUR", "USD"]),
    "game_id": st.integers(1, 3),
    "category_id": st.integers(1, 2),
    "blueprint_id": st.integers(1, 3),
    "user_id": st.sampled_from([SELLER, 2**40]),
    "properties_hash": st.sampled_from(
        [
            {},
            {"condition": "Poor", "mtg_foil": True},
            {"pokemon_language": "zh-TW", "x": [1, {"a": "},{"}]},
        ]
    ),
    "graded": st.sampled_from([None, True, False, 0, 1, 9, 7, 9.5, "PSA 9.5"]),
    "uploaded_images": st.sampled_from([[], ["a/b.jpg"]]),
}
_ids = st.integers(1, 8) | st.just(2**63 - 1)
_edit: st.SearchStrategy[Edit] = st.one_of(
    st.tuples(st.just("list"), _ids, st.none()),
    st.tuples(st.just("remove"), _ids, st.none()),
    *(
        st.tuples(st.just("set"), _ids, st.tuples(st.just(name), values))
        for name, values in _fields.items()
    ),
    st.tuples(st.just("currency"), st.sampled_from(["EUR", "USD"]), st.none()),
)
_days = st.lists(st.lists(_edit, max_size=10), min_size=1, max_size=5)
_MANY = (5, 50)


def edit(inventory: Sent, former: Sent, action: Edit) -> None:
    """Apply one edit; `former` holds removed products, which return unchanged."""
    match action:
        case ("list", number, _) if number not in inventory:
            inventory[number] = (
                former.pop(number) if number in former else row(number, user_id=SELLER)
            )
        case ("remove", number, _) if number in inventory:
            former[number] = inventory.pop(number)
        case ("set", number, (name, value)) if number in inventory:
            inventory[number] = inventory[number] | {name: value}
        case ("currency", currency, _):
            inventory |= {
                number: sent | {"price_currency": currency} for number, sent in inventory.items()
            }


def read(body: bytes) -> tuple[list[Product], list[RejectedRow]]:
    reader = PackedReader(gzip=False)
    pages = [*reader.feed(body), *reader.end()]
    return [product for page in pages for product in page.products], [
        row for page in pages for row in page.rejected
    ]


def columns(body: bytes) -> Sent:
    """The columns that an export decides, by product id."""
    rows = map(row_of, msgspec.json.decode(body, type=list[dict[str, msgspec.Raw]]))
    return {row["product_id"]: {name: row[name] for name in STAGED} for row in rows}


async def synced(shop: Shop, body: bytes) -> Synced:
    products, rejected = read(body)
    assert rejected == []
    return await shop.sync(products, page=3)


def expected_history(
    known: Sent, before: Sent, after: Sent
) -> dict[tuple[int, str], dict[str, list[Any]]]:
    """The expected history from `before` to `after`; `known` has the last rows, also gone ones."""
    notes: dict[tuple[int, str], dict[str, list[Any]]] = {
        (number, "gone"): {} for number in before.keys() - after.keys()
    }
    for number, now in after.items():
        was = known.get(number, now)
        changes = {name: [was[name], now[name]] for name in now if was[name] != now[name]}
        if number not in before:
            notes[number, "returned" if number in known else "new"] = changes
        elif changes:
            notes[number, "changed"] = changes
    return notes


def test_after_each_day_of_edits_the_table_equals_the_export_and_the_history_is_complete(
    database_url: str, trials: Trials, say: Say
) -> None:
    async def check(days: list[list[Edit]]) -> None:
        inventory, former = {number: row(number, user_id=SELLER) for number in (1, 2, 3)}, Sent()
        async with opened_shop(database_url) as shop:
            known = before = Sent()
            for number, edits in enumerate([[], *days]):
                for day in edits:
                    edit(inventory, former, day)
                body = body_of(list(inventory.values()))
                run = (await synced(shop, body)).run
                after = columns(body)
                assert differing(await shop.published(), after) == {}
                noted = {
                    (entry["product_id"], entry["kind"]): entry["changes"]
                    for entry in await shop.history(run)
                }
                assert noted == (expected_history(known, before, after) if number else {})
                known, before = known | after, after
                # Again, in another order.
                again = await synced(shop, body_of(list(reversed(inventory.values()))))
                assert set(counted(again.counts)) <= {"unchanged"}
                assert await shop.history(again.run) == []

    try_examples(trials, say, _MANY, check, _days)


async def test_an_unchanged_sync_rewrites_no_row(
    postgres_database: str,
) -> None:
    """Compared by the database's own numbers: a rewritten row has another place or transaction."""
    place = (
        "SELECT product_id, CAST(ctid AS text) AS place, CAST(xmin AS text) AS written"
        " FROM product ORDER BY product_id"
    )
    inventory = {number: row(number, user_id=SELLER) for number in range(1, 200)}
    async with opened_shop(postgres_database) as shop:
        await synced(shop, body_of(list(inventory.values())))
        before = await shop.opened.rows(place)
        await synced(shop, body_of(list(inventory.values())))
        assert await shop.opened.rows(place) == before
        await synced(
            shop, body_of(list((inventory | {7: row(7, user_id=SELLER, tag="x")}).values()))
        )
        moved = [
            now["product_id"]
            for was, now in zip(before, await shop.opened.rows(place), strict=True)
            if was != now
        ]
        assert moved == [7]


@pytest.mark.parametrize(
    "price", ["1.5", "1e2", "100.0", '"100"', "-1", "null", "true", "9223372036854775808"]
)
async def test_a_price_that_is_not_whole_cents_is_refused_and_the_published_price_stays(
    sqlite_database: str, price: str
) -> None:
    inventory = [row(number, user_id=SELLER) for number in (1, 2, 3)]
    body = body_of(inventory).replace(b'"id":2,', b'"id":2,"NEXT":0,')
    products, rejected = read(
        body.replace(b'"price_cents":500', b'"price_cents":PRICE', 2)
        .replace(b"PRICE", b"500", 1)
        .replace(b"PRICE", price.encode())
    )
    assert [row.product_id for row in rejected] == [2]
    async with opened_shop(sqlite_database) as shop:
        await synced(shop, body_of(inventory))
        sync = await shop.sync(products, rejected=rejected)
        assert counted(sync.counts) == {"unchanged": 2, "rejected": 1}
        assert {
            number: shown["price_cents"] for number, shown in (await shop.published()).items()
        } == {1: 500, 2: 500, 3: 500}
        [refused] = await shop.opened.rows("SELECT raw, product_id FROM product_quarantine")
        assert refused["product_id"] == 2
        assert f'"price_cents":{price}' in refused["raw"]


async def test_no_money_is_a_float_anywhere(database_url: str) -> None:
    """Checks column types, rows, history and kept differences."""
    inventory = {
        number: row(number, user_id=SELLER, price_cents=2**62 + number) for number in (1, 2, 3)
    }
    async with opened_shop(database_url) as shop:
        await synced(shop, body_of(list(inventory.values())))
        inventory[1]["price_cents"] = 2**53 + 1
        changed = await synced(shop, body_of(list(inventory.values())))
        inventory[2]["price_cents"] = 1
        kept = await shop.sync(read(body_of(list(inventory.values())))[0], keep=True)
        types = await _types(shop, "product", "product_diff", "product_history")
        assert {name: kind for name, kind in types.items() if "cents" in name} == {
            "product.price_cents": "bigint",
            "product_diff.price_cents": "bigint",
        }
        assert not {
            kind
            for kind in types.values()
            if kind in {"real", "double precision", "float", "numeric", "money"}
        }
        [noted] = await shop.history(changed.run)
        assert noted["changes"] == {"price_cents": [2**62 + 1, 2**53 + 1]}
        [diff] = await shop.opened.rows(
            "SELECT price_cents, CAST(changes AS text) AS changes FROM product_diff"
        )
        assert (diff["price_cents"], json.loads(diff["changes"])) == (
            1,
            {"price_cents": [2**62 + 2, 1]},
        )
        if shop.opened.database.file:
            for table in ("product", "product_diff"):
                assert await shop.opened.rows(
                    f"SELECT DISTINCT typeof(price_cents) AS kind FROM {table}"
                ) == [{"kind": "integer"}]
        await shop.inventory.approve(kept.run.id)
        assert (await shop.published())[2]["price_cents"] == 1


async def _types(shop: Shop, *tables: str) -> Mapping[str, str]:
    """The types of the columns as the database has them."""
    found: dict[str, str] = {}
    for table in tables:
        query = (
            "SELECT column_name AS name, data_type AS type FROM information_schema.columns"
            f" WHERE table_name = '{table}'"
        )
        rows: Sequence[dict[str, Any]] = await shop.opened.rows(
            f"PRAGMA table_info({table})" if shop.opened.database.file else query
        )
        found |= {f"{table}.{row['name']}": str(row["type"]).lower() for row in rows}
    return found


async def test_a_row_refused_in_two_starts_of_a_run_counts_once(
    database_url: str,
) -> None:
    refused = RejectedRow(reason="malformed", detail="expected int", raw='{"id":3}', product_id=3)
    [product], _ = read(body_of([row(1, user_id=SELLER)]))
    async with opened_shop(database_url) as shop:
        run = await shop.opened.run()
        for start in (1, 2):
            async with shop.inventory.staging(shop.opened.context(run), shop.account) as staging:
                await staging.add([product])
                await staging.refuse([refused])
                if start == 1:
                    # Here the body may be cut, and the run starts again.
                    continue
                await staging.publish(await staging.compare(NEVER_SHRUNK))
        shown = await shop.opened.run_row(run)
        assert (shown["inserted"], shown["rejected"]) == (1, 1)
        kept = await shop.opened.run()
        async with shop.inventory.staging(shop.opened.context(kept), shop.account) as staging:
            await staging.refuse([refused, refused])
            await staging.keep(await staging.compare(NEVER_SHRUNK), held=True)
        assert (await shop.opened.run_row(kept))["rejected"] == 2
