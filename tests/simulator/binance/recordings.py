"""Small recordings: Binance's archives and freqtrade's files of a few minutes of 2024."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIRST_MS = 1_704_067_200_000
MINUTE = 60_000
HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)


def csv_text(rows: int, *, first: int = 0, time: Callable[[int], object] = int) -> str:
    """Rows of 1m from minute `first` of 2024 on, their times as `time` writes them."""
    opens = [FIRST_MS + minute * MINUTE for minute in range(first, first + rows)]
    return "".join(
        f"{time(at)},1.0,2.0,0.5,1.5,10,{time(at + MINUTE - 1)},15.0,3,4.0,6.0,0\n" for at in opens
    )


def zipped(*texts: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with a file for each text."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"{number}.csv", text)
    return packed.getvalue()


def write_archive(folder: Path, name: str, *, rows: int, first: int = 0) -> None:
    """An archive of the kind of its name."""
    folder.mkdir(exist_ok=True)
    text = csv_text(rows, first=first)
    if name.endswith(".zip"):
        (folder / name).write_bytes(zipped(text))
    else:
        (folder / name).write_bytes(
            gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
        )


def frame(rows: int = 3, **columns: list[Any] | None) -> dict[str, list[Any]]:
    """The columns of a feather file; None takes one away."""
    dates = [
        dt.datetime.fromtimestamp((FIRST_MS + minute * MINUTE) / 1000, tz=dt.UTC)
        for minute in range(rows)
    ]
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.5] * rows)
    return {
        name: values
        for name, values in ({"date": dates} | numbers | columns).items()
        if values is not None
    }
