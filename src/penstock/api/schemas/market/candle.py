"""A candle as the API shows it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from penstock.moment import iso

if TYPE_CHECKING:
    from penstock.market.queries.candles import StoredCandle

COLUMNS = (
    "open_time",
    "close_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_base",
    "taker_quote",
    "closed",
)


class Candle(BaseModel):
    """One candle. Prices and volumes carry the exchange's own digits; `closed` is False while it still changes.

    What the exchange does not say is not there.
    """

    open_time: dt.datetime
    close_time: dt.datetime
    open: str
    high: str
    low: str
    close: str
    volume: str | None = None
    quote_volume: str | None = None
    trades: int | None = None
    taker_base: str | None = None
    taker_quote: str | None = None
    closed: bool


def candle_fields(row: StoredCandle) -> dict[str, Any]:
    """The fields of a Candle, JSON values only."""
    fields = {name: value for name in COLUMNS if (value := getattr(row, name)) is not None}
    return fields | {"open_time": iso(row.open_time), "close_time": iso(row.close_time)}
