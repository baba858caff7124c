"""How far a collection is: in candles, because a series of years is not one step of as many as there are series."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from penstock.http.governor import Why
from penstock.runs.run import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.http.governor import Wait
    from penstock.market.collect.page import CandlePage, Target
    from penstock.market.collect.plan import Piece

_UNIT = "candles"
_WHY = {
    Why.LIMIT: "'s limit",
    Why.TOLD: " to let requests in again",
    Why.SILENT: " to answer again",
}
# Of a run that goes on.
_MOST_PERCENT = 99


class Tally:
    """Counts the candles that are asked for, and those for which there is an answer, whatever it is."""

    def __init__(
        self, series: int, source: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._series = series
        self._source = source
        self._clock = clock
        self._started = clock()
        self._planned = 0
        self._expected = 0
        self._looked_at = 0
        self._percent = 0
        # What is asked for of each series, in order, up to the candle that ran when it was planned.
        self._asked: dict[int, list[tuple[int, int]]] = {}

    def planned(self, target: Target, pieces: Sequence[Piece], now: int) -> None:
        """A series is planned."""
        timeframe = target.key.timeframe
        running = timeframe.shift(timeframe.floor(now), 1)
        asked = sorted(
            (piece.start, running if piece.end is None else piece.end) for piece in pieces
        )
        target.expected = sum(timeframe.candles_within(start, end) for start, end in asked)
        self._asked[target.series_id] = asked
        self._planned += 1
        self._expected += target.expected

    def account(self, page: CandlePage) -> None:
        """A page is there. What it knows without having asked, and what has closed since the plan, was not expected and is not counted."""
        target = page.target
        known_until = max((span.end for span in page.spans), default=0)
        unfinished = [
            row.open_time for row in page.candles[page.closed :] if row.open_time >= known_until
        ]
        found = [(span.start, span.end) for span in page.spans] + [
            (opened, target.key.timeframe.shift(opened, 1)) for opened in unfinished
        ]
        looked_at = sum(self._asked_within(target, start, end) for start, end in found)
        self._count(target, min(target.expected, target.looked_at + looked_at))

    def ended(self, target: Target) -> None:
        """A series is done."""
        self._count(target, target.expected)

    def percent(self, done: int) -> int:
        """How far the collection is when so many series are done; it never goes back, and is 100 when all are."""
        if self._series:
            whole = self._looked_at / self._expected if self._expected else done / self._series
            percent = int(100 * whole * self._planned / self._series)
            self._percent = max(
                self._percent, percent if done == self._series else min(percent, _MOST_PERCENT)
            )
        return self._percent

    def work(self, wait: Wait | None = None) -> Work:
        """The same in candles."""
        seconds = max(self._clock() - self._started, 0.001)
        rate = self._looked_at / seconds
        left = (
            None
            if not rate or self._planned < self._series
            else round((self._expected - self._looked_at) / rate, 1)
        )
        work = Work(
            unit=_UNIT,
            done=self._looked_at,
            total=self._expected,
            per_second=round(rate, 1),
            seconds_left=left,
        )
        if wait is None:
            return work
        return replace(
            work,
            waiting_for=f"{self._source}{_WHY[wait.why]}",
            waiting_until=int(wait.until * 1000),
        )

    def _asked_within(self, target: Target, start: int, end: int) -> int:
        """How many of the candles that were asked for open in a range."""
        asked = self._asked.get(target.series_id, [])
        first = bisect_right(asked, start, key=lambda piece: piece[1])
        return sum(
            target.key.timeframe.candles_within(max(start, low), min(end, high))
            for low, high in islice(asked, first, None)
            if low < end
        )

    def _count(self, target: Target, looked_at: int) -> None:
        self._looked_at += looked_at - target.looked_at
        target.looked_at = looked_at
