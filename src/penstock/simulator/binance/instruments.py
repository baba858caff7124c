"""The generated instruments: their symbols, listings, units and trading activity.

Everything follows from the seed and the number of symbols. Every status of a real exchangeInfo
occurs, and the listings spread over the years.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice, product
from typing import TYPE_CHECKING, NamedTuple

from penstock.market.timeframe import Timeframe
from penstock.simulator.binance.assets import KNOWN, MORE
from penstock.simulator.binance.info import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000
_WEIGHT_A_DAY = 93_000
_TRADES_A_DAY = 12_300
_FINE_TICKS = 20_000
_LEAST_TICKS = 1_000
_USD_A_TRADE = 850
_BUSY_USD, _CALM_USD = 20_000_000, 3_000_000
_LISTING_DAYS = range(17_400, 19_900)
_SYLLABLES = "A,BE,CO,DRA,EL,FI,GO,HY,KI,LO,MU,NEX,OR,PO,QI,RU,SO,TE,VO,XY,ZE"


class _Asset(NamedTuple):
    """A base asset; turnover in USD a day, the listing in days since the epoch."""

    name: str
    price_usd: Decimal
    turnover_usd: int
    listed_day: int


class Texture(NamedTuple):
    """How a symbol moves: its grid is `grid_bits` coarser, `quiet` of 256 minutes have no trade."""

    grid_bits: int
    quiet: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedInstrument(Pair):
    """A generated symbol.

    `price_ticks` is its usual price; `lots_a_weight` and `trades_a_weight` size its volume.
    """

    final_status: str
    listed_ms: int
    ended_ms: int | None
    price_ticks: int
    lots_a_weight: int
    trades_a_weight: int
    texture: Texture

    def status(self, now_ms: int) -> str:
        """TRADING until it ends, then BREAK or HALT for good."""
        return "TRADING" if self.ended_ms is None or now_ms < self.ended_ms else self.final_status

    def floor(self, timeframe: Timeframe, at_ms: int) -> int:
        """The open time of the candle that `at_ms` falls into.

        Three days count from the day of the listing, as in recorded candles: those of BTCUSDT from
        2017-08-17.
        """
        if timeframe is not Timeframe.D3:
            return timeframe.floor(at_ms)
        first_ms = self.listed_ms - self.listed_ms % _DAY_MS
        return at_ms - (at_ms - first_ms) % timeframe.longest_ms

    def last_ms(self, now_ms: int) -> int:
        """The last millisecond at `now_ms` for which there can be candles."""
        return now_ms if self.ended_ms is None else min(now_ms, self.ended_ms - 1)


def catalogue(seed: int, count: int) -> dict[str, SimulatedInstrument]:
    """`count` instruments by symbol: three in four against USDT, the others against BTC and ETH."""
    assets = list(_assets(seed, count))
    # Cheap coins would have a price of very few ticks against a dear one.
    against_btc = [asset for asset in assets[1:] if asset.price_usd >= 1][: count * 3 // 20]
    against_eth = [asset for asset in assets[2:] if asset.price_usd >= Decimal("0.1")]
    against_eth = against_eth[: count * 2 // 20]
    against_usdt = assets[: count - len(against_btc) - len(against_eth)]
    instruments = [
        *(_instrument(seed, asset, "USDT", Decimal(1)) for asset in against_usdt),
        *(_instrument(seed, asset, "BTC", assets[0].price_usd) for asset in against_btc),
        *(_instrument(seed, asset, "ETH", assets[1].price_usd) for asset in against_eth),
    ]
    return {instrument.symbol: instrument for instrument in instruments}


def _assets(seed: int, count: int) -> Iterator[_Asset]:
    invented = map("".join, product(_SYLLABLES.split(","), repeat=3))
    names = dict.fromkeys(chain(MORE, invented))
    return islice(chain(map(_known, KNOWN), (_asset(seed, name) for name in names)), count)


def _known(line: str) -> _Asset:
    name, price, millions, listed = line.split()
    day = dt.date.fromisoformat(listed) - dt.date(1970, 1, 1)
    return _Asset(name, Decimal(price), int(millions) * 1_000_000, day.days)


def _asset(seed: int, name: str) -> _Asset:
    noise = _noise(seed, name)
    price = Decimal(100 + noise[0]) * (10 ** (noise[1] % 4)) / 100_000
    turnover = (20 + noise[2]) * 4 ** (noise[3] % 5) * 2_000
    listed_day = _LISTING_DAYS[int.from_bytes(noise[4:6]) % len(_LISTING_DAYS)]
    return _Asset(name, price, turnover, listed_day)


def _instrument(seed: int, asset: _Asset, quote: str, quote_usd: Decimal) -> SimulatedInstrument:
    price = asset.price_usd / quote_usd
    turnover_usd = asset.turnover_usd if quote == "USDT" else asset.turnover_usd // 25
    price_digits = _price_digits(price)
    lot_digits = max(0, min(5, 7 - price_digits))
    ticks = max(_LEAST_TICKS, int(price.scaleb(price_digits)))
    lots = turnover_usd / asset.price_usd * 10**lot_digits
    noise = _noise(seed, f"{asset.name}{quote}")
    listed_ms = asset.listed_day * _DAY_MS + noise[0] % 12 * _HOUR_MS
    ended_ms = listed_ms + (200 + noise[2]) * _DAY_MS + noise[3] % 24 * _HOUR_MS
    status = _final_status(noise[1], turnover_usd)
    return SimulatedInstrument(
        symbol=f"{asset.name}{quote}",
        base=asset.name,
        quote=quote,
        final_status=status,
        listed_ms=listed_ms,
        ended_ms=None if status == "TRADING" else ended_ms,
        price_digits=price_digits,
        lot_digits=lot_digits,
        price_ticks=ticks,
        lots_a_weight=max(1, int(lots / _WEIGHT_A_DAY)),
        trades_a_weight=max(1, turnover_usd // _USD_A_TRADE // _TRADES_A_DAY),
        texture=Texture(4 if ticks < _FINE_TICKS else 0, _quiet(turnover_usd)),
    )


def _price_digits(price: Decimal) -> int:
    """As few decimals as give the price 20,000 ticks, but 2 to 8."""
    fine = (digits for digits in range(2, 8) if price.scaleb(digits) >= _FINE_TICKS)
    return next(fine, 8)


def _final_status(noise: int, turnover_usd: int) -> str:
    """One in ten symbols that are not busy ends in BREAK, one in sixty in HALT."""
    if turnover_usd >= _BUSY_USD or noise >= 28:  # noqa: PLR2004 - of 256
        return "TRADING"
    return "BREAK" if noise < 24 else "HALT"  # noqa: PLR2004


def _quiet(turnover_usd: int) -> int:
    if turnover_usd >= _BUSY_USD:
        return 0
    return 28 if turnover_usd >= _CALM_USD else 115


def _noise(seed: int, name: str) -> bytes:
    return hashlib.shake_128(f"penstock {seed} {name}".encode()).digest(8)
