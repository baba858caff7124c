"""The 24 h ticker of one symbol in its two documented forms.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints, "24hr
Ticker Price Change Statistics". There is no order book here: bid and ask are the last price.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.simulator.binance.exchange import DayStatistics

_DAY_MS = 86_400_000
_EIGHT_PLACES = Decimal("0.00000001")
_THREE_PLACES = Decimal("0.001")


def mini(symbol: str, day: DayStatistics, close_time: int, unit: int) -> dict[str, object]:
    """Type MINI; `close_time` is now, in a time unit of which a millisecond has `unit`."""
    return {
        "symbol": symbol,
        "openPrice": _text(day.open),
        "highPrice": _text(day.high),
        "lowPrice": _text(day.low),
        "lastPrice": _text(day.last),
        "volume": _text(day.volume),
        "quoteVolume": _text(day.quote_volume),
        "openTime": close_time - _DAY_MS * unit,
        "closeTime": close_time,
        "firstId": day.first_trade if day.trades else -1,
        "lastId": day.first_trade + day.trades - 1 if day.trades else -1,
        "count": day.trades,
    }


def full(symbol: str, day: DayStatistics, close_time: int, unit: int) -> dict[str, object]:
    """Type FULL, the default."""
    change = day.last - day.open
    return mini(symbol, day, close_time, unit) | {
        "priceChange": _text(change),
        "priceChangePercent": str(
            (change / day.open * 100 if day.open else Decimal(0)).quantize(_THREE_PLACES)
        ),
        "weightedAvgPrice": _text(day.quote_volume / day.volume if day.volume else Decimal(0)),
        "prevClosePrice": _text(day.open),
        "lastQty": _text(day.volume / day.trades if day.trades else Decimal(0)),
        "bidPrice": _text(day.last),
        "bidQty": _text(Decimal(1)),
        "askPrice": _text(day.last),
        "askQty": _text(Decimal(1)),
    }


def _text(value: Decimal) -> str:
    return f"{value.quantize(_EIGHT_PLACES):f}"
