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
        begin, known = self._wanted(target)
        if self._since is not None and not target.coverage.stored_before(begin + 1):
            begin = await self._skip_empty(target, begin, known)
        ending = await self._ending(target, known)
        again = RETRIED if self._since is None else RETRIED | LEFT_OUT
        if ending is None:
            again |= {SpanState.DELISTED}
        horizon = self._after_running(target) if ending is None else ending
        pieces = [piece for start, end in target.coverage.missing(begin, horizon, again) for piece in self._cut(target, start, end)]
        if pieces and ending is None and pieces[-1].end == horizon:
            pieces[-1] = replace(pieces[-1], end=None)
        return Plan(pieces, known)

    async def state_before(self, key: SeriesKey, start: int) -> SpanState:
        """Why there are no candles at `start`: the exchange was out, if it has older ones, else the instrument was not listed yet."""
        older = await self._source.candles(PageRequest(series=key, end=start, limit=1))
        return SpanState.OUTAGE if older.rows else SpanState.NOT_LISTED

    def _after_running(self, target: Target) -> int:
        timeframe = target.key.timeframe
        return timeframe.shift(timeframe.floor(self._clock.now()), 1)

    def _wanted(self, target: Target) -> tuple[int, list[Span]]:
        """Where the wanted range begins. For an empty series the limit cuts it, and what that leaves out is named."""
        timeframe = target.key.timeframe
        since = None if self._since is None else timeframe.floor(self._since)
        if (known_from := target.coverage.known_from) is not None:
            return (known_from if since is None else min(since, known_from)), []
        if since is not None and self._limit is None:
            return since, []
        begin = timeframe.shift(timeframe.floor(self._clock.now()), 1 - (self._limit or DEFAULT_LIMIT))
        if since is None or since >= begin:
            return begin if since is None else since, []
        return begin, [Span(since, begin, SpanState.NOT_COLLECTED)]

    async def _skip_empty(self, target: Target, begin: int, known: list[Span]) -> int:
        """Do not page through the years before the first candle."""
        first = await self._source.candles(PageRequest(series=target.key, start=begin, limit=1))
        if not self._all_sound(target, first) or (opened := first.candles[0].open_time) <= begin:
            return begin
        known.append(Span(begin, opened, await self.state_before(target.key, begin)))
        return opened

    async def _ending(self, target: Target, known: list[Span]) -> int | None:
        """The end of a series that no longer trades; None when it trades, or when its last row cannot be used."""
        if target.key.instrument.status is not Status.DELISTED:
            return None
        newest = await self._source.candles(PageRequest(series=target.key, limit=1))
        if not newest.rows:
            return 0
        if not self._all_sound(target, newest):
            return None
        ending = newest.candles[-1].close_time + 1
        if ending < (running := target.key.timeframe.floor(self._clock.now())):
            known.append(Span(ending, running, SpanState.DELISTED))
        return ending

    def _all_sound(self, target: Target, answer: Answer) -> bool:
        """Whether there are rows and all of them can be used: one senseless time would mark years of the coverage."""
        good, _ = accept(answer.candles, target.key.timeframe, start=0, end=self._clock.now() + 1)
        return 0 < answer.rows == len(good)

    def _cut(self, target: Target, start: int, end: int) -> Iterator[Piece]:
        timeframe = target.key.timeframe
        steps = self._source.page_limit * _PAGES_IN_A_PIECE
        first = not target.coverage.stored_before(start)
        while start < end:
            stop = min(end, timeframe.shift(timeframe.floor(start), steps))
            yield Piece(start, stop, first)
            start, first = stop, False
