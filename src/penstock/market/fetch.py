"""Fetching a piece of a series: ask page after page, check the rows, say what the answers prove."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.errors import SourceUnavailableError
from penstock.market.candle import Candle, accept
from penstock.market.coverage import Span, SpanState
from penstock.market.page import CandlePage
from penstock.market.source import PageRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.market.candle import Rejected
    from penstock.market.clock import ExchangeClock
    from penstock.market.page import Target
    from penstock.market.plan import Piece, Planner
    from penstock.market.source import Answer, MarketSource


class PieceFetcher:
    """Turns pieces into pages; `grace_ms` after its close a candle is final."""

    def __init__(self, source: MarketSource, clock: ExchangeClock, planner: Planner, *, grace_ms: int) -> None:
        self._source = source
        self._clock = clock
        self._planner = planner
        self._grace_ms = grace_ms

    async def pages(self, target: Target, piece: Piece) -> AsyncIterator[CandlePage]:
        """The pages of the piece in order of time; raises what the source raises."""
        at, first = piece.start, piece.first
        while True:
            # Taken before the request: what is closed by then is closed in the answer too.
            final_before = self._clock.now() - self._grace_ms
            answer = await self._source.candles(PageRequest(series=target.key, start=at, end=piece.end, limit=self._source.page_limit))
            good, bad = accept(answer.candles, target.key.timeframe, start=at, end=await self._end(piece, answer))
            rejected = [*answer.rejected, *bad]
            more = answer.rows >= self._source.page_limit
            if more and not good:
                message = f"none of the {answer.rows} rows from {at} on could be used: {rejected[0].reason}"
                raise SourceUnavailableError(message)
            closed = _closed(good, final_before)
            before = await self._planner.state_before(target.key, at) if first and good and good[0].open_time > at else SpanState.OUTAGE
            answered_to = await self._answered_to(target, piece, good, closed, more=more)
            # A refused row of the candle that is running is no gap: it is asked for again anyway.
            spans = spans_of(at, good[:closed], rejected, end=answered_to, until=target.key.timeframe.floor(final_before), before=before)
            yield CandlePage(target=target, candles=good, closed=closed, rejected=rejected, spans=spans, last=not more)
            if not more:
                return
            at, first = good[-1].close_time + 1, False

    async def _end(self, piece: Piece, answer: Answer) -> int:
        """Where the answer has to end: as asked, and never after the exchange's present."""
        newest = max((candle.open_time for candle in answer.candles[-2:]), default=0)
        if newest > self._clock.now() and (piece.end is None or newest < piece.end):
            await self._clock.sync()
        now = self._clock.now() + 1
        return now if piece.end is None else min(piece.end, now)

    async def _answered_to(self, target: Target, piece: Piece, good: Sequence[Candle], closed: int, *, more: bool) -> int | None:
        """Up to where the answer says all there is; None when that is just behind its last row."""
        if closed < len(good):
            return good[closed].open_time
        if more or piece.end is None:
            return None
        whole = closed > 0 and good[closed - 1].close_time + 1 >= piece.end
        return piece.end if whole or await self._planner.has_rows_from(target.key, piece.end) else None


def _closed(candles: Sequence[Candle], final_before: int) -> int:
    """How many rows are final; only the newest ones can be open."""
    count = len(candles)
    while count and candles[count - 1].close_time >= final_before:
        count -= 1
    return count


def spans_of(start: int, closed: Sequence[Candle], rejected: Sequence[Rejected], *, end: int | None, until: int, before: SpanState) -> list[Span]:
    """What closed rows say of the range they answer.

    They are stored; a hole between them is an outage of the exchange, whose evidence is the later row, or the place of a refused row.
    `before` is the state of a hole ahead of the first row; `end` is where the answer ends (None: behind the last row, good or refused);
    what a refused row says of its place counts before `until`.
    """
    hole = SpanState.REJECTED if rejected else SpanState.OUTAGE
    spans: list[Span] = []
    at = stored_from = start
    state = SpanState.REJECTED if rejected else before
    for candle in closed:
        if candle.open_time > at:
            spans += [Span(stored_from, at, SpanState.STORED), Span(at, candle.open_time, state)]
            stored_from = candle.open_time
        state = hole
        at = candle.close_time + 1
    spans.append(Span(stored_from, at, SpanState.STORED))
    if end is None:
        places = [row.open_time for row in rejected if row.reason in _AT_THEIR_PLACE and row.open_time is not None and row.open_time < until]
        end = max((place + 1 for place in places), default=at)
    spans.append(Span(at, end, state))
    return [span for span in spans if span.start < span.end]


# The open time of these says where the row belongs.
_AT_THEIR_PLACE = frozenset({"malformed", "negative", "not_a_number", "high_below_low", "bad_close_time"})
