"""The user's own catalogue as it is uploaded: a CSV file or a JSON array, read row by row.

Errors name the row and the column. No more than a row is in memory, whatever the file contains.
"""

from __future__ import annotations

import contextlib
import csv
import io
from codecs import BOM_UTF8
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from penstock.errors import InvalidInputError
from penstock.http.elements import elements
from penstock.inventory.catalogue.rows import CatalogueRow
from penstock.inventory.forms import UNREADABLE, as_written, whole_number

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

MOST_ROWS = 500_000
MOST_BYTES = 64 * 1024 * 1024
COLUMNS = tuple(one.name for one in fields(CatalogueRow))
_KNOWN = ", ".join(COLUMNS)
_DELIMITERS = ",;\t"
_LONGEST = 500
# Of a row in the file: its texts escaped, and more.
_LONGEST_ROW = 65_536
_SHOWN = 40
# Ids of other shops, which spreadsheets write in their own ways.
NUMBERED = ("tcgplayer_id", "cardmarket_id")
_MOST_ID = 2**63 - 1


def card_list(file: BinaryIO, *, json: bool) -> Iterator[CatalogueRow]:
    """The rows in order; InvalidInputError for the first bad one, for none, and for over 500,000.

    CSV is UTF-8 with column names in the first row, separated by commas, semicolons or tabs. Row
    numbers are those of a spreadsheet: in CSV the names are row 1, in JSON the first object is.
    Blank rows count as rows and give none.
    """
    empty = True
    with contextlib.closing(_json_rows(file) if json else _csv_rows(file)) as rows:
        for count, (number, row) in enumerate(rows, start=1):
            if count > MOST_ROWS:
                raise _wrong(f"it has more than {MOST_ROWS:,} rows; send fewer")
            if row:
                empty = False
                yield _row(number, row)
    if empty:
        raise _wrong("it has no rows; send at least one, or keep the catalogue as it is")


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
    lines = _Lines(text)
    try:
        first = next(lines, "")
        delimiter = max(_DELIMITERS, key=first.count)
        names = _names(next(csv.reader([first], delimiter=delimiter, strict=True), []))
        lines.begin_row()
        for cells in csv.reader(lines, delimiter=delimiter, strict=True):
            yield lines.row, _cells(lines.row, names, cells)
            lines.begin_row()
    except UnicodeDecodeError:
        what = "this is not UTF-8; save the file as UTF-8"
        raise _wrong(f"after row {lines.row - 1}: {what}") from None
    except csv.Error as error:
        raise _wrong(f"after row {lines.row - 1}: {error}") from None
    finally:
        # Closing the wrapper would close the file, which belongs to the caller.
        text.detach()


class _Lines:
    """The lines of a file; InvalidInputError for a row that is too long, which may have several."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._left = _LONGEST_ROW
        self.row = 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._left + 1)
        if not line:
            raise StopIteration
        self._left -= len(line)
        if self._left < 0:
            raise _wrong(f"row {self.row}: it is longer than {_LONGEST_ROW:,} characters")
        return line

    def begin_row(self) -> None:
        """Say that the next line begins a row."""
        self._left = _LONGEST_ROW
        self.row += 1


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
    """The cells by column; empty for a blank row."""
    if not any(cell.strip() for cell in cells):
        return {}
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


_json_row = msgspec.json.Decoder(_JsonRow)
_EXAMPLE = '[{"sku": "A-1", "scryfall_id": "…"}]'


def _json_rows(file: BinaryIO) -> Generator[tuple[int, Mapping[str, str | int | None]]]:
    try:
        for number, raw in enumerate(elements(_pieces(file), most_bytes=_LONGEST_ROW), start=1):
            yield number, _json_cells(number, raw)
    except ValueError as error:
        raise _wrong(f"send an array of objects, such as {_EXAMPLE} ({error})") from None


def _pieces(file: BinaryIO) -> Iterable[bytes]:
    yield file.read(_LONGEST_ROW).removeprefix(BOM_UTF8)
    yield from iter(partial(file.read, _LONGEST_ROW), b"")


def _json_cells(number: int, raw: bytes) -> Mapping[str, str | int | None]:
    try:
        row = msgspec.structs.asdict(_json_row.decode(raw))
        return row | {name: _as_sent(bytes(row[name])) for name in NUMBERED}
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
