"""A published inventory equals the export; only differences are written and recorded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import strategies as st

from tests.examples import try_examples
from tests.shop_builders import Shop, counted, expected, opened_shop, product_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.inventory.product import Product
    from tests.conftest import Say
    from tests.trials import Trials

texts = (
    st.none()
    | st.text(max_size=6)
    | st.sampled_from(
        [
            "",
            "\\",
            "\\N",
            "a\tb",
            "a\nb",
            "\r",
            "None",
            "'",
            '"',
            "\x1f",
            "\x1e",
            "{}",
            "é",
            "🂡",
            "\x01",
        ]
    )
)
offered = st.builds(
    product_of,
    st.integers(1, 12) | st.just(2**63 - 1),
    name_en=st.text(max_size=6),
    quantity=st.integers(0, 3),
    price_cents=st.integers(0, 3) | st.just(2**62),
    blueprint_id=st.integers(1, 3),
    bundled_quantity=st.none() | st.integers(0, 2),
    description=texts,
    user_data_field=texts,
    tag=texts,
    graded=st.sampled_from([None, True, False, 0, 1, 9, 9.5, "PSA 9.5", "a\x1f\x1eb"]),
    properties=st.sampled_from(
        [
            {},
            {"condition": "Played", "mtg_foil": True},
            {"pokemon_language": "zh-TW", "x": "\\u0000 \u2028 \t"},
        ]
    ),
    uploaded_images=st.sampled_from(
        [msgspec.Raw(b"[]"), msgspec.Raw(b'["a\\/b.jpg"]'), msgspec.Raw(b'["\\ud800"]')]
    ),
)
exports = st.lists(
    st.lists(offered, max_size=8, unique_by=lambda product: product.id), min_size=2, max_size=5
)
_MANY = (8, 60)
_KEPT_AS = str.maketrans(dict.fromkeys("\x1f\x1e\0", "\N{REPLACEMENT CHARACTER}"))


def cleaned(rows: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Without the three characters that PostgreSQL never gets."""
    return {
        number: {
            name: value.translate(_KEPT_AS) if isinstance(value, str) else value
            for name, value in row.items()
        }
        for number, row in rows.items()
    }


def test_after_any_edits_the_table_equals_the_export_and_the_history_restores_former_states(
    database_url: str, trials: Trials, say: Say
) -> None:
    async def check(history: list[list[Product]], page: int) -> None:
        async with opened_shop(database_url) as shop:
            runs = []
            for export in history:
                runs.append((await shop.sync(export, page=page)).run)
                assert cleaned(await shop.published()) == cleaned(expected(export))
            now = await shop.published()
            gone = {
                number: row
                for number, row in (await shop.products()).items()
                if row["gone_at"] is not None
            }
            for run, before in zip(reversed(runs[1:]), reversed(history[:-1]), strict=True):
                _undo(now, gone, await shop.history(run))
                assert cleaned(now) == cleaned(expected(before))
            assert await shop.history(runs[0]) == []

    try_examples(trials, say, _MANY, check, exports, st.sampled_from([3, 1_000]))


def _undo(
    now: dict[int, dict[str, Any]],
    gone: dict[int, dict[str, Any]],
    changes: Sequence[dict[str, Any]],
) -> None:
    """Undo the changes of one run."""
    for change in changes:
        number = change["product_id"]
        if change["kind"] == "gone":
            now[number] = {name: gone[number][name] for name in product_columns()}
            continue
        row = now.pop(number)
        row |= {name: old for name, (old, _) in change["changes"].items()}
        if change["kind"] == "changed":
            now[number] = row
        elif change["kind"] == "returned":
            gone[number] = row


def product_columns() -> list[str]:
    return list(expected([product_of()])[1])


async def test_the_same_export_twice_writes_no_product_row(database_url: str) -> None:
    export = [
        product_of(number, description=[None, "", "text"][number % 3]) for number in range(1, 200)
    ]
    async with opened_shop(database_url) as shop:
        first = await shop.sync(export)
        await _count_writes(shop)
        again = await shop.sync(list(reversed(export)))
        assert counted(first.counts) == {"new": 199}
        assert counted(again.counts) == {"unchanged": 199}
        assert await shop.opened.value("SELECT count(*) AS n FROM product_write") == 0
        assert await shop.history() == []
        row = await shop.opened.run_row(again.run)
        assert (row["inserted"], row["updated"], row["unchanged"]) == (0, 0, 199)
        await shop.sync([product_of(1, price_cents=5), *export[1:]])
        assert await shop.opened.value("SELECT count(*) AS n FROM product_write") == 1


async def _count_writes(shop: Shop) -> None:
    await shop.opened.change("CREATE TABLE product_write (product_id bigint)")
    if shop.opened.database.file:
        for event in ("INSERT", "UPDATE"):
            body = "INSERT INTO product_write VALUES (NEW.product_id);"
            await shop.opened.change(
                f"CREATE TRIGGER count_{event} AFTER {event} ON product BEGIN {body} END"
            )
        return
    await shop.opened.change(
        "CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO product_write VALUES (NEW.product_id); RETURN NULL; END $$"
    )
    await shop.opened.change(
        "CREATE TRIGGER count_write AFTER INSERT OR UPDATE ON product"
        " FOR EACH ROW EXECUTE FUNCTION count_write()"
    )


async def test_new_changed_gone_and_returned_products_are_distinguished(database_url: str) -> None:
    async with opened_shop(database_url) as shop:
        await shop.sync([product_of(1), product_of(2), product_of(3)])
        second = await shop.sync(
            [product_of(1, price_cents=250, tag=""), product_of(2), product_of(4)]
        )
        assert counted(second.counts) == {"new": 1, "changed": 1, "unchanged": 1, "gone": 1}
        noted = {
            (row["product_id"], row["kind"]): row["changes"]
            for row in await shop.history(second.run)
        }
        assert noted == {
            (1, "changed"): {"price_cents": [199, 250], "tag": [None, ""]},
            (3, "gone"): {},
            (4, "new"): {},
        }
        third = await shop.sync(
            [
                product_of(1, price_cents=250, tag=""),
                product_of(2),
                product_of(3, quantity=1),
                product_of(4),
            ]
        )
        assert counted(third.counts) == {"returned": 1, "unchanged": 3}
        rows = await shop.products()
        assert rows[3]["gone_at"] is None
        assert {
            number: (row["first_seen_run"], row["changed_run"]) for number, row in rows.items()
        }[3][1] == third.run.id
        assert rows[1]["external_stock_id"] == "1"


_NOT_READ_YET = [
    [],
    [product_of(number, properties={"condition": "Sealed"}) for number in range(2, 10)],
    [],
]


@pytest.mark.parametrize(
    "before",
    [_NOT_READ_YET[:0], _NOT_READ_YET[:1], _NOT_READ_YET[:2], _NOT_READ_YET],
    ids=["first", "new", "changed", "returned"],
)
async def test_properties_are_read_with_any_prefix_of_a_game(
    database_url: str, before: list[list[Product]]
) -> None:
    """Sealed goods have none; a pair that a database cannot store loses only its own value."""
    async with opened_shop(database_url) as shop:
        for export in before:
            await shop.sync(export)
        await shop.sync(
            [
                product_of(
                    1,
                    properties={
                        "condition": "Played",
                        "mtg_language": "de",
                        "mtg_foil": True,
                        "signed": True,
                        "altered": False,
                    },
                ),
                product_of(
                    2,
                    properties={
                        "condition": "Mint",
                        "pokemon_language": "zh-TW",
                        "pokemon_foil": False,
                    },
                    game_id=5,
                ),
                product_of(3, properties={}, game_id=7),
                product_of(4, properties={"language": "fr", "foil": 1}, game_id=8),
                product_of(5, properties_hash=msgspec.Raw(b'{"condition":"Poor","x":"\\u00e9"}')),
            ]
        )
        read = {
            number: (row["condition"], row["language"], row["foil"], row["signed"], row["altered"])
            for number, row in (await shop.products()).items()
            if row["gone_at"] is None
        }
    assert read == {
        1: ("Played", "de", True, True, False),
        2: ("Mint", "zh-TW", False, None, None),
        3: (None, None, None, None, None),
        4: (None, "fr", True, None, None),
        5: ("Poor", None, None, None, None),
    }


async def test_differences_of_more_than_one_page_are_all_published_and_recorded(
    database_url: str,
) -> None:
    """The differences come in pages of 5,000 rows."""
    first = [product_of(number, description="a\\\n\x1f\tb") for number in range(1, 8_001)]
    later = [
        product_of(
            number, quantity=7, properties={"condition": f"\x1e\\{number}\n", "mtg_language": "de"}
        )
        for number in range(2_001, 14_001)
    ]
    async with opened_shop(database_url) as shop:
        await shop.sync(first, page=5_000)
        synced = await shop.sync(later, page=5_000)
        assert counted(synced.counts) == {"new": 6_000, "changed": 6_000, "gone": 2_000}
        assert await shop.published() == expected(later)
        rows = {
            number: row for number, row in (await shop.products()).items() if row["gone_at"] is None
        }
        kept = {
            number: row["condition"].replace("\N{REPLACEMENT CHARACTER}", "\x1e")
            for number, row in rows.items()
        }
        assert kept == {number: f"\x1e\\{number}\n" for number in range(2_001, 14_001)}
        assert Counter(note["kind"] for note in await shop.history(synced.run)) == counted(
            synced.counts
        )
