"""A candle as the API shows it."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Self

from penstock.api.schemas.shape import Moment, RowShape, Shape
from penstock.moment import iso

if TYPE_CHECKING:
    from penstock.market.queries.candles import StoredCandle


class CandleShown(Shape):
    """A candle. Prices and volumes have the exchange's digits; `closed` is false while it changes.

    What the exchange does not say is absent.
    """

    open_time: Moment
    close_time: Moment
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

    @classmethod
    def of(cls, row: StoredCandle) -> Self:
        """The shape of a stored candle."""
        values = zip(COLUMNS, _columns_of(row), strict=True)
        fields = {name: value for name, value in values if value is not None}
        fields["open_time"] = iso(row.open_time)
        fields["close_time"] = iso(row.close_time)
        return cls.made(fields)


class RestatedCandle(RowShape):
    """What a closed candle said until `restated_at`, when other values replaced it."""

    exchange: str
    symbol: str
    timeframe: str
    open_time: Moment
    open: str
    high: str
    low: str
    close: str
    volume: str | None
    reason: str
    restated_at: Moment


COLUMNS = tuple(CandleShown.model_fields)
_columns_of = attrgetter(*COLUMNS)
