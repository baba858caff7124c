"""The user's own catalogue as it is uploaded: a CSV file or a JSON array, read row by row.

Errors name the row and the column.
"""

from __future__ import annotations

import contextlib
import csv
import io
from codecs import BOM_UTF8
from dataclasses import fields
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from penstock.errors import InvalidInputError
from penstock.inventory.catalogue.rows import CatalogueRow
from penstock.inventory.forms import UNREADABLE, as_written, whole_number

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

MOST_ROWS = 500_000
MOST_BYTES = 64 * 1024 * 1024
COLUMNS = tuple(one.name for one in fields(CatalogueRow))
_KNOWN = ", ".join(COLUMNS)
_DELIMITERS = ",;\t"
_LONGEST = 500
_LONGEST_LINE = 65_536
_SHOWN = 40
# Ids of other shops, which spreadsheets write in their own ways.
NUMBERED = ("tcgplayer_id", "cardmarket_id")
_MOST_ID = 2**63 - 1


def card_list(file: BinaryIO, *, json: bool) -> Iterator[CatalogueRow]:
    """The rows in order; InvalidInputError for the first bad one, and for more than 500,000.

    CSV is UTF-8 with column names in the first row, separated by commas, semicolons or tabs. Row
    numbers are those of a spreadsheet: in CSV the names are row 1, in JSON the first object is.
    """
    with contextlib.closing(_json_rows(file) if json else _csv_rows(file)) as rows:
        for count, (number, row) in enumerate(rows, start=1):
            if count > MOST_ROWS:
                raise _wrong(f"it has more than {MOST_ROWS:,} rows")
            yield _row(number, row)


def _row(number: int, given: Mapping[str, str | int | None]) -> CatalogueRow:
    # Lists filled by hand have spaces and empty cells, and JSON has ids as numbers.
    cells = {name: str(value).strip() or None for name, value in given.items() if value is not None}
    for name, text in cells.items():
        if text is not None and not (len(text) <= _LONGEST and text.isprintable()):
            raise _wrong(
                f"row {number}, {name}: at most {_LONGEST} characters, and no control characters",
                field=name,
            )
    if not cells.get("sku"):
        raise _wrong(f"row {number}, sku: it is missing; every row needs one", field="sku")
    for name in NUMBERED:
        if (text := cells.get(name)) is not None:
            cells[name] = _id(number, name, text)
    return CatalogueRow(**cells)  # type: ignore[arg-type] # `sku` is there


def _id(number: int, name: str, text: str) -> str:
    """The digits of an id, in whatever form it is written."""
    found = whole_number(text)
    if found is None or not 1 <= found <= _MOST_ID:
        what = f"{text[:_SHOWN]!r} is not an id; write a whole number, such as 180397"
        raise _wrong(f"row {number}, {name}: {what}", field=name)
    return str(found)


def _csv_rows(file: BinaryIO) -> Generator[tuple[int, Mapping[str, str | int | None]]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    number = 0
    try:
        first = text.readline(_LONGEST_LINE)
        delimiter = max(_DELIMITERS, key=first.count)
        names = _names(next(csv.reader([first], delimiter=delimiter, strict=True), []))
        number = 1
        for number, cells in enumerate(csv.reader(text, delimiter=delimiter, strict=True), start=2):
            if any(cell.strip() for cell in cells):
                yield number, _cells(number, names, cells)
    except UnicodeDecodeError:
        raise _wrong(f"after row {number}: this is not UTF-8; save the file as UTF-8") from None
    except csv.Error as error:
        raise _wrong(f"after row {number}: {error}") from None
    finally:
        # Closing the wrapper would close the file, which belongs to the caller.
        text.detach()


def _names(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if unknown := next((name for name in names if name not in COLUMNS), None):
        raise _wrong(f"unknown column {unknown[:_SHOWN]!r}; use {_KNOWN}")
    if "sku" not in names:
        what = f"sku: the first row must name the columns, sku among them; use {_KNOWN}"
        raise _wrong(what, field="sku")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise _wrong(f"{twice}: this column is there twice", field=twice)
    return names


def _cells(number: int, names: Sequence[str], cells: Sequence[str]) -> Mapping[str, str]:
    if len(cells) != len(names):
        raise _wrong(f"row {number}: it has {len(cells)} cells, but the first row has {len(names)}")
    return dict(zip(names, cells, strict=True))


class _JsonRow(msgspec.Struct, forbid_unknown_fields=True):
    """Ids may be numbers, which are kept as written, since a float is not exact."""

    sku: str | int | None = None
    name: str | int | None = None
    scryfall_id: str | int | None = None
    tcgplayer_id: msgspec.Raw = msgspec.Raw(b"null")
    cardmarket_id: msgspec.Raw = msgspec.Raw(b"null")
    set_code: str | int | None = None
    collector_number: str | int | None = None


_raws = msgspec.json.Decoder(list[msgspec.Raw])
_json_row = msgspec.json.Decoder(_JsonRow)


def _json_rows(file: BinaryIO) -> Generator[tuple[int, Mapping[str, str | int | None]]]:
    body = file.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise _wrong(f"it is longer than {MOST_BYTES:,} bytes")
    try:
        rows = _raws.decode(body.removeprefix(BOM_UTF8))
    except UNREADABLE as error:
        example = '[{"sku": "A-1", "scryfall_id": "…"}]'
        raise _wrong(f"send an array of objects, such as {example} ({error})") from None
    for number, raw in enumerate(rows, start=1):
        try:
            row = msgspec.structs.asdict(_json_row.decode(raw))
            yield number, row | {name: _as_sent(bytes(row[name])) for name in NUMBERED}
        except UNREADABLE as error:
            raise _wrong(_of_row(number, str(error))) from None


def _as_sent(raw: bytes) -> str | None:
    return None if raw == b"null" else as_written(raw)


def _of_row(number: int, reason: str) -> str:
    """The decoder's message ends with the column that it is about, if any."""
    what, _, column = reason.partition(" - at `$.")
    if column:
        return f"row {number}, {column.rstrip('`')}: {what}"
    return f"row {number}: {what}" + (f"; use {_KNOWN}" if "unknown field" in what else "")


def _wrong(reason: str, *, field: str = "catalogue") -> InvalidInputError:
    return InvalidInputError(f"catalogue: {reason}", field=field)
