"""The plan of a run: which pieces of a series to ask for, given what coverage lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from penstock.errors import SourceMisfitError
from penstock.market.candle import end_of
from penstock.market.collect.coverage import Span, SpanState
from penstock.market.collect.ranges import Ranges
from penstock.market.instrument import Status
from penstock.market.source import PageRequest
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from penstock.market.collect.ask import Asker
    from penstock.market.collect.page import SeriesTarget
    from penstock.market.collect.ranges import Wish
    from penstock.market.timeframe import Timeframe
    from penstock.market.timeline import TimeRange

T = TypeVar("T")

# A long range is cut, so that several pieces of one series are asked for at the same time.
PAGES_IN_A_PIECE = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A range to ask for; without an end it reaches to the running candle.

    `first`: nothing older of the series is stored.
    """

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

    def __init__(self, asker: Asker, wish: Wish, *, grace_ms: int) -> None:
        self._asker = asker
        self._now = asker.now
        self._wish = wish
        self._ranges = Ranges(asker.now, wish, asker.declared)
        self._declared = asker.declared
        self._grace_ms = grace_ms

    async def plan(self, target: SeriesTarget) -> Plan:
        """The missing ranges of the series, the oldest first unless the wish says otherwise."""
        delisted = target.key.instrument.status is Status.DELISTED
        ended = self._ranges.known_end(target)
        ending = await self._ending(target) if ended is None else ended
        last = ending if delisted else None
        horizon = self._ranges.horizon(target, last)
        ranges, known = self._ranges.missing(target, ending=ending, ended=last)
        running = target.timeframe.floor(self._now())
        if ended is None and last is not None and 0 < last < running:
            known.append(Span(last, running, SpanState.DELISTED))
        known += self._ranges.left_out(target)
        pieces: list[Piece] = []
        for start, end in ranges:
            pieces += self._cut(target, await self._first_row(target, start, end, known), end)
        if pieces and pieces[-1].end == horizon and horizon > self._now():
            pieces[-1] = replace(pieces[-1], end=None)
        return Plan(pieces[::-1] if self._wish.newest_first else pieces, known)

    def failed(self, target: SeriesTarget) -> list[Span]:
        """The ranges to mark as failed if the series cannot be planned: no older than usual."""
        timeframe = target.timeframe
        begin = target.known_from
        if begin is None:
            begin = self._ranges.newest(target)
        missing = target.coverage.missing(
            begin, timeframe.floor(self._now()), lambda span: span.state is SpanState.FAILED
        )
        return [Span(start, end, SpanState.FAILED) for start, end in missing]

    def settled_until(self, target: SeriesTarget) -> int:
        """Every candle that ends before this has closed, with its grace over."""
        return target.timeframe.floor(self._now() - self._grace_ms)

    async def _first_row(
        self, target: SeriesTarget, start: int, end: int, known: list[Span]
    ) -> int:
        try:
            return await twice(partial(self._located, target, start, end, known))
        except ContradictionError:
            raise
        except SourceMisfitError:
            # One bad row does not say where the others are: the pages will show them.
            return start

    async def _located(self, target: SeriesTarget, start: int, end: int, known: list[Span]) -> int:
        """Where the rows of a range begin (its end: nowhere).

        So that nobody pages through the years before a listing or after the last trade.
        """
        older = target.coverage.stored_before(start + 1)
        # An exchange that keeps only the newest candles cannot tell where a series began.
        if older is None and self._wish.since is not None and self._declared.history is None:
            return await self._listed(target, start, end, known)
        if end <= _after_a_piece(start, target.timeframe, self._declared.page_limit):
            return start
        opened = await self._asker.oldest_from(target.key, start)
        at = end if opened is None else min(opened, end)
        if at <= start:
            return start
        before = await newest_before_hole(self._asker, target, start, at)
        if gap_end := min(at, self.settled_until(target)):
            is_first = before is None and opened is not None
            state = SpanState.NOT_LISTED if is_first else SpanState.UNCONFIRMED
            known.append(Span(start, gap_end, state))
        return at

    async def _listed(self, target: SeriesTarget, start: int, end: int, known: list[Span]) -> int:
        """Where the rows of an empty series begin, by two direct questions.

        They ask for the first row ever, and for one before it.
        """
        first = await self._asker.oldest_from(target.key, 0)
        before = await self._asker.newest_before(target.key, first)
        if before is not None:
            what = f"its first candle opens {opening(first)}, and an older one at {iso(before)}"
            raise contradiction(target, what)
        if first is None:
            if start < (until := min(end, self.settled_until(target))):
                known.append(Span(start, until, SpanState.UNCONFIRMED))
            return end
        if first > start:
            known.append(Span(start, min(first, end), SpanState.NOT_LISTED))
        return min(max(first, start), end)

    async def _ending(self, target: SeriesTarget) -> int | None:
        """The end of the newest candle of a series that does not trade now.

        None when that does not matter, or its last row is not valid.
        """
        status = target.key.instrument.status
        if status is Status.TRADING or (status is Status.HALTED and target.known_from is not None):
            return None
        newest = await self._asker.read(PageRequest(series=target.key, limit=1))
        if not newest.opens:
            return 0
        return end_of(newest.good[-1], target.timeframe) if newest.good else None

    def _cut(self, target: SeriesTarget, start: int, end: int) -> Iterator[Piece]:
        first = target.coverage.stored_before(start + 1) is None
        for low, high in cut(start, end, target.timeframe, self._declared.page_limit):
            yield Piece(low, high, first and low == start)


def cut(start: int, end: int, timeframe: Timeframe, page_limit: int) -> Iterator[TimeRange]:
    """The pieces of a range."""
    while start < end:
        stop = min(end, _after_a_piece(start, timeframe, page_limit))
        yield start, stop
        start = stop


def _after_a_piece(start: int, timeframe: Timeframe, page_limit: int) -> int:
    return timeframe.shift(timeframe.floor(start), page_limit * PAGES_IN_A_PIECE)


async def twice(question: Callable[[], Awaitable[T]]) -> T:
    """The outcome of questions whose answers must agree; if they do not, it is asked again."""
    try:
        return await question()
    except ContradictionError:
        return await question()


class ContradictionError(SourceMisfitError):
    """Two answers of the exchange contradict each other."""


def opening(at: int | None) -> str:
    """Where a candle opens, in words."""
    return "nowhere" if at is None else f"at {iso(at)}"


async def newest_before_hole(
    asker: Asker, target: SeriesTarget, start: int, end: int
) -> int | None:
    """Where the newest candle before a range without rows opens (None: there is none).

    ContradictionError if it is in the range.
    """
    newest = await asker.newest_before(target.key, end)
    if newest is not None and newest >= start:
        nothing = f"it shows nothing from {iso(start)} to {iso(end)}"
        raise contradiction(target, f"{nothing}, and a candle that opens at {iso(newest)}")
    return newest


def contradiction(target: SeriesTarget, what: str) -> ContradictionError:
    """The error for two answers that cannot both be true."""
    message = f"{target.key}: the exchange contradicts itself: {what}. Nothing was marked by it."
    return ContradictionError(message)
