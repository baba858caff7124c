"""Binance's archives: a CSV of twelve columns, plain or compressed.

https://github.com/binance/binance-public-data.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile
from typing import TYPE_CHECKING

import msgspec

from penstock.simulator.binance.recorded import TRADES, Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WHOLE = re.compile(r"([0-9]{1,20})(?:\.0*)?")
_COLUMNS = 12
_OPEN_TIME, _CLOSE_TIME = 0, 6
_FIRST_MICROSECOND = 10**14
# Nothing was recorded before the first block of Bitcoin, and the simulator's clock ends in 2100.
_EARLIEST_MS, _LATEST_MS = 1_230_768_000_000, 4_102_444_800_000
_ENCRYPTED = 1


def archived_rows(path: Path) -> Iterator[Row]:
    """The rows of a `.csv`, `.csv.gz` or `.zip`; only its first line may be a header.

    Raises ValueError, or what unpacking raises.
    """
    with _text(path) as lines:
        for number, values in enumerate(csv.reader(lines), 1):
            if not values or (number == 1 and _is_header(values)):
                continue
            try:
                yield _row(values)
            except ValueError as error:
                msg = f"line {number}: {error}"
                raise ValueError(msg) from error


def milliseconds(at: int) -> int:
    """A recorded time in ms; spot archives are in µs from 2025-01-01, in ms before.

    Raises ValueError when it is in neither.
    """
    at_ms = at // 1000 if at >= _FIRST_MICROSECOND else at
    if not _EARLIEST_MS <= at_ms < _LATEST_MS:
        msg = (
            f"the time {at} is neither in milliseconds nor in microseconds; "
            "convert it to milliseconds since 1970"
        )
        raise ValueError(msg)
    return at_ms


def _text(path: Path) -> io.TextIOBase:
    if path.suffix == ".zip":
        return io.TextIOWrapper(_only_member(path), "utf-8-sig")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _only_member(path: Path) -> io.BytesIO:
    """The one file in the zip, read whole, so that its checksum is checked."""
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            msg = f"it holds {len(members)} files where one CSV belongs"
            raise ValueError(msg)
        if members[0].flag_bits & _ENCRYPTED:
            msg = "it is encrypted; unpack it, and put the CSV there"
            raise ValueError(msg)
        return io.BytesIO(archive.read(members[0]))


def _is_header(values: list[str]) -> bool:
    return not any(value[:1].isdigit() for value in values)


def _row(values: list[str]) -> Row:
    if len(values) != _COLUMNS:
        msg = f"{len(values)} columns, separated by commas, where {_COLUMNS} belong"
        raise ValueError(msg)
    if "" in values:
        msg = f"column {values.index('') + 1} is empty"
        raise ValueError(msg)
    row: list[int | str] = [*values]
    for column in (_OPEN_TIME, _CLOSE_TIME):
        row[column] = milliseconds(_whole(values[column]))
    row[TRADES] = _whole(values[TRADES])
    converted: Row = msgspec.convert(row, Row)
    return converted


def _whole(text: str) -> int:
    """Some programs write whole numbers as 1736769600000.0."""
    if match := _WHOLE.fullmatch(text):
        return int(match[1])
    msg = f"{text[:40]!r} is not a whole number"
    raise ValueError(msg)
