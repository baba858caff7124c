"""Timeframes: the fixed steps in which an exchange cuts time into candles.

All times are integer ms since the epoch, UTC. Timeframes of fixed length are aligned to the epoch,
weeks to Monday, months to the first day, as Binance does it (developers.binance.com, "Spot REST
API, Kline/Candlestick data").
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from itertools import islice, pairwise
from operator import sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECOND = 1_000
_DAY = 86_400 * _SECOND
_EPOCH_TO_MONDAY = 4 * _DAY
_EPOCH_YEAR = 1970


class Timeframe(StrEnum):
    """One of the sixteen steps that Binance publishes; `M` is a month, `m` a minute."""

    S1 = "1s"
    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"
    D3 = "3d"
    W1 = "1w"
    MONTH = "1M"

    @property
    def longest_ms(self) -> int:
        """The longest that this step can be: exact, but 31 days for months."""
        return _LONGEST_MS[self]

    def floor(self, at_ms: int) -> int:
        """The open time of the candle that contains `at_ms`."""
        if self is _MONTH:
            return _month_start(_month(at_ms))
        return at_ms - (at_ms - _PHASE_MS[self]) % _LONGEST_MS[self]

    def off_grid(self, opens: Sequence[int]) -> int:
        """How many of these open times are off the grid of this step."""
        if self is _MONTH:
            return sum(self.floor(opened) != opened for opened in opens)
        # The phase of three days is that of the day on which a symbol was listed.
        step = _DAY if self is _D3 else _LONGEST_MS[self]
        # This runs for each collected row, so it avoids a loop in Python.
        return len(opens) - list(map(step.__rmod__, opens)).count(_PHASE_MS[self] % step)

    def crowded(self, opens: Sequence[int]) -> int:
        """How many of these ascending open times have the next one within the step."""
        if self is _MONTH:
            return sum(later < self.shift(opened, 1) for opened, later in pairwise(opens))
        # As above.
        steps = list(map(sub, islice(opens, 1, None), opens))
        longest = _LONGEST_MS[self]
        return 0 if min(steps, default=longest) >= longest else sum(map(longest.__gt__, steps))

    def candles_within(self, start: int, end: int) -> int:
        """How many candles open on the grid in `start ≤ t < end`."""
        if self is _D3:
            return (end - start) // self.longest_ms
        first, last = self._ceil(start), self.floor(end - 1)
        if first >= end:
            return 0
        if self is _MONTH:
            return _month(last) - _month(first) + 1
        return (last - first) // self.longest_ms + 1

    def opens_within(self, start: int, end: int) -> bool:
        """Whether a candle could open in `start ≤ t < end`."""
        if self is _D3:
            return end - start >= self.longest_ms
        return self._ceil(start) < end

    def shift(self, open_ms: int, steps: int) -> int:
        """The open time `steps` candles after the one that opens at `open_ms`, or before it."""
        if self is _MONTH:
            return _month_start(_month(open_ms) + steps)
        return open_ms + steps * _LONGEST_MS[self]

    def _ceil(self, at_ms: int) -> int:
        """The open time of the first candle that opens at `at_ms` or later."""
        opened = self.floor(at_ms)
        return opened if opened == at_ms else self.shift(opened, 1)


def _month(at_ms: int) -> int:
    """The number of a month, counted from year 0."""
    at = dt.datetime.fromtimestamp(at_ms / 1000, tz=dt.UTC)
    return 12 * at.year + at.month - 1


def _month_start(number: int) -> int:
    year, month = divmod(number, 12)
    if year < _EPOCH_YEAR:
        return 0
    return int(dt.datetime(year, month + 1, 1, tzinfo=dt.UTC).timestamp()) * 1000


# Looking up a member in its class each time takes longer than what is done here.
_MONTH, _D3 = Timeframe.MONTH, Timeframe.D3

# The longest that each unit can be.
_UNIT_MS = {
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3_600 * _SECOND,
    "d": _DAY,
    "w": 7 * _DAY,
    "M": 31 * _DAY,
}
_LONGEST_MS = {step: int(step[:-1]) * _UNIT_MS[step[-1]] for step in Timeframe}

# Where the first candle opens; weeks begin on a Monday.
_PHASE_MS = {step: _EPOCH_TO_MONDAY if step is Timeframe.W1 else 0 for step in Timeframe}
