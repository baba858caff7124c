"""Faults of klines: rows that a collector must refuse, and values that change after the close."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec
from aiohttp import web

from penstock.simulator.faults.base import Call, Fault

_Rows: TypeAlias = list[list[object]]

_HIGH, _LOW, _CLOSE, _VOLUME, _CLOSE_TIME = 2, 3, 4, 5, 6
_CENTURY_MS = 100 * 365 * 86_400_000
# JSON writers cannot write these: they are put into the text afterwards.
_NAN, _INF = "<nan>", "<inf>"
_VALUES: dict[str, tuple[int, str]] = {
    "nan": (_CLOSE, "NaN"),
    "nan_token": (_CLOSE, _NAN),
    "inf": (_CLOSE, "Infinity"),
    "inf_token": (_CLOSE, _INF),
    "negative": (_VOLUME, "-1.00000000"),
}


class RowFault(Fault, frozen=True, kw_only=True):
    """A fault that changes the rows of the proper answer."""

    async def answer(self, call: Call) -> web.StreamResponse:
        response = await call.proceed()
        # Another fault may already have sent it.
        if isinstance(response, web.Response) and isinstance(response.body, bytes):
            rows = _rows(response.body)
            if rows and self.change(rows, call):
                text = msgspec.json.encode(rows)
                response.body = text.replace(b'"<nan>"', b"NaN").replace(b'"<inf>"', b"1e999")
        return response

    def change(self, rows: _Rows, call: Call) -> bool:
        """Change `rows`; gives whether there was a row to change."""
        raise NotImplementedError


class BadRows(RowFault, frozen=True, kw_only=True, tag="bad_rows"):
    """A row of each answer is wrong as `kind` says; `row` counts from 0, negative from the end."""

    kind: Literal[
        "nan",
        "nan_token",
        "inf",
        "inf_token",
        "high_below_low",
        "negative",
        "duplicate",
        "out_of_order",
        "microseconds",
        "future",
    ]
    row: int = 0

    def change(self, rows: _Rows, call: Call) -> bool:  # noqa: ARG002
        if not -len(rows) <= self.row < len(rows):
            return False
        row = self.row % len(rows)
        values = rows[row]
        match self.kind:
            case "high_below_low":
                values[_HIGH], values[_LOW] = values[_LOW], str(Decimal(str(values[_HIGH])) + 1)
            case "duplicate":
                rows.insert(row, list(values))
            case "out_of_order":
                rows.insert(0 if row else len(rows), rows.pop(row))
            case "microseconds":
                _move(values, 1000, 0)
            case "future":
                _move(values, 1, _CENTURY_MS)
            case _:
                column, value = _VALUES[self.kind]
                values[column] = value
        return True


class ChangedCandles(RowFault, frozen=True, kw_only=True, tag="changed"):
    """Closed candles come with another close and one more unit of volume: one row, or all."""

    row: int | None = None

    def change(self, rows: _Rows, call: Call) -> bool:
        for index, values in enumerate(rows):
            closed = int(str(values[_CLOSE_TIME])) < call.clock.now_ms()
            if closed and self.row in (None, index, index - len(rows)):
                values[_CLOSE] = values[_LOW if values[_CLOSE] == values[_HIGH] else _HIGH]
                values[_VOLUME] = str(Decimal(str(values[_VOLUME])) + 1)
        return True


def _rows(body: bytes) -> _Rows:
    try:
        return msgspec.json.decode(body, type=_Rows)
    except msgspec.MsgspecError:
        return []


def _move(values: list[object], factor: int, shift_ms: int) -> None:
    for column in (0, _CLOSE_TIME):
        values[column] = int(str(values[column])) * factor + shift_ms
