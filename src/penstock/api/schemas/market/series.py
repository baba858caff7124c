"""Series, symbols and prices as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, RowShape, Shape
from penstock.market.instrument import Status

if TYPE_CHECKING:
    from penstock.market.queries.candles import PriceRow
    from penstock.market.queries.instruments import SymbolRow


class SeriesShown(RowShape):
    """A series and what is stored of it.

    `first` and `newest` are open times; `gaps` counts known ranges that are missing.
    """

    id: int
    exchange: str
    symbol: str
    native_symbol: str
    timeframe: str
    first: Moment | None
    newest: Moment | None
    gaps: int


class RecentShown(RowShape):
    """A series with the close of its newest candle, which may still be open.

    `newest` is when that candle opened, `closes` are up to 30 and end with it. `complete` is the
    share of the candles expected up to the last run that is stored, in percent.
    """

    id: int
    exchange: str
    symbol: str
    native_symbol: str
    timeframe: str
    price: str | None
    newest: Moment | None
    closed: bool | None
    closes: list[str]
    complete: float | None = Field(description="null while nothing is expected")


class Price(Shape):
    """The newest price of a symbol: the close of its newest candle, which may still be open."""

    symbol: str
    native_symbol: str
    exchange: str
    price: str
    timeframe: str
    timestamp: Moment = Field(description="when that candle opened")
    closed: bool

    @classmethod
    def of(cls, row: PriceRow) -> Self:
        """The shape of a price."""
        return cls.made(cls.fields_of(row, timestamp=row.open_time))


class Symbol(Shape):
    """What can be collected, as of the last symbol refresh.

    `gone_at`: since when the exchange no longer lists it.
    """

    exchange: str
    market: str
    symbol: str
    native_symbol: str
    base: str
    quote: str
    status: Status
    seen_at: Moment
    gone_at: Moment | None

    @classmethod
    def of(cls, row: SymbolRow) -> Self:
        """The shape of a symbol."""
        return cls.made(cls.fields_of(row.instrument, seen_at=row.seen_at, gone_at=row.gone_at))
