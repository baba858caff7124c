"""Freqtrade's feather files: date, open, high, low, close, volume.

https://www.freqtrade.io/en/stable/data-download/.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from penstock.errors import InvalidInputError
from penstock.simulator.binance.archive import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from penstock.market.timeframe import Timeframe
    from penstock.simulator.binance.recorded import Row

_NUMBERS = ("open", "high", "low", "close", "volume")


def feather_rows(path: Path, timeframe: Timeframe) -> Iterator[Row]:
    """The rows of a file, with "0" for what freqtrade does not keep.

    Floats are written in full, so that nothing is lost or made up. Raises ValueError when a column
    is missing, of another type, or has a value that is no number.
    """
    table = _table(path)
    columns = [_values(table, name) for name in ("date", *_NUMBERS)]
    for at, *values in zip(*columns, strict=True):
        at_ms = milliseconds(at)
        o, h, l, c, volume = (format(Decimal(repr(value)), "f") for value in values)  # noqa: E741
        yield (at_ms, o, h, l, c, volume, timeframe.shift(at_ms, 1) - 1, "0", 0, "0", "0", "0")


def _table(path: Path) -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        from pyarrow import feather  # noqa: PLC0415 - only needed for these files
    except ImportError as error:
        msg = f"replay: {path} is a feather file; install penstock[replay] to read it"
        raise InvalidInputError(msg, field="replay") from error
    table = feather.read_table(path)
    table.validate(full=True)
    return table


def _values(table: Any, name: str) -> list[Any]:  # noqa: ANN401 - as above
    """One column without a hole; dates in ms."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    if name not in table.column_names:
        msg = f"it has no column {name!r}"
        raise ValueError(msg)
    column = table[name]
    of_kind = pa.types.is_timestamp if name == "date" else pa.types.is_floating
    if not (of_kind(column.type) or (name != "date" and pa.types.is_integer(column.type))):
        msg = f"its column {name!r} holds {column.type} values"
        raise ValueError(msg)
    if name == "date":
        column = column.cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64())
    values: list[Any] = column.to_pylist()
    if (
        row := next(
            (row for row, value in enumerate(values) if value is None or not math.isfinite(value)),
            None,
        )
    ) is not None:
        msg = f"its column {name!r} has no number in row {row}"
        raise ValueError(msg)
    return values
