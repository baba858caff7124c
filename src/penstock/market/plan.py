"""The plan of a run: which pieces of a series to ask for, from what coverage lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.market.candle import accept
from penstock.market.coverage import LEFT_OUT, RETRIED, Span, SpanState
from penstock.market.instrument import Status
from penstock.market.source import PageRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.market.clock import ExchangeClock
    from penstock.market.instrument import SeriesKey
    from penstock.market.page import Target
    from penstock.market.source import Answer, MarketSource

DEFAULT_LIMIT = 100
# A piece is fetched page after page; a long range is cut so that several pieces of one series go side by side.
_PAGES_IN_A_PIECE = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A range to ask for; without an end it reaches to the candle that is running. `first`: nothing older of the series is stored."""

    start: int
    end: int | None
    first: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask for, and what is known without asking."""

    pieces: list[Piece]
    known: list[Span]


class Planner:
    """Plans each series of one run."""

    def __init__(self, source: MarketSource, clock: ExchangeClock, *, limit: int | None, since: int | None) -> None:
        self._source = source
        self._clock = clock
        self._limit = limit
        self._since = since

    async def plan(self, target: Target) -> Plan:
        """The missing ranges of the series, the oldest first."""
        ending = await self._ending(target)
        begin, known = self._wanted(target, ending)
        horizon = self._after_running(target)
        if target.key.instrument.status is Status.DELISTED and ending is not None:
            if 0 < ending < (running := target.key.timeframe.floor(self._clock.now())):
                known.append(Span(ending, running, SpanState.DELISTED))
            horizon = ending
        pieces: list[Piece] = []
        for start, end in target.coverage.missing(begin, horizon, self._again(target)):
            from_row = await self._skip_empty(target, start, end, known)
            pieces += self._cut(target, from_row, end)
        if pieces and horizon != ending and pieces[-1].end == horizon:
            pieces[-1] = replace(pieces[-1], end=None)
        return Plan(pieces, known)

    def failed(self, target: Target) -> list[Span]:
        """What was wanted and could not even be planned."""
        begin, known = self._wanted(target, None)
        missing = target.coverage.missing(begin, target.key.timeframe.floor(self._clock.now()), self._again(target))
        return [*known, *(Span(start, end, SpanState.FAILED) for start, end in missing)]

    async def has_rows_from(self, key: SeriesKey, start: int) -> bool:
        """Whether the exchange has candles that open at `start` or later: the evidence that a hole before is one."""
        later = await self._source.candles(PageRequest(series=key, start=start, limit=1))
        return later.rows > 0

    async def state_before(self, key: SeriesKey, start: int) -> SpanState:
        """Why there are no candles at `start`: the exchange was out, if it has older ones, else the instrument was not listed yet."""
        older = await self._source.candles(PageRequest(series=key, end=start, limit=1))
        return SpanState.OUTAGE if older.rows else SpanState.NOT_LISTED

    def _after_running(self, target: Target) -> int:
        timeframe = target.key.timeframe
        return timeframe.shift(timeframe.floor(self._clock.now()), 1)

    def _again(self, target: Target) -> frozenset[SpanState]:
        again = RETRIED if self._since is None else RETRIED | LEFT_OUT
        return again if target.key.instrument.status is Status.DELISTED else again | {SpanState.DELISTED}

    def _wanted(self, target: Target, ending: int | None) -> tuple[int, list[Span]]:
        """Where the wanted range begins. For an empty series the limit cuts it, and what that leaves out is named."""
        timeframe = target.key.timeframe
        since = None if self._since is None else timeframe.floor(self._since)
        if (known_from := target.coverage.known_from) is not None:
            return (known_from if since is None else min(since, known_from)), []
        if since is not None and self._limit is None:
            return since, []
        newest = timeframe.floor(ending - 1 if ending else self._clock.now())
        begin = timeframe.shift(newest, 1 - (self._limit or DEFAULT_LIMIT))
        if since is None or since >= begin:
            return begin if since is None else since, []
        return begin, [Span(since, begin, SpanState.NOT_COLLECTED)]

    async def _skip_empty(self, target: Target, start: int, end: int, known: list[Span]) -> int:
        """Where the rows of a missing range begin (its end: nowhere): nobody pages through years before a listing or after a last trade."""
        first_ever = self._since is not None and not target.coverage.stored_before(start + 1)
        if not first_ever and end <= self._after_a_piece(target, start):
            return start
        answer = await self._source.candles(PageRequest(series=target.key, start=start, limit=1))
        if not answer.rows:
            return end
        if not self._all_sound(target, answer) or (opened := min(answer.candles[0].open_time, end)) <= start:
            return start
        listed = target.coverage.stored_before(start)
        known.append(Span(start, opened, SpanState.OUTAGE if listed else await self.state_before(target.key, start)))
        return opened

    async def _ending(self, target: Target) -> int | None:
        """The end of the newest candle of a series that does not trade now; None when that does not matter, or its last row cannot be used."""
        status = target.key.instrument.status
        if status is Status.TRADING or (status is Status.HALTED and target.coverage.known_from is not None):
            return None
        newest = await self._source.candles(PageRequest(series=target.key, limit=1))
        if not newest.rows:
            return 0
        return newest.candles[-1].close_time + 1 if self._all_sound(target, newest) else None

    def _all_sound(self, target: Target, answer: Answer) -> bool:
        """Whether there are rows and all of them can be used: one senseless time would mark years of the coverage."""
        good, _ = accept(answer.candles, target.key.timeframe, start=0, end=self._clock.now() + 1)
        return 0 < answer.rows == len(good)

    def _cut(self, target: Target, start: int, end: int) -> Iterator[Piece]:
        first = not target.coverage.stored_before(start)
        while start < end:
            stop = min(end, self._after_a_piece(target, start))
            yield Piece(start, stop, first)
            start, first = stop, False

    def _after_a_piece(self, target: Target, start: int) -> int:
        timeframe = target.key.timeframe
        return timeframe.shift(timeframe.floor(start), self._source.page_limit * _PAGES_IN_A_PIECE)
