"""The symbols of the simulated exchange, generated or recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from penstock.market.timeframe import Timeframe
    from penstock.simulator.binance.info import Info


@dataclass(frozen=True, slots=True)
class Window:
    """What a request asks for: at most `limit` rows with start ≤ open time ≤ end.

    With a start the oldest of them, without one the newest (seen in 13 recorded answers; "General
    API Information" of Binance's documentation).
    """

    start_ms: int | None
    end_ms: int | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """The last 24 hours of a symbol; without candles all prices are the last one, all sums 0."""

    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    volume: Decimal
    quote_volume: Decimal
    trades: int
    first_trade: int


class SymbolSeries(Protocol):
    """The data of one symbol. Times are milliseconds."""

    def status(self, now_ms: int) -> str | None:
        """TRADING, BREAK or HALT; None before it is listed."""

    def info(self, now_ms: int) -> Info:
        """Its object in exchangeInfo."""

    def page(self, timeframe: Timeframe, window: Window, now_ms: int, *, microseconds: bool) -> str:
        """The JSON answer to a klines request."""

    def price(self, now_ms: int) -> str:
        """The last price as Binance writes it."""

    def statistics(self, now_ms: int) -> DayStatistics:
        """The last 24 hours."""


@dataclass(frozen=True, slots=True)
class SimulatedExchange:
    """Every symbol by its name, in the order of exchangeInfo."""

    series: Mapping[str, SymbolSeries]

    def listed(self, now_ms: int) -> list[str]:
        """The symbols that exist at `now_ms`."""
        return [symbol for symbol, series in self.series.items() if series.status(now_ms)]

    def find(self, symbol: str, now_ms: int) -> SymbolSeries | None:
        """The symbol's series; None when there is no such symbol, or not yet."""
        series = self.series.get(symbol)
        return series if series and series.status(now_ms) else None
