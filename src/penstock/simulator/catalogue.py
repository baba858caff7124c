"""The generated instruments: which symbols there are, since when, in what units, and how lively they trade.

Everything follows from (seed, number of symbols). Every status that a real exchangeInfo shows is there, and listing days spread over the years.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, product
from typing import TYPE_CHECKING

from penstock.market.timeframe import Timeframe
from penstock.simulator.names import KNOWN, MORE
from penstock.simulator.shape import Quiet, Texture

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_WEIGHT_A_DAY = 93_000
_TRADES_A_DAY = 12_300
_COARSE_BELOW_TICKS = 20_000
_LEAST_TICKS = 1_000
_USD_A_TRADE = 850
_BUSY_USD, _CALM_USD = 20_000_000, 3_000_000
_FIRST_LISTING_DAY = 17_400
_LAST_LISTING_DAY = 19_900
_SYLLABLES = ("A", "BE", "CO", "DRA", "EL", "FI", "GO", "HY", "KI", "LO", "MU", "NEX", "OR", "PO", "QI", "RU", "SO", "TE", "VO", "XY", "ZE")


@dataclass(frozen=True, slots=True)
class Asset:
    """A base asset: price in USD, turnover in USD a day, first day (days since the epoch)."""

    name: str
    price_usd: Decimal
    turnover_usd: int
    listed_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """One generated symbol; `price_ticks` is the price to which it keeps returning, `lots_a_weight` and `trades_a_weight` size its volume."""

    symbol: str
    base: str
    quote: str
    final_status: str
    listed_ms: int
    ended_ms: int | None
    price_digits: int
    lot_digits: int
    price_ticks: int
    lots_a_weight: int
    trades_a_weight: int
    texture: Texture

    def status(self, now_ms: int) -> str:
        """TRADING until it ends, then BREAK or HALT for good."""
        return "TRADING" if self.ended_ms is None or now_ms < self.ended_ms else self.final_status

    def floor(self, timeframe: Timeframe, at_ms: int) -> int:
        """The open time of the candle that `at_ms` falls into.

        Three days are counted from the day of the listing, as recorded candles show: those of BTCUSDT from 2017-08-17 on.
        """
        if timeframe is not Timeframe.D3:
            return timeframe.floor(at_ms)
        first_ms = self.listed_ms - self.listed_ms % DAY_MS
        return at_ms - (at_ms - first_ms) % timeframe.longest_ms

    def last_ms(self, now_ms: int) -> int:
        """The last millisecond at `now_ms` for which there can be candles."""
        return now_ms if self.ended_ms is None else min(now_ms, self.ended_ms - 1)


def catalogue(seed: int, count: int) -> dict[str, Instrument]:
    """`count` instruments by symbol: about three in four against USDT, the others against BTC and ETH; BTCUSDT first."""
    against_btc, against_eth = count * 3 // 20, count * 2 // 20
    assets = list(_assets(seed, count))
    dollars = [(asset, "USDT", Decimal(1)) for asset in assets]
    bitcoins = [(asset, "BTC", assets[0].price_usd) for asset in _dearer(assets[1:], Decimal(1))[:against_btc]]
    ethers = [(asset, "ETH", assets[1].price_usd) for asset in _dearer(assets[2:], Decimal("0.1"))[:against_eth]] if count > 1 else []
    pairs = [*dollars[: count - len(bitcoins) - len(ethers)], *bitcoins, *ethers]
    return {f"{asset.name}{quote}": _instrument(seed, asset, quote, usd) for asset, quote, usd in pairs}


def _dearer(assets: list[Asset], least_usd: Decimal) -> list[Asset]:
    """Cheap coins would have a price of very few ticks against a dear one."""
    return [asset for asset in assets if asset.price_usd >= least_usd]


def _assets(seed: int, count: int) -> Iterator[Asset]:
    known = (Asset(name, Decimal(price), turnover * 1_000_000, _day(listed)) for name, price, turnover, listed in KNOWN)
    names = dict.fromkeys(chain(MORE, map("".join, product(_SYLLABLES, repeat=3))))
    rest = (_asset(seed, name) for name in names)
    return (asset for _, asset in zip(range(count), chain(known, rest), strict=False))


def _asset(seed: int, name: str) -> Asset:
    noise = _noise(seed, name)
    price = Decimal(100 + noise[0]) * (10 ** (noise[1] % 4)) / 100_000
    turnover = (20 + noise[2]) * 4 ** (noise[3] % 5) * 2_000
    return Asset(name, price, turnover, _FIRST_LISTING_DAY + int.from_bytes(noise[4:6]) % (_LAST_LISTING_DAY - _FIRST_LISTING_DAY))


def _instrument(seed: int, asset: Asset, quote: str, quote_usd: Decimal) -> Instrument:
    price = asset.price_usd / quote_usd
    turnover_usd = asset.turnover_usd if quote == "USDT" else asset.turnover_usd // 25
    price_digits = _price_digits(price)
    lot_digits = max(0, min(5, 7 - price_digits))
    ticks = max(_LEAST_TICKS, int(price.scaleb(price_digits)))
    lots = turnover_usd / asset.price_usd * 10**lot_digits
    noise = _noise(seed, f"{asset.name}{quote}")
    listed_ms = asset.listed_day * DAY_MS + noise[0] % 12 * _HOUR_MS
    status = _final_status(noise[1], turnover_usd)
    return Instrument(
        symbol=f"{asset.name}{quote}",
        base=asset.name,
        quote=quote,
        final_status=status,
        listed_ms=listed_ms,
        ended_ms=None if status == "TRADING" else listed_ms + (200 + noise[2]) * DAY_MS + noise[3] % 24 * _HOUR_MS,
        price_digits=price_digits,
        lot_digits=lot_digits,
        price_ticks=ticks,
        lots_a_weight=max(1, int(lots / _WEIGHT_A_DAY)),
        trades_a_weight=max(1, turnover_usd // _USD_A_TRADE // _TRADES_A_DAY),
        texture=Texture(coarse=ticks < _COARSE_BELOW_TICKS, quiet=_quiet(turnover_usd)),
    )


def _price_digits(price: Decimal) -> int:
    """As few decimals as give the price 20,000 ticks, but 2 to 8."""
    return next((digits for digits in range(2, 8) if price.scaleb(digits) >= _COARSE_BELOW_TICKS), 8)


def _final_status(noise: int, turnover_usd: int) -> str:
    if turnover_usd >= _BUSY_USD:
        return "TRADING"
    match noise:
        case _ if noise < 24:  # noqa: PLR2004 - about one in ten
            return "BREAK"
        case _ if noise < 28:  # noqa: PLR2004 - about one in sixty
            return "HALT"
        case _:
            return "TRADING"


def _quiet(turnover_usd: int) -> Quiet:
    if turnover_usd >= _BUSY_USD:
        return Quiet.NEVER
    return Quiet.SOMETIMES if turnover_usd >= _CALM_USD else Quiet.OFTEN


def _noise(seed: int, name: str) -> bytes:
    return hashlib.shake_128(f"penstock {seed} {name}".encode()).digest(8)


def _day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days
