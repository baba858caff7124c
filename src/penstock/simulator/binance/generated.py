"""Candles of the generated instruments: any range of any timeframe, made on demand, never stored.

A closed candle is a pure function of (seed, symbol, timeframe, open time), made in three steps:

- Each day tosses eight coins. The number of heads since the listing gives the price at which a day
  opens, and the coins of the day itself say where it closes.
- In between, a day follows one of a few shapes. A shape holds small integers for each minute, on a
  grid that starts at 0. A minute of a real day is `price = opening price + step × grid` and
  `volume = lots × weight`. This map keeps firsts, maxima, minima, lasts and sums, so a shape that
  is folded once into 5m, 1h or 1d gives the exact aggregates of every day made from it.
- A minute is cut into seconds whose aggregate is the minute again.

The running candle also depends on the clock: it holds its closed minutes and the seconds begun
since then.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import deque
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, chain, groupby, pairwise
from operator import itemgetter
from sys import maxsize
from typing import TYPE_CHECKING, TypeAlias

from penstock.market.timeframe import Timeframe
from penstock.simulator.binance.exchange import DayStatistics, Window
from penstock.simulator.binance.info import Info, symbol_info

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from penstock.simulator.binance.instruments import SimulatedInstrument, Texture

# Open time in ms; open, high, low, close in ticks; volume in lots; quote volume in 1e-8; trades;
# the taker's volume and quote volume: integers, so that sums are exact. In a shape: the minute of
# the day; four prices on the grid; weight; weight × mean price; trades; the taker's two.
Candle: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int]

_SECOND_MS, _MINUTE_MS, _HOUR_MS, _DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
_MINUTES, _SECONDS = 1440, 60
_QUOTE_DIGITS = 8
# The real exchange lost these hours of 2020-06-28: after the candle of 01:00 comes the one of 05:00
# (seen in recorded answers).
_OUTAGE = range(1_593_309_600_000, 1_593_320_400_000)
# The usual price of an instrument has this many steps of the grid.
_GRID = 16_384
# Days open on levels, 1.6 % of the usual price apart. The walk turns back at level ±44, so that no
# price comes near 0.
_GRID_A_LEVEL, _LAST_LEVEL = 256, 44
_COINS, _MOST_DAYS = 8, 2**15
_POSITION = itemgetter(0)


def merged(open_ms: int, parts: Sequence[Candle]) -> Candle | None:
    """The candle that opens at `open_ms` and holds these, oldest first; None when there is none."""
    if not parts:
        return None
    _, opens, highs, lows, closes, *amounts = zip(*parts, strict=True)
    volume, quote, trades, taker, taker_quote = map(sum, amounts)
    prices = opens[0], max(highs), min(lows), closes[-1]
    return (open_ms, *prices, volume, quote, trades, taker, taker_quote)


class _Shape:
    """A way for a day to go: its minutes, folded into larger candles when first asked for."""

    def __init__(self, minutes: list[Candle]) -> None:
        self._rows = {Timeframe.M1: minutes}

    def rows(self, timeframe: Timeframe) -> list[Candle]:
        if timeframe not in self._rows:
            size = timeframe.longest_ms // _MINUTE_MS
            groups = groupby(self._rows[Timeframe.M1], lambda row: row[0] // size)
            rows = (merged(position, list(group)) for position, group in groups)
            self._rows[timeframe] = [row for row in rows if row]
        return self._rows[timeframe]


@lru_cache(maxsize=96)
def _shape(texture: Texture, levels: int, absent_hours: frozenset[int]) -> _Shape:
    """A day that closes `levels` above its open."""
    key = f"penstock day {texture.grid_bits} {texture.quiet} {levels}"
    noise = hashlib.shake_128(key.encode()).digest(4 * _MINUTES)
    moves, sides, sizes, wicks = (noise[first::4] for first in range(4))
    # The first minute of an hour always has a trade.
    trading = [n for n in range(_MINUTES) if n % 60 == 0 or sides[n] >= texture.quiet]
    path = _path([moves[n] for n in trading], levels * _GRID_A_LEVEL)
    moved = dict(zip(trading, pairwise(path), strict=True))
    rows, price = [], 0
    for n, extras in enumerate(zip(sides, sizes, wicks, strict=True)):
        if n in moved:
            rows.append(_traded(n, moved[n], extras, texture.grid_bits))
            price = rows[-1][4]
        else:
            rows.append(_still(n, price))
    return _Shape([row for row in rows if row[0] // 60 not in absent_hours])


def _path(moves: Sequence[int], end: int) -> list[int]:
    """A random walk from 0, one step for each byte, bent so that it ends at `end`."""
    steps = (6 * (byte.bit_count() - 4) + byte % 7 - 3 for byte in moves)
    walk = list(accumulate(steps, initial=0))
    return [at - (walk[-1] - end) * n // len(moves) for n, at in enumerate(walk)]


def _traded(n: int, move: tuple[int, int], noise: tuple[int, int, int], bits: int) -> Candle:
    (opened, closed), (side, size, wick) = move, noise
    highest, lowest = max(move) + (wick >> 4), min(move) - (wick & 15)
    prices = opened >> bits, highest >> bits, lowest >> bits, closed >> bits
    # Between low and high, so that quote volume / volume is too.
    mean = sum(prices) >> 2
    weight = 1 + (size * size >> 9) + 3 * abs(closed - opened)
    taker = weight * (64 + (side & 127)) >> 8
    return (n, *prices, weight, mean * weight, 1 + (weight >> 3), taker, mean * taker)


def _still(at: int, price: int) -> Candle:
    """A minute or second without trades."""
    return (at, price, price, price, price, 0, 0, 0, 0, 0)


@lru_cache(maxsize=256)
def _seconds(key: str, minute: Candle) -> list[Candle]:
    """The sixty 1s candles of a minute; `key` names the instrument and the seed."""
    open_ms, price, high, low, close, volume, quote, trades, taker, taker_quote = minute
    noise = hashlib.shake_128(f"{key} {open_ms}".encode()).digest(_SECONDS)
    counts = _cut(trades, noise)
    volumes = _cut(volume, counts)
    quotes = _cut(quote, volumes)
    amounts = volumes, quotes, counts, _cut(taker, volumes), _cut(taker_quote, quotes)
    trading = [second for second, count in enumerate(counts) if count] or [-1]
    top, bottom = (trading[byte % len(trading)] for byte in noise[:2])
    candles = []
    for second, amount in enumerate(zip(*amounts, strict=True)):
        opened = price
        if counts[second]:
            price = close if second == trading[-1] else low + (high - low) * noise[second] // 255
        highest = high if second == top else max(opened, price)
        lowest = low if second == bottom else min(opened, price)
        candles.append((open_ms + second * _SECOND_MS, opened, highest, lowest, price, *amount))
    return candles


def _cut(total: int, shares: Sequence[int]) -> list[int]:
    """`total` in proportion to `shares`; the parts sum to it."""
    whole = sum(shares) or 1
    reached = (total * share // whole for share in accumulate(shares, initial=0))
    return [last - first for first, last in pairwise(reached)]


class GeneratedSeries:
    """All candles of one instrument."""

    def __init__(self, seed: int, instrument: SimulatedInstrument) -> None:
        self.instrument = instrument
        self._key = f"penstock {seed} {instrument.symbol}"
        bits = instrument.texture.grid_bits
        self._step = max(1, instrument.price_ticks // (_GRID >> bits))
        self._ticks_a_level = self._step * (_GRID_A_LEVEL >> bits)
        self._quote_unit = 10 ** (_QUOTE_DIGITS - instrument.price_digits - instrument.lot_digits)
        self._absent_hours = _absent_hours(instrument)

    def status(self, now_ms: int) -> str | None:
        return self.instrument.status(now_ms) if now_ms >= self.instrument.listed_ms else None

    def info(self, now_ms: int) -> Info:
        return symbol_info(self.instrument, self.instrument.status(now_ms))

    def price(self, now_ms: int) -> str:
        return f"{self._price(self._last_ticks(now_ms)):.8f}"

    def statistics(self, now_ms: int) -> DayStatistics:
        """The last 24 hours, rounded to a whole minute at their beginning."""
        first_ms = now_ms - now_ms % _MINUTE_MS + _MINUTE_MS - _DAY_MS
        first_ms = max(first_ms, self.instrument.listed_ms)
        day = merged(first_ms, self._recent(first_ms, now_ms))
        _, *prices, volume, quote, trades, _, _ = day or _still(first_ms, self._last_ticks(now_ms))
        opened, high, low, last = map(self._price, prices)
        minutes = (first_ms - self.instrument.listed_ms) // _MINUTE_MS
        return DayStatistics(
            open=opened,
            high=high,
            low=low,
            last=last,
            volume=Decimal(volume).scaleb(-self.instrument.lot_digits),
            quote_volume=Decimal(quote).scaleb(-_QUOTE_DIGITS),
            trades=trades,
            first_trade=minutes * self.instrument.trades_a_weight * 10,
        )

    def page(self, timeframe: Timeframe, window: Window, now_ms: int, *, microseconds: bool) -> str:
        """The JSON answer to a klines request, oldest first; the last row may be running."""
        first_ms = self.instrument.floor(timeframe, self.instrument.listed_ms)
        first_ms = max(first_ms, window.start_ms or 0)
        last_ms = self.instrument.last_ms(now_ms)
        last_ms = last_ms if window.end_ms is None else min(last_ms, window.end_ms)
        running_ms = self.instrument.floor(timeframe, now_ms)
        opens, newest = range(first_ms, min(last_ms + 1, running_ms)), window.start_ms is None
        candles = self._closed(timeframe, opens, window.limit, newest=newest)
        if first_ms <= running_ms <= last_ms and (newest or len(candles) < window.limit):
            candles += self._running(running_ms, now_ms)
        rows = self._rows(candles[-window.limit :], timeframe, 1000 if microseconds else 1)
        return f"[{','.join(rows)}]"

    def _price(self, ticks: int) -> Decimal:
        return Decimal(ticks).scaleb(-self.instrument.price_digits)

    def _last_ticks(self, now_ms: int) -> int:
        opens = range(self.instrument.listed_ms, self.instrument.last_ms(now_ms) + 1)
        return self._closed(Timeframe.S1, opens, 1, newest=True)[0][4]

    def _running(self, open_ms: int, now_ms: int) -> list[Candle]:
        """The candle that opens at `open_ms` and has not ended; none while nothing of it exists."""
        candle = merged(open_ms, self._recent(max(open_ms, self.instrument.listed_ms), now_ms))
        return [candle] if candle else []

    def _recent(self, first_ms: int, now_ms: int) -> list[Candle]:
        """Candles that together cover the time from `first_ms`, a whole minute, until now."""
        minute_ms, end_ms = now_ms - now_ms % _MINUTE_MS, self.instrument.last_ms(now_ms) + 1
        seconds = self._closed(Timeframe.S1, range(max(first_ms, minute_ms), end_ms))
        return [*self._pieces(range(first_ms, min(minute_ms, end_ms))), *seconds]

    def _pieces(
        self, opens: range, sizes: Sequence[Timeframe] = (Timeframe.D1, Timeframe.H1, Timeframe.M1)
    ) -> list[Candle]:
        """The fewest days, hours and minutes that together cover this time."""
        size, *smaller = sizes
        if not smaller:
            return self._closed(size, opens)
        step = size.longest_ms
        first, end = -(-opens.start // step) * step, opens.stop // step * step
        if first >= end:
            return self._pieces(opens, smaller)
        return [
            *self._pieces(range(opens.start, first), smaller),
            *self._closed(size, range(first, end)),
            *self._pieces(range(end, opens.stop), smaller),
        ]

    def _closed(
        self, timeframe: Timeframe, opens: range, limit: int = maxsize, *, newest: bool = False
    ) -> list[Candle]:
        """The closed candles that open within `opens`: the oldest, or newest, up to `limit`."""
        blocks: deque[list[Candle]] = deque()
        for at in self._blocks(_BLOCKS.get(timeframe, timeframe), opens, newest=newest):
            if limit <= 0:
                break
            candles = self._block(
                timeframe, at, opens, slice(-limit, None) if newest else slice(limit)
            )
            limit -= len(candles)
            (blocks.appendleft if newest else blocks.append)(candles)
        return list(chain.from_iterable(blocks))

    def _blocks(self, block: Timeframe, opens: range, *, newest: bool) -> Iterator[int]:
        """When the blocks of time begin whose candles are made together."""
        if not opens:
            return
        first_ms = self.instrument.floor(block, opens.start)
        at = self.instrument.floor(block, opens.stop - 1) if newest else first_ms
        while first_ms <= at < opens.stop:
            yield at
            at = block.shift(at, -1 if newest else 1)

    def _block(self, timeframe: Timeframe, at: int, opens: range, take: slice) -> list[Candle]:
        if timeframe is Timeframe.S1:
            minutes = self._in_day(Timeframe.M1, at, range(at, at + _MINUTE_MS), take)
            seconds = [second for minute in minutes for second in _seconds(self._key, minute)]
            return [second for second in seconds if second[0] in opens][take]
        if timeframe.longest_ms <= _DAY_MS:
            return self._in_day(timeframe, at, opens, take)
        first_ms = max(at, self.instrument.listed_ms)
        last_ms = self.instrument.last_ms(timeframe.shift(at, 1) - 1)
        candle = merged(at, self._pieces(range(first_ms, last_ms + 1)))
        return [candle] if candle and at in opens else []

    def _in_day(self, timeframe: Timeframe, at: int, opens: range, take: slice) -> list[Candle]:
        """Candles of the day of `at`: its shape, mapped to prices and volumes."""
        day_ms, step_ms = at - at % _DAY_MS, timeframe.longest_ms
        shape, p, lots = self._day(day_ms)
        rows = shape.rows(timeframe)
        first = bisect_left(rows, -((day_ms - opens.start) // step_ms), key=_POSITION)
        end = bisect_left(rows, -((day_ms - opens.stop) // step_ms), key=_POSITION)
        found = rows[first:end][take]
        s, many = self._step, self.instrument.trades_a_weight
        p_quote, s_quote = p * lots * self._quote_unit, s * lots * self._quote_unit
        return [
            (
                day_ms + n * step_ms,
                p + s * o,
                p + s * h,
                p + s * l,
                p + s * c,
                lots * weight,
                p_quote * weight + s_quote * mean,
                many * count,
                lots * taker,
                p_quote * taker + s_quote * taker_mean,
            )
            for n, o, h, l, c, weight, mean, count, taker, taker_mean in found  # noqa: E741
        ]

    def _day(self, day_ms: int) -> tuple[_Shape, int, int]:
        """The shape of a day, the price in ticks at which it opens, the lots of one weight."""
        number = day_ms // _DAY_MS - self.instrument.listed_ms // _DAY_MS
        tossed = _tosses(self._key) & ((1 << _COINS * (number + 1)) - 1)
        coins = tossed >> _COINS * number
        surplus = tossed.bit_count() - _COINS * (number + 1) // 2
        closes = _level(surplus)
        opens = _level(surplus - coins.bit_count() + _COINS // 2)
        absent_hours = self._absent_hours.get(day_ms, frozenset())
        shape = _shape(self.instrument.texture, closes - opens, absent_hours)
        usual = self.instrument.price_ticks
        ticks = usual + opens * self._ticks_a_level
        # The turnover does not follow the price, and no trade is of less than a lot.
        lots = self.instrument.lots_a_weight * usual * (512 + coins) // (512 * ticks)
        return shape, ticks, max(lots, self.instrument.trades_a_weight)

    def _rows(self, candles: list[Candle], timeframe: Timeframe, unit: int) -> list[str]:
        """Each candle as a JSON row; a millisecond has `unit` units of time."""
        # One format for all columns takes a third of the time of one format for each.
        digits = self.instrument.price_digits, self.instrument.lot_digits, _QUOTE_DIGITS
        p, v, q = (f'"%d.%0{places or 8}d{"0" * (-places % 8)}"' for places in digits)
        row = f'[%d,{p},{p},{p},{p},{v},%d,{q},%d,{v},{q},"0"]'
        price, lot, quote = (10**places for places in digits)
        return [
            row
            % (
                at * unit,
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
                timeframe.shift(at, 1) * unit - 1,
                quotes // quote,
                quotes % quote,
                trades,
                taker // lot,
                taker % lot,
                taker_quotes // quote,
                taker_quotes % quote,
            )
            for at, o, h, l, c, volume, quotes, trades, taker, taker_quotes in candles  # noqa: E741
        ]


@lru_cache(maxsize=512)
def _tosses(key: str) -> int:
    """The coins of all days: a bit each, the first day in the lowest."""
    return int.from_bytes(hashlib.shake_128(key.encode()).digest(_MOST_DAYS), "little")


def _level(surplus: int) -> int:
    """The level after this many heads more than tails: a random walk that turns at its ends."""
    return abs((surplus + _LAST_LEVEL) % (4 * _LAST_LEVEL) - 2 * _LAST_LEVEL) - _LAST_LEVEL


def _absent_hours(instrument: SimulatedInstrument) -> dict[int, frozenset[int]]:
    """The days that lack hours: at the listing, at the end, in the outage."""
    days = {}
    for edge_ms in (instrument.listed_ms, instrument.ended_ms or 0, _OUTAGE.start):
        day_ms = edge_ms - edge_ms % _DAY_MS
        there = range(instrument.listed_ms, instrument.last_ms(day_ms + _DAY_MS) + 1)
        opens = enumerate(range(day_ms, day_ms + _DAY_MS, _HOUR_MS))
        absent = (hour for hour, at in opens if at not in there or at in _OUTAGE)
        days[day_ms] = frozenset(absent)
    return days


# Seconds are made a minute at a time, all else up to a day by the day.
_BLOCKS = {
    timeframe: Timeframe.M1 if timeframe is Timeframe.S1 else Timeframe.D1
    for timeframe in Timeframe
    if timeframe.longest_ms <= _DAY_MS
}


def generated_series(
    seed: int, instruments: Mapping[str, SimulatedInstrument]
) -> dict[str, GeneratedSeries]:
    """The series of all generated instruments by symbol."""
    return {symbol: GeneratedSeries(seed, instrument) for symbol, instrument in instruments.items()}
