"""How a day goes: a small stock of day shapes, from which every day of every symbol is made by one multiplication and one addition.

A shape holds, for each minute, small integers: open, high, low, close on a grid that starts at 0, a volume weight, a trade count. A real day is
`price = first price + scale x grid` and `volume = lot x weight`. Such a map keeps firsts, maxima, minima, lasts and sums, so a shape folded once into
5m, 1h or 1d gives the exact aggregate of every day made from it: a daily candle costs as much as a minute, and any of them can be asked for alone.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from penstock.market.timeframe import Timeframe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MINUTES_A_DAY = 1440
SHAPES = 8
_SMALLER = {
    Timeframe.M3: Timeframe.M1,
    Timeframe.M5: Timeframe.M1,
    Timeframe.M15: Timeframe.M5,
    Timeframe.M30: Timeframe.M15,
    Timeframe.H1: Timeframe.M15,
    Timeframe.H2: Timeframe.H1,
    Timeframe.H4: Timeframe.H1,
    Timeframe.H6: Timeframe.H1,
    Timeframe.H8: Timeframe.H4,
    Timeframe.H12: Timeframe.H4,
    Timeframe.D1: Timeframe.H4,
}


class Quiet(IntEnum):
    """How many of 256 minutes pass without a trade; the first minute of an hour always has one."""

    NEVER = 0
    SOMETIMES = 28
    OFTEN = 115


@dataclass(frozen=True, slots=True)
class Texture:
    """What kind of day a symbol has; `coarse` is for prices of few ticks, which stand still in most minutes."""

    coarse: bool
    quiet: Quiet

    @property
    def ticks_a_step(self) -> int:
        """The price divided by this is one step of the grid: about 0.007 %, coarse 0.14 %."""
        return 700 if self.coarse else 15_000


class Row(NamedTuple):
    """One candle on the grid, at position `slot` of the day. Its mean price lies between low and high, so quote volume / volume does too."""

    slot: int
    open: int
    high: int
    low: int
    close: int
    weight: int
    mean_x_weight: int
    trades: int
    taker: int
    mean_x_taker: int


@dataclass(frozen=True, slots=True)
class Grid:
    """The candles of one timeframe in one day; `slots` are their positions again, for searching."""

    slots: Sequence[int]
    rows: Sequence[Row]


class DayShape:
    """One day: its minutes, and every larger timeframe made from them by `derive` when first asked for."""

    def __init__(self, minutes: Grid, derive: Callable[[DayShape, Timeframe], Grid]) -> None:
        self._grids = {Timeframe.M1: minutes}
        self._derive = derive
        self.end = minutes.rows[-1].close

    def grid(self, timeframe: Timeframe) -> Grid:
        """The day in this timeframe, which is one of 1m to 1d."""
        grid = self._grids.get(timeframe)
        if grid is None:
            grid = self._grids[timeframe] = self._derive(self, timeframe)
        return grid

    def without(self, absences: tuple[tuple[int, int], ...]) -> DayShape:
        """The same day, less the minutes of each half-open range [first, last)."""
        rows = [row for row in self._grids[Timeframe.M1].rows if not any(first <= row.slot < last for first, last in absences)]
        return DayShape(Grid([row.slot for row in rows], rows), _folded)

    def mirrored(self) -> DayShape:
        """The same day upside down: what rose falls, so that the stock as a whole has no direction."""
        return DayShape(_turned(self._grids[Timeframe.M1]), lambda _, timeframe: _turned(self.grid(timeframe)))


@lru_cache(maxsize=len(Quiet) * 2)
def shapes(texture: Texture) -> tuple[DayShape, ...]:
    """The stock for one texture, sorted by where the day ends: the first half falls, the second half rises."""
    drawn = [DayShape(_minutes(texture, number), _folded) for number in range(SHAPES // 2)]
    return tuple(sorted((*drawn, *(shape.mirrored() for shape in drawn)), key=lambda shape: shape.end))


@lru_cache(maxsize=32)
def partial_shape(texture: Texture, number: int, absences: tuple[tuple[int, int], ...]) -> DayShape:
    """Shape `number` of the stock without the minutes in `absences`: a listing day, a last day, an outage."""
    return shapes(texture)[number].without(absences)


def _minutes(texture: Texture, number: int) -> Grid:
    noise = hashlib.shake_128(f"penstock day {texture.coarse} {texture.quiet} {number}".encode()).digest(4 * MINUTES_A_DAY)
    moves, wicks = (_COARSE_MOVES, _COARSE_WICKS) if texture.coarse else (_FINE_MOVES, _FINE_WICKS)
    rows = []
    at = 0
    for slot, (move, wick, size, side) in enumerate(zip(*[iter(noise)] * 4, strict=True)):
        if side < texture.quiet and slot % 60:
            rows.append(Row(slot, at, at, at, at, 0, 0, 0, 0, 0))
            continue
        to = at + moves[move]
        high, low = max(at, to) + wicks[wick], min(at, to) - wicks[wick ^ size]
        mean = (at + high + low + to) >> 2
        weight = 1 + (size * size >> 9) + 3 * abs(to - at)
        taker = weight * (64 + (side & 127)) >> 8
        rows.append(Row(slot, at, high, low, to, weight, mean * weight, 1 + (size >> 4), taker, mean * taker))
        at = to
    return Grid(range(MINUTES_A_DAY), rows)


def _turned(grid: Grid) -> Grid:
    rows = [
        Row(slot, -o, -low, -high, -c, weight, -mean, trades, taker, -taker_mean)
        for slot, o, high, low, c, weight, mean, trades, taker, taker_mean in grid.rows
    ]
    return Grid(grid.slots, rows)


def _folded(shape: DayShape, timeframe: Timeframe) -> Grid:
    smaller = _SMALLER[timeframe]
    grid = shape.grid(smaller)
    steps = timeframe.longest_ms // smaller.longest_ms
    edges = [bisect_left(grid.slots, bound) for bound in range(0, grid.slots[-1] + steps + 1, steps)]
    rows = [_fold(slot, grid.rows[first:last]) for slot, (first, last) in enumerate(pairwise(edges)) if first < last]
    return Grid([row.slot for row in rows], rows)


def _fold(slot: int, rows: Sequence[Row]) -> Row:
    _, opens, highs, lows, closes, weights, means, trades, takers, taker_means = zip(*rows, strict=True)
    return Row(slot, opens[0], max(highs), min(lows), closes[-1], sum(weights), sum(means), sum(trades), sum(takers), sum(taker_means))


def _fine_move(byte: int) -> int:
    return 6 * (byte.bit_count() - 4) + byte % 7 - 3


def _coarse_move(byte: int) -> int:
    ones = byte.bit_count()
    return (ones >= 6) - (ones <= 2)  # noqa: PLR2004 - eight coins: six heads up, two heads down


_FINE_MOVES = [_fine_move(byte) for byte in range(256)]
_COARSE_MOVES = [_coarse_move(byte) for byte in range(256)]
_FINE_WICKS = [byte >> 4 for byte in range(256)]
_COARSE_WICKS = [(byte >= 160) + (byte >= 240) for byte in range(256)]  # noqa: PLR2004 - a wick in 3 of 8 minutes, a long one in 1 of 16
