"""Klines answers with rows that a collector must refuse, or whose values changed after the candle closed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Kind: TypeAlias = Literal["nan", "nan_token", "inf", "inf_token", "high_below_low", "negative", "duplicate", "out_of_order", "microseconds", "future"]
Rows: TypeAlias = list[list[object]]

_HIGH, _LOW, _CLOSE, _VOLUME, _CLOSE_TIME = 2, 3, 4, 5, 6
_CENTURY_MS = 100 * 365 * 86_400_000
# No JSON writer has a word for these, so they are put in where the text says so.
_NAN, _INF = "<nan>", "<inf>"


def spoiled(body: bytes, kind: Kind, row: int) -> bytes:
    """The answer with row `row` (negative: from the end) spoiled; unchanged when it has no such row or no rows."""
    rows = _rows(body)
    if not -len(rows) <= row < len(rows):
        return body
    _SPOILERS[kind](rows, row % len(rows))
    return msgspec.json.encode(rows).replace(b'"<nan>"', b"NaN").replace(b'"<inf>"', b"1e999")


def changed(body: bytes, row: int | None, now_ms: int) -> bytes:
    """The answer with one more unit of volume and another close in a closed row; in all closed ones when `row` is None."""
    rows = _rows(body)
    for index, values in enumerate(rows):
        if row in (None, index, index - len(rows)) and int(str(values[_CLOSE_TIME])) < now_ms:
            values[_CLOSE] = values[_LOW] if values[_CLOSE] == values[_HIGH] else values[_HIGH]
            values[_VOLUME] = str(Decimal(str(values[_VOLUME])) + 1)
    return msgspec.json.encode(rows) if rows else body


def _rows(body: bytes) -> Rows:
    try:
        return msgspec.json.decode(body, type=Rows)
    except msgspec.MsgspecError:
        return []


def _put(column: int, value: str) -> Callable[[Rows, int], None]:
    def spoil(rows: Rows, row: int) -> None:
        rows[row][column] = value

    return spoil


def _high_below_low(rows: Rows, row: int) -> None:
    values = rows[row]
    values[_HIGH], values[_LOW] = values[_LOW], str(Decimal(str(values[_HIGH])) + 1)


def _negative(rows: Rows, row: int) -> None:
    rows[row][_VOLUME] = "-1.00000000"


def _duplicate(rows: Rows, row: int) -> None:
    rows.insert(row, list(rows[row]))


def _out_of_order(rows: Rows, row: int) -> None:
    rows.insert(0 if row else len(rows), rows.pop(row))


def _microseconds(rows: Rows, row: int) -> None:
    _move(rows[row], lambda at: at * 1000)


def _future(rows: Rows, row: int) -> None:
    _move(rows[row], lambda at: at + _CENTURY_MS)


def _move(values: list[object], moved: Callable[[int], int]) -> None:
    for column in (0, _CLOSE_TIME):
        values[column] = moved(int(str(values[column])))


_SPOILERS: dict[Kind, Callable[[Rows, int], None]] = {
    "nan": _put(_CLOSE, "NaN"),
    "nan_token": _put(_CLOSE, _NAN),
    "inf": _put(_CLOSE, "Infinity"),
    "inf_token": _put(_CLOSE, _INF),
    "high_below_low": _high_below_low,
    "negative": _negative,
    "duplicate": _duplicate,
    "out_of_order": _out_of_order,
    "microseconds": _microseconds,
    "future": _future,
}
