"""The days of one instrument: at what price each starts, which shape it takes, how much is traded. A pure function of (seed, instrument)."""

from __future__ import annotations

import datetime as dt
import hashlib
from array import array
from typing import TYPE_CHECKING, NamedTuple

from penstock.simulator.candle import QUOTE_UNIT, Candle
from penstock.simulator.catalogue import DAY_MS, Instrument
from penstock.simulator.shape import SHAPES, DayShape, partial_shape, shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.timeframe import Timeframe

# The hours that the real exchange lost on this day: after the candle of 01:00 comes the one of 05:00 (seen in recorded answers).
OUTAGE_DAY = (dt.date(2020, 6, 28) - dt.date(1970, 1, 1)).days
OUTAGE_MINUTES = (120, 300)
_DAYS_A_STRETCH = 512
_RISING = SHAPES // 2
# One day in sixteen is drawn back towards the usual price; far below it, every day is, so that no price comes near nothing.
_DRAWN_UP = [_RISING + byte % _RISING if byte < 16 else byte % SHAPES for byte in range(256)]  # noqa: PLR2004
_DRAWN_DOWN = [byte % _RISING if byte < 16 else byte % SHAPES for byte in range(256)]  # noqa: PLR2004
_RESCUED = [_RISING + byte % _RISING for byte in range(256)]
_RESCUE_BELOW = 5
# Some days are stirred more than others, and trade more: the grid's step is `stir` of `_CALM` parts of the texture's.
_CALM = 16
_STIRS = bytes(6 + size // 13 for size in range(256))


class Day(NamedTuple):
    """One day of one instrument: price = `ticks` + `scale` x grid, volume in lots = `lots` x weight, trades = `trades` x count."""

    open_ms: int
    shape: DayShape
    ticks: int
    scale: int
    lots: int
    trades: int
    quote_factor: int

    def slots(self, timeframe: Timeframe) -> Sequence[int]:
        """Which candles of the day there are, by position."""
        return self.shape.grid(timeframe).slots

    def candles(self, timeframe: Timeframe, first: int, last: int) -> list[Candle]:
        """Rows [first, last) of this timeframe, 1m to 1d; counted among those that there are."""
        step_ms = timeframe.longest_ms
        open_ms, _, p, s, lots, many, factor = self
        base_quote = p * lots * factor
        step_quote = s * lots * factor
        return [
            (
                open_ms + slot * step_ms,
                p + s * o,
                p + s * h,
                p + s * l,
                p + s * c,
                lots * w,
                base_quote * w + step_quote * mw,
                many * n,
                lots * tw,
                base_quote * tw + step_quote * mtw,
            )
            for slot, o, h, l, c, w, mw, n, tw, mtw in self.shape.grid(timeframe).rows[first:last]  # noqa: E741 - the low
        ]


class Walk:
    """The random walk of the days of one instrument, walked from its listing as far as it was asked for (9 bytes a day)."""

    def __init__(self, seed: int, instrument: Instrument) -> None:
        self._seed = seed
        self._instrument = instrument
        self._first_day = instrument.listed_ms // DAY_MS
        self._last_day = -1 if instrument.ended_ms is None else instrument.ended_ms // DAY_MS
        self._shapes = shapes(instrument.texture)
        self._step = instrument.texture.ticks_a_step * _CALM
        self._quote_factor = QUOTE_UNIT // 10 ** (instrument.price_digits + instrument.lot_digits)
        self._opens = array("q", [instrument.price_ticks])
        self._turns = bytearray()
        self._sizes = bytearray()

    def day(self, number: int) -> Day:
        """Day `number` since the epoch; it is not before the listing."""
        index = number - self._first_day
        while index >= len(self._turns):
            self._walk_on()
        instrument = self._instrument
        pick = self._pick(index)
        shape = self._shapes[pick]
        if number in (self._first_day, self._last_day, OUTAGE_DAY):
            shape = partial_shape(instrument.texture, pick, tuple(self._absences(number)))
        ticks = self._opens[index]
        size = self._sizes[index]
        scale = ticks * _STIRS[size] // self._step + 1
        lots = instrument.lots_a_weight * (128 + size) // 256 + 1
        return Day(number * DAY_MS, shape, ticks, scale, lots, instrument.trades_a_weight, self._quote_factor)

    def _absences(self, number: int) -> list[tuple[int, int]]:
        absences = [OUTAGE_MINUTES] if number == OUTAGE_DAY else []
        if number == self._first_day:
            absences.append((0, self._instrument.listed_ms % DAY_MS // 60_000))
        if self._instrument.ended_ms is not None and number == self._last_day:
            absences.append((self._instrument.ended_ms % DAY_MS // 60_000, 1440))
        return [(first, last) for first, last in absences if first < last]

    def _walk_on(self) -> None:
        """The next stretch of days; a stretch has its own noise, so it does not matter how far one has walked before."""
        stretch = len(self._turns) // _DAYS_A_STRETCH
        noise = hashlib.shake_128(f"penstock {self._seed} {self._instrument.symbol} {stretch}".encode()).digest(2 * _DAYS_A_STRETCH)
        turns, sizes = noise[:_DAYS_A_STRETCH], noise[_DAYS_A_STRETCH:]
        usual, step = self._instrument.price_ticks, self._step
        rescue = usual // _RESCUE_BELOW
        ends = [shape.end for shape in self._shapes]
        down, up, rescued = ([ends[pick] for pick in picks] for picks in (_DRAWN_DOWN, _DRAWN_UP, _RESCUED))
        ticks, opens = self._opens[-1], []
        for turn, stir in zip(turns, sizes.translate(_STIRS), strict=True):
            ticks += (ticks * stir // step + 1) * (down[turn] if ticks >= usual else up[turn] if ticks > rescue else rescued[turn])
            opens.append(ticks)
        self._opens.extend(opens)
        self._turns += turns
        self._sizes += sizes

    def _pick(self, index: int) -> int:
        """Which shape was taken on a day; the same choice as in `_walk_on`."""
        ticks, usual = self._opens[index], self._instrument.price_ticks
        if ticks >= usual:
            return _DRAWN_DOWN[self._turns[index]]
        return (_DRAWN_UP if ticks > usual // _RESCUE_BELOW else _RESCUED)[self._turns[index]]
