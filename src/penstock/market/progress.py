"""How far a collection is: in candles, because a series of years is not one step of as many as there are series."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.core.run import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.core.governor import Wait
    from penstock.market.page import CandlePage, Target
    from penstock.market.plan import Piece

_UNIT = "candles"


class Tally:
    """Counts the candles that are asked for, and those for which there is an answer, whatever it is."""

    def __init__(self, series: int, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._series = series
        self._source = source
        self._clock = clock
        self._started = clock()
        self._planned = 0
        self._expected = 0
        self._looked_at = 0
        self._percent = 0

    def planned(self, target: Target, pieces: Sequence[Piece], now: int) -> None:
        """A series is planned."""
        timeframe = target.key.timeframe
        running = timeframe.shift(timeframe.floor(now), 1)
        target.expected = sum(timeframe.candles_within(piece.start, running if piece.end is None else piece.end) for piece in pieces)
        self._planned += 1
        self._expected += target.expected

    def account(self, page: CandlePage) -> None:
        """A page is there."""
        timeframe = page.target.key.timeframe
        looked_at = sum(timeframe.candles_within(span.start, span.end) for span in page.spans) + len(page.candles) - page.closed
        self._count(page.target, min(page.target.expected, page.target.looked_at + looked_at))

    def ended(self, target: Target) -> None:
        """A series is done."""
        self._count(target, target.expected)

    def percent(self, done: int) -> int:
        """How far the collection is when so many series are done; it never goes back."""
        if self._series:
            whole = self._looked_at / self._expected if self._expected else done / self._series
            self._percent = max(self._percent, int(100 * whole * self._planned / self._series))
        return self._percent

    def work(self, wait: Wait | None = None) -> Work:
        """The same in candles."""
        seconds = max(self._clock() - self._started, 0.001)
        rate = self._looked_at / seconds
        left = None if not rate or self._planned < self._series else round((self._expected - self._looked_at) / rate, 1)
        work = Work(unit=_UNIT, done=self._looked_at, total=self._expected, per_second=round(rate, 1), seconds_left=left)
        if wait is None:
            return work
        why = f"{self._source} to let requests in again" if wait.told else f"{self._source}'s limit"
        return replace(work, waiting_for=why, waiting_until=int(wait.until * 1000))

    def _count(self, target: Target, looked_at: int) -> None:
        self._looked_at += looked_at - target.looked_at
        target.looked_at = looked_at
