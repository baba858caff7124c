"""The user's own catalogue: what can be read, and how errors are reported."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import InvalidInputError
from penstock.inventory.catalogue import card_list as lists
from penstock.inventory.catalogue.card_list import COLUMNS, NUMBERED, card_list
from penstock.inventory.catalogue.rows import CatalogueRow


def read(body: bytes | str, *, as_json: bool = False) -> list[CatalogueRow]:
    return list(
        card_list(io.BytesIO(body.encode() if isinstance(body, str) else body), json=as_json)
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_every_usual_form_of_csv_is_read(delimiter: str, line_end: str, mark: str) -> None:
    table = [
        ["Set_Code", " sku ", "collector_number"],
        ["neo", "A-1", "266"],
        ["", "", ""],
        ["", '"A ""2"""', " 7 "],
    ]
    body = mark + line_end.join(delimiter.join(cells) for cells in table) + line_end
    if line_end == "\r":
        # The first row must end where other readers see its end.
        body = body.replace("\r", "\n", 1)
    assert read(body) == [
        CatalogueRow(sku="A-1", set_code="neo", collector_number="266"),
        CatalogueRow(sku='A "2"', collector_number="7"),
    ]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_is_read_as_windows_saves_it(mark: str) -> None:
    assert read(mark + '[\r\n{"sku": "A-1"}\r\n]\r\n', as_json=True) == [CatalogueRow(sku="A-1")]


def test_numbers_in_json_are_accepted_as_ids() -> None:
    [row] = read(
        '[{"sku": 7, "tcgplayer_id": 4711, "cardmarket_id": null, "name": "Bolt"}]', as_json=True
    )
    assert row == CatalogueRow(sku="7", tcgplayer_id="4711", name="Bolt")


@pytest.mark.parametrize(
    "written",
    [
        "180397",
        "180397.0",
        "1.80397E+05",
        "1.80397e5",
        "180397.00",
        " 180397 ",
        "000180397",
        "+180397",
        "18039700E-2",
    ],
)
def test_each_spelling_of_a_whole_number_is_the_same_id(written: str) -> None:
    expected = [CatalogueRow(sku="A", tcgplayer_id="180397", cardmarket_id="180397")]
    assert read(f"sku,tcgplayer_id,cardmarket_id\nA,{written},{written}\n") == expected
    given = [f'"{written}"', *([written] if written[0] == "1" else [])]
    assert [
        read(f'[{{"sku":"A","tcgplayer_id":{row},"cardmarket_id":{row}}}]', as_json=True)
        for row in given
    ] == [expected] * len(given)


def test_an_id_keeps_every_digit() -> None:
    most = 2**63 - 1
    for written in (f"{most}", f"{most}.0", f"{str(most)[0]}.{str(most)[1:]}E+18"):
        assert read(f'[{{"sku":"A","tcgplayer_id":{written}}}]', as_json=True)[
            0
        ].tcgplayer_id == str(most)
        assert read(f"sku,tcgplayer_id\nA,{written}\n")[0].tcgplayer_id == str(most)


@pytest.mark.parametrize(
    "written",
    [
        "180397.5",
        "0",
        "-7",
        "x",
        "1e999",
        "9223372036854775808",
        "1e-5",
        "0x7",
        "1_000",
        "inf",
        "nan",
        "7 8",
        "\u0667",
    ],
)
def test_only_a_whole_number_is_an_id(written: str) -> None:
    for body, as_json in (
        (f"sku,tcgplayer_id\nA,7\nB,{written}\n", False),
        (json.dumps([{"sku": "A"}, {"sku": "B", "tcgplayer_id": written}]), True),
    ):
        with pytest.raises(
            InvalidInputError, match=r"row [23], tcgplayer_id: .* is not an id"
        ) as refused:
            read(body, as_json=as_json)
        assert refused.value.field == "tcgplayer_id"


@pytest.mark.parametrize("sent", ["true", "[7]", '{"a": 7}', "180397.5", "-1", "0.0"])
def test_an_invalid_id_in_json_is_named_by_row_and_column(sent: str) -> None:
    with pytest.raises(InvalidInputError, match=r"row 1, cardmarket_id: .* is not an id"):
        read(f'[{{"sku":"A","cardmarket_id":{sent}}}]', as_json=True)


_TEXT = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=20)
_ID = st.integers(1, 2**63 - 1).map(str)
_ROWS: st.SearchStrategy[list[dict[str, str | None]]] = st.lists(
    st.builds(
        dict,
        sku=_TEXT,
        **{name: st.one_of(st.none(), _ID if name in NUMBERED else _TEXT) for name in COLUMNS[1:]},
    ),
    min_size=1,
    max_size=8,
)


@given(_ROWS)
def test_any_written_list_is_read_back(rows: list[dict[str, str | None]]) -> None:
    expected = [CatalogueRow(**row) for row in rows]  # type: ignore[arg-type]
    assert read(json.dumps(rows), as_json=True) == expected
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    assert read(text.getvalue()) == expected


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_read_or_refused(body: bytes, as_json: bool) -> None:
    for start in (b"", b"sku,name\n", b'[{"sku":"'):
        with contextlib.suppress(InvalidInputError):
            read(start + body, as_json=as_json)


def test_too_many_rows_are_refused_also_blank_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MOST_ROWS", 2)
    assert len(read("sku\nA\nB\n")) == 2
    for body, as_json in (
        ("sku\nA\nB\nC\n", False),
        ("sku\nA\n\n\nB\n", False),
        (json.dumps([{"sku": "A"}] * 3), True),
    ):
        with pytest.raises(InvalidInputError, match="more than 2 rows"):
            read(body, as_json=as_json)


@pytest.mark.parametrize(
    ("body", "as_json"), [("sku,name\n", False), ("sku\n\n \n", False), (" [ ] ", True)]
)
def test_a_list_without_rows_is_refused(body: str, *, as_json: bool) -> None:
    with pytest.raises(InvalidInputError, match="it has no rows; send at least one"):
        read(body, as_json=as_json)


class Counting(io.BytesIO):
    """A file that counts the bytes read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.taken += len(piece)
        return piece

    def read1(self, size: int | None = -1, /) -> bytes:
        piece = super().read1(size)
        self.taken += len(piece)
        return piece


_MILLIONS = 4 * 1024 * 1024
# What grows with the file: rows, cells, lines, texts, brackets, blanks.
BOMBS: dict[str, tuple[bytes, bool]] = {
    "numbers": (b"[" + b"0," * (_MILLIONS // 2), True),
    "rows": (b"[" + b"[]," * (_MILLIONS // 3), True),
    "brackets": (b"[" * _MILLIONS, True),
    "objects": (b"[" + b'{"sku":' * (_MILLIONS // 7), True),
    "a text": (b'[{"sku":"' + b"a" * _MILLIONS + b'"}]', True),
    "a number": (b'[{"sku":' + b"7" * _MILLIONS + b"}]", True),
    "blanks in a row": (b'[{"sku":' + b" " * _MILLIONS + b'"A"}]', True),
    "cells": (b"sku,name\n" + b"," * _MILLIONS, False),
    "names": (b"," * _MILLIONS, False),
    "a line": (b"sku\n" + b"a" * _MILLIONS, False),
    "a cell of many lines": (b'sku\n"' + b"a\n" * (_MILLIONS // 2), False),
    "a row of many lines": (b"sku\n" + b'"\n",' * (_MILLIONS // 4), False),
    "quotes": (b"sku\n" + b'"' * _MILLIONS, False),
    "NUL": (b"sku\n" + b"\0" * _MILLIONS, False),
}


@pytest.mark.parametrize(("body", "as_json"), BOMBS.values(), ids=BOMBS.keys())
def test_a_file_that_is_no_list_is_refused_at_its_beginning_and_little_is_kept(
    body: bytes, *, as_json: bool
) -> None:
    file = Counting(body)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInputError) as refused:
            list(card_list(file, json=as_json))
        kept = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(str(refused.value)) < 300
    assert file.taken <= 400_000
    assert kept < 3_000_000


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ("sku,name\nA,b\n,c\n", "sku", "row 3, sku: it is missing"),
        ("sku,name\nA\n", "catalogue", "row 2: it has 1 cells, but the first row has 2"),
        ("sku,sku\n", "sku", "is there twice"),
        ("name\nA\n", "sku", "sku among them; use sku, name"),
        (
            "sku,tcgplayer_id\nA,180397.5\n",
            "tcgplayer_id",
            "row 2, tcgplayer_id: '180397.5' is not an id; write a whole number, such as 180397",
        ),
        (
            "sku;cardmarket_id\nA;\nB;366,585\n",
            "cardmarket_id",
            "row 3, cardmarket_id: '366,585' is not an id",
        ),
        ("sku,colour\n", "catalogue", "unknown column 'colour'; use sku, name"),
        ("sku\n" + "x" * 501, "sku", "row 2, sku: at most 500 characters"),
    ],
)
def test_a_wrong_row_is_named(body: str, field: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read(body)
    assert refused.value.field == field
    assert message in str(refused.value)


def test_a_file_stays_open_for_its_owner() -> None:
    file = io.BytesIO(b"sku\nA\n")
    assert len(list(card_list(file, json=False))) == 1
    file.seek(0)
    assert file.read(3) == b"sku"
