"""How far a collection is, in candles: a series of years is more than one step among many."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from penstock.http.governor import WaitReason
from penstock.market.timeline import within
from penstock.runs.run import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.http.governor import Wait
    from penstock.market.collect.page import CandlePage, SeriesTarget
    from penstock.market.collect.plan import Piece

_UNIT = "candles"
_WHY = {
    WaitReason.LIMIT: "'s limit",
    WaitReason.PAUSED: " to let requests in again",
    WaitReason.NO_ANSWER: " to answer again",
}
# Of a run that is not over.
_MOST_PERCENT = 99


class Tally:
    """Counts the candles that are asked for, and those that are answered, with or without data."""

    def __init__(
        self, series: int, source: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._series = series
        self._ended = 0
        self._source = source
        self._clock = clock
        self._started = clock()
        self._planned = 0
        self._expected = 0
        self._looked_at = 0
        self._percent = 0

    def planned(self, target: SeriesTarget, pieces: Sequence[Piece], now: int) -> None:
        """Count a planned series."""
        timeframe = target.timeframe
        running = timeframe.shift(timeframe.floor(now), 1)
        target.asked = sorted(
            (piece.start, running if piece.end is None else piece.end) for piece in pieces
        )
        target.expected = sum(timeframe.candles_within(*asked) for asked in target.asked)
        self._planned += 1
        self._expected += target.expected

    def account(self, page: CandlePage) -> None:
        """Count a page, but for what was not asked for or has closed since the plan."""
        target = page.target
        known_until = max((span.end for span in page.spans), default=0)
        found = [(span.start, span.end) for span in page.spans]
        found += [
            (row.open_time, target.timeframe.shift(row.open_time, 1))
            for row in page.candles[page.closed :]
            if row.open_time >= known_until
        ]
        looked_at = sum(_candles_asked(target, start, end) for start, end in found)
        self._count(target, min(target.expected, target.looked_at + looked_at))

    def ended(self, target: SeriesTarget) -> None:
        """Count a series as done."""
        self._ended += 1
        self._count(target, target.expected)

    @property
    def finished(self) -> str:
        """How many series are done, of how many."""
        return f"{self._ended}/{self._series}"

    @property
    def percent(self) -> int:
        """How far it is; it never goes back, and 100 means all."""
        if self._series:
            candles = self._looked_at, self._expected
            done, total = candles if self._expected else (self._ended, self._series)
            most = 100 if self._ended == self._series else _MOST_PERCENT
            percent = int(100 * done / total * self._planned / self._series)
            self._percent = max(self._percent, min(percent, most))
        return self._percent

    def work(self, wait: Wait | None = None) -> Work:
        """The progress in candles, and what the run waits for."""
        seconds = max(self._clock() - self._started, 0.001)
        rate = self._looked_at / seconds
        left = (
            None
            if not rate or self._planned < self._series
            else round((self._expected - self._looked_at) / rate, 1)
        )
        return Work(
            unit=_UNIT,
            done=self._looked_at,
            total=self._expected,
            per_second=round(rate, 1),
            seconds_left=left,
            waiting_for=f"{self._source}{_WHY[wait.reason]}" if wait else None,
            waiting_until=int(wait.until * 1000) if wait else None,
        )

    def _count(self, target: SeriesTarget, looked_at: int) -> None:
        self._looked_at += looked_at - target.looked_at
        target.looked_at = looked_at


def _candles_asked(target: SeriesTarget, start: int, end: int) -> int:
    """How many of the candles asked for open in a range."""
    asked = within(target.asked, start, end)
    return sum(target.timeframe.candles_within(low, high) for low, high in asked)
