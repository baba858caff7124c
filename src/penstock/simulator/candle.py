"""Generated candles as plain integers, their exact aggregate, and the row in which Binance writes one.

A candle is a tuple (open time ms, open, high, low, close, volume, quote volume, trades, taker base, taker quote). Prices are in ticks, volumes in
lots, quote volumes in 1e-8: integers, so that sums are exact to the last digit. Row format:
https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints#klinecandlestick-data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Sequence

Candle: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int]

QUOTE_UNIT = 100_000_000
_DECIMALS = 8


def merged(open_ms: int, candles: Sequence[Candle]) -> Candle | None:
    """The candle that opens at `open_ms` and holds all of these, oldest first; None when there is none."""
    if not candles:
        return None
    _, opens, highs, lows, closes, volumes, quotes, trades, taker_bases, taker_quotes = zip(*candles, strict=True)
    totals = (sum(volumes), sum(quotes), sum(trades), sum(taker_bases), sum(taker_quotes))
    return (open_ms, opens[0], max(highs), min(lows), closes[-1], *totals)


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Writes candles of one instrument as JSON rows; prices have `price_digits` decimals, volumes `lot_digits`."""

    price_digits: int
    lot_digits: int

    def price(self, ticks: int) -> str:
        """A price as Binance writes it."""
        return decimal(ticks * 10 ** (_DECIMALS - self.price_digits))

    def volume(self, lots: int) -> str:
        """A base volume as Binance writes it."""
        return decimal(lots * 10 ** (_DECIMALS - self.lot_digits))

    def rows(self, candles: Sequence[Candle], timeframe: Timeframe, *, microseconds: bool = False) -> list[str]:
        """One JSON array of twelve columns for each candle."""
        if timeframe is Timeframe.MONTH:
            return [row for candle in candles for row in self._rows((candle,), timeframe.shift(candle[0], 1) - candle[0], microseconds=microseconds)]
        return self._rows(candles, timeframe.longest_ms, microseconds=microseconds)

    def _rows(self, candles: Sequence[Candle], step_ms: int, *, microseconds: bool) -> list[str]:
        # This line is what a page of 1000 rows costs: one format of all columns takes a third of the time of one format for each.
        price, lot, quote = 10**self.price_digits, 10**self.lot_digits, QUOTE_UNIT
        p, v, q = (
            f'"%d.%0{digits or _DECIMALS}d{"0" * (_DECIMALS - digits) if digits else ""}"' for digits in (self.price_digits, self.lot_digits, 8)
        )
        row = f'[%d,{p},{p},{p},{p},{v},%d,{q},%d,{v},{q},"0"]'
        scale = 1000 if microseconds else 1
        last = step_ms * scale - 1
        return [
            row
            % (
                at * scale,
                o // price,
                o % price,
                h // price,
                h % price,
                l // price,
                l % price,
                c // price,
                c % price,
                volume // lot,
                volume % lot,
                at * scale + last,
                quotes // quote,
                quotes % quote,
                trades,
                taker // lot,
                taker % lot,
                taker_quotes // quote,
                taker_quotes % quote,
            )
            for at, o, h, l, c, volume, quotes, trades, taker, taker_quotes in candles  # noqa: E741 - the low
        ]


def decimal(value: int) -> str:
    """An integer in units of 1e-8 as Binance writes numbers: eight places."""
    text = f"{value:09d}"
    return f"{text[:-8]}.{text[-8:]}"
