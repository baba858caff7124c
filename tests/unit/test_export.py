"""Decoding an export: every row is decoded once, whatever it contains and however it arrives."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from penstock.inventory.export import reader as export
from penstock.inventory.export.rows import RAW_CHARS
from penstock.inventory.product import grade_of
from tests.inventory_builders import body_of, row
from tests.unit.exports import NASTY, SEVERAL_TEXTS, SEVERAL_WINDOWS, ids, large, read

if TYPE_CHECKING:
    from tests.conftest import Say
    from tests.trials import Trials


@pytest.mark.parametrize("size", [997, 65_536, 300_000, 10_000_000])
@pytest.mark.parametrize("packed", [False, True])
def test_every_row_is_decoded_once_and_unchanged_from_any_pieces(
    size: int, *, packed: bool
) -> None:
    body = body_of(SEVERAL_WINDOWS)
    products, rejected = read(gzip.compress(body, 1) if packed else body, size, packed=packed)
    assert not rejected
    assert [(product.id, product.description) for product in products] == [
        (sent["id"], sent["description"]) for sent in SEVERAL_WINDOWS
    ]
    assert {bytes(product.properties_hash) for product in products} == {
        b'{"condition":"Near Mint","mtg_language":"en"}'
    }


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_small_export_can_arrive_byte_by_byte(size: int) -> None:
    assert ids(read(body_of([row(1), row(2)]), size)[0]) == [1, 2]


def test_pages_hold_5000_rows() -> None:
    assert len(read(body_of([row(number) for number in range(1, 12_002)]))[0]) == 12_001


@pytest.mark.parametrize("body", [b"[]", b" [ ] \n", b'{"array":[]}', b' { "array" : [ ] } '])
def test_an_empty_array_is_an_export_without_products(body: bytes) -> None:
    assert read(body) == ([], [])


@pytest.mark.parametrize("wrap", ["{}", " \n{}\r\n ", '{{"array":{}}}', ' {{ "array" :\n{} }}\n'])
def test_the_array_can_be_wrapped_and_surrounded_by_blanks(wrap: str) -> None:
    body = wrap.format(body_of(SEVERAL_WINDOWS).decode()).encode()
    assert len(read(body)[0]) == len(SEVERAL_WINDOWS)


def test_an_indented_export_is_read() -> None:
    assert len(read(json.dumps(SEVERAL_WINDOWS, indent=2).encode())[0]) == len(SEVERAL_WINDOWS)


def test_separators_inside_nested_arrays_and_unknown_fields_split_no_row() -> None:
    rows = large(
        600,
        hub_state={
            "shelf": [1, {"id": 1}, {"id": 2, "deep": [{"a": "},{"}, {"b": 1}, {"c": []}] * 30}],
            "checked": None,
        },
    )
    products, rejected = read(body_of(rows))
    assert (ids(products), rejected) == (list(range(1, 601)), [])


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=30)
    | st.sampled_from([NASTY, "},{", "[", "]", "\\"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_a_row_with_any_further_values_is_read(trials: Trials, say: Say) -> None:
    count = trials.of(30, 300)

    @seed(trials.seed)
    @settings(max_examples=count)
    @given(
        st.lists(values, max_size=12), st.integers(1, 1_000), st.integers(100, 3_000), st.booleans()
    )
    def check(extras: list[object], size: int, window: int, ascii_only: bool) -> None:
        rows = [row(number, extra=extra, name_en=NASTY) for number, extra in enumerate(extras, 1)]
        body = json.dumps(rows, ensure_ascii=ascii_only, separators=(",", ":")).encode()
        # Windows as small as a row, so that every boundary is searched for.
        with mock.patch.object(export, "WINDOW_BYTES", window):
            products, rejected = read(body, size)
        assert (ids(products), rejected) == (list(range(1, len(extras) + 1)), [])

    check()
    say(f"seed {trials.seed}, n = {count} exports")


# ── Rows that are not products ────────────────────────────────────────────────

GOOD = body_of([row(1)])[1:-1].decode()
BAD = {
    "a price in text": GOOD.replace(":500", ':"12,50"'),
    "a fraction of a cent": GOOD.replace(":500", ":12.5"),
    "a price as a whole float": GOOD.replace(":500", ":500.0"),
    "a price with an exponent": GOOD.replace(":500", ":5e2"),
    "NaN": GOOD.replace(":500", ":NaN"),
    "Infinity": GOOD.replace(":500", ":-Infinity"),
    "a negative price": GOOD.replace(":500", ":-500"),
    "a negative quantity": GOOD.replace('"quantity":3', '"quantity":-3'),
    "a quantity of more than 32 bits": GOOD.replace('"quantity":3', '"quantity":2147483648'),
    "an id of more than 64 bits": GOOD.replace('"id":1,', '"id":9223372036854775808,'),
    "an id of 5000 digits": GOOD.replace('"id":1,', f'"id":{"9" * 5_000},'),
    "an id that is true": GOOD.replace('"id":1,', '"id":true,'),
    "an id of zero": GOOD.replace('"id":1,', '"id":0,'),
    "no id": GOOD.replace('"id":1,', ""),
    "no currency": GOOD.replace('"EUR"', '""'),
    "null as currency": GOOD.replace('"EUR"', "null"),
    "properties that are an array": GOOD.replace(
        '{"condition":"Near Mint","mtg_language":"en"}', "[]"
    ),
    "properties that are null": GOOD.replace(
        '{"condition":"Near Mint","mtg_language":"en"}', "null"
    ),
    "a zero in text": GOOD.replace("Near Mint", "Near\\u0000Mint", 1),
    "a zero in properties": GOOD.replace('"mtg_language":"en"', '"mtg_language":"e\\u0000n"'),
    "half a character in text": GOOD.replace("Near Mint", "Near\\ud83cMint", 1),
    "half a character in properties": GOOD.replace(
        '"mtg_language":"en"', '"mtg_language":"\\uDC00"'
    ),
    "a bare line end in text": GOOD.replace("Near Mint", "Near\nMint", 1),
    "a number": "17",
    "a text": '"},{"',
    "null": "null",
    "an array": "[1,[2]]",
    "an empty object": "{}",
    "depth": GOOD.replace('"graded":false', '"graded":' + "[" * 20_000 + "]" * 20_000),
    "a missing brace": GOOD[:-1],
    "a missing quote": GOOD.replace('"EUR"', '"EUR'),
    "half a row": GOOD[: len(GOOD) // 2],
    "a raw zero": GOOD.replace("Near Mint", "Near\0Mint", 1),
}


@pytest.mark.parametrize("place", [0, 450, 899])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_row_that_is_not_a_product_is_refused_with_its_text_and_no_other_is_lost(
    bad: str, place: int
) -> None:
    products, [refused] = read(
        f"[{','.join([*SEVERAL_TEXTS[:place], bad, *SEVERAL_TEXTS[place:]])}]".encode()
    )
    assert ids(products) == list(range(1, 901))
    assert refused.raw == bad.replace("\0", "\ufffd")[:RAW_CHARS]
    assert refused.detail
    assert refused.reason in {"malformed", "unreadable"}


@pytest.mark.parametrize("where", ["properties_hash", "uploaded_images", "name_en", "unknown"])
def test_invalid_utf8_in_a_used_field_refuses_only_that_row(where: str) -> None:
    rows = [
        *SEVERAL_WINDOWS[:5],
        row(
            1_000,
            **{
                where: ["BYTES"]
                if where == "uploaded_images"
                else {"a": "BYTES"}
                if where != "name_en"
                else "BYTES"
            },
        ),
    ]
    products, rejected = read(body_of([*rows, *SEVERAL_WINDOWS[5:]]).replace(b"BYTES", b"\xff\xfe"))
    assert ids(products) == [
        sent["id"]
        for sent in [*rows, *SEVERAL_WINDOWS[5:]]
        if where == "unknown" or sent["id"] != 1_000
    ]
    assert [row.product_id for row in rejected] == ([] if where == "unknown" else [1_000])


def test_a_refused_row_gives_its_id_and_the_reason() -> None:
    _, [refused] = read(body_of([row(1), row(5, price_cents="12,50")]))
    assert (refused.reason, refused.product_id) == ("malformed", 5)
    assert "price_cents" in refused.detail


ONE = body_of([row(7)]).decode()


@pytest.mark.parametrize("written", ["7", '"7"', "7.0", '"7.0"', "7e0", '" 7 "', "0.7E+1"])
def test_an_id_is_read_in_each_form_also_from_a_refused_row(written: str) -> None:
    given = f'"id":{written},'
    [product], _ = read(ONE.replace('"id":7,', given).encode())
    assert product.id == 7
    for nameless in ('{"text":null}', "null", "NaN"):
        _, [refused] = read(
            ONE.replace('"id":7,', given).replace('"Lightning Bolt"', nameless).encode()
        )
        assert refused.product_id == 7


@pytest.mark.parametrize(
    "written",
    [
        "null",
        "true",
        "0",
        "-7",
        "7.5",
        '"7,0"',
        '"seven"',
        "[7]",
        "NaN",
        "9223372036854775808",
        "7e999",
        '"\\u0667"',
    ],
)
def test_a_value_that_means_no_id_is_none(written: str) -> None:
    _, [refused] = read(ONE.replace('"id":7,', f'"id":{written},').encode())
    assert refused.product_id is None


def test_ids_counts_and_text_in_other_forms_do_not_affect_the_rest_of_the_row() -> None:
    sent = {
        "blueprint_id": "39063",
        "user_id": 1001.0,
        "quantity": "3",
        "bundle_size": None,
        "bundled_quantity": 3.0,
        "user_data_field": 12,
        "name_en": 1996,
    }
    [product], rejected = read(body_of([row(1, **sent, extra={"a": [1]})]))
    [plain], _ = read(body_of([row(1, user_data_field="12", name_en="1996")]))
    assert (product, rejected) == (plain, [])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),
        (False, "false"),
        (0, "false"),
        ("0", "false"),
        (True, "true"),
        (1, "true"),
        (1.0, "true"),
        ("true", "true"),
        ("", None),
        (9, "9"),
        (9.0, "9"),
        ("9", "9"),
        (9.5, "9.5"),
        ("PSA 9.5", "PSA 9.5"),
        (10**30, "1" + "0" * 30),
    ],
)
def test_a_grade_is_kept_as_it_was_sent(sent: object, kept: str | None) -> None:
    [product], rejected = read(body_of([row(1, graded=sent)]))
    assert (grade_of(product.graded), rejected) == (kept, [])


def test_a_zero_in_a_grade_refuses_its_row() -> None:
    products, [refused] = read(body_of([row(1, graded="PSA\0"), row(2)]))
    assert (ids(products), refused.product_id) == ([2], 1)


def test_escaped_surrogate_pairs_become_whole_characters() -> None:
    body = json.dumps([row(1, description="🂡", properties_hash={"condition": "🂡"})]).encode()
    [product], rejected = read(body)
    assert (product.description, json.loads(bytes(product.properties_hash)), rejected) == (
        "🂡",
        {"condition": "🂡"},
        [],
    )
    assert json.loads(r'"\\u0000"') == "\\u0000"
    assert (
        len(
            read(
                body_of(
                    [row(1, description="a \\u0000 that is text", properties_hash={"a": "\\u0000"})]
                )
            )[0]
        )
        == 1
    )


def test_when_every_row_is_bad_all_are_refused_in_bounded_pages() -> None:
    products, rejected = read(
        body_of([row(number, price_cents="1") for number in range(1, 11_001)])
    )
    assert (products, len(rejected)) == ([], 11_000)


def test_null_empty_and_present_text_are_distinguished() -> None:
    products, _ = read(body_of([row(1, tag=None), row(2, tag=""), row(3, tag="a")]))
    assert [product.tag for product in products] == [None, "", "a"]
