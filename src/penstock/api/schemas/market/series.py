"""Series, symbols and prices as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field

from penstock.api.schemas.shape import Moment, Shape
from penstock.market.instrument import Status
from penstock.moment import iso, iso_or_none

if TYPE_CHECKING:
    from penstock.market.queries.candles import PriceRow
    from penstock.market.queries.instruments import SymbolRow
    from penstock.market.queries.series import SeriesRow


class SeriesShown(Shape):
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

    @classmethod
    def of(cls, row: SeriesRow) -> Self:
        """The shape of a series."""
        return cls(
            id=row.id,
            exchange=row.exchange,
            symbol=row.symbol,
            native_symbol=row.native_symbol,
            timeframe=row.timeframe,
            first=iso_or_none(row.first),
            newest=iso_or_none(row.newest),
            gaps=row.gaps,
        )


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
        return cls(
            symbol=row.symbol,
            native_symbol=row.native_symbol,
            exchange=row.exchange,
            price=row.price,
            timeframe=row.timeframe,
            timestamp=iso(row.open_time),
            closed=row.closed,
        )


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
        known = row.instrument
        return cls(
            exchange=known.exchange,
            market=known.market,
            symbol=known.symbol,
            native_symbol=known.native_symbol,
            base=known.base,
            quote=known.quote,
            status=known.status,
            seen_at=iso(row.seen_at),
            gone_at=iso_or_none(row.gone_at),
        )
