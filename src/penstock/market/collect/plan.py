"""The plan of a run: which pieces of a series to ask for, from what coverage lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    from penstock.market.collect.page import Target
    from penstock.market.collect.ranges import Clock, Wish
    from penstock.market.source import Declaration

T = TypeVar("T")

# A piece is fetched page after page; a long range is cut so that several pieces of one series go side by side.
PAGES_IN_A_PIECE = 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A range to ask for; without an end it reaches to the candle that is running. `first`: nothing older of the series is known."""

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

    def __init__(
        self, asker: Asker, clock: Clock, wish: Wish, declared: Declaration, *, grace_ms: int
    ) -> None:
        self._asker = asker
        self._clock = clock
        self._wish = wish
        self._ranges = Ranges(clock, wish, declared)
        self._declared = declared
        self._grace_ms = grace_ms

    async def plan(self, target: Target) -> Plan:
        """The missing ranges of the series, the oldest first if nothing else is wished for."""
        delisted = target.key.instrument.status is Status.DELISTED
        ended = self._ranges.known_end(target)
        ending = await self._ending(target) if ended is None else ended
        horizon = self._ranges.horizon(target, ending if delisted else None)
        ranges, known = self._ranges.missing(
            target, ending=ending, ended=ending if delisted else None
        )
        if (
            delisted
            and ending is not None
            and ended is None
            and 0 < ending < (running := target.key.timeframe.floor(self._clock.now()))
        ):
            known.append(Span(ending, running, SpanState.DELISTED))
        known += self._ranges.left_out(target)
        pieces: list[Piece] = []
        for start, end in ranges:
            pieces += self._cut(target, await self._first_row(target, start, end, known), end)
        if pieces and pieces[-1].end == horizon and horizon > self._clock.now():
            pieces[-1] = replace(pieces[-1], end=None)
        return Plan(pieces[::-1] if self._wish.newest_first else pieces, known)

    def failed(self, target: Target) -> list[Span]:
        """What could not even be planned: what is asked for without being told to, nothing further back."""
        timeframe = target.key.timeframe
        begin = target.known_from
        if begin is None:
            begin = self._ranges.newest(target)
        missing = target.coverage.missing(
            begin, timeframe.floor(self._clock.now()), lambda span: span.state is SpanState.FAILED
        )
        return [Span(start, end, SpanState.FAILED) for start, end in missing]

    def settled_until(self, target: Target) -> int:
        """Before this every candle has closed and its grace is over."""
        return target.key.timeframe.floor(self._clock.now() - self._grace_ms)

    async def _first_row(self, target: Target, start: int, end: int, known: list[Span]) -> int:
        try:
            return await twice(lambda: self._located(target, start, end, known))
        except ContradictionError:
            raise
        except SourceMisfitError:
            # One row that does not fit says nothing of where the others are: the pages will show it.
            return start

    async def _located(self, target: Target, start: int, end: int, known: list[Span]) -> int:
        """Where the rows of a range begin (its end: nowhere): nobody pages through years before a listing or after a last trade."""
        older = target.coverage.stored_before(start + 1)
        # Of an exchange that keeps only the newest candles nobody can learn where a series began.
        if older is None and self._wish.since is not None and self._declared.history is None:
            return await self._listed(target, start, end, known)
        if end <= self._after_a_piece(target, start):
            return start
        opened = await self._asker.oldest_from(target.key, start)
        at = end if opened is None else min(opened, end)
        if at <= start:
            return start
        if (
            before := await self._asker.newest_before(target.key, at)
        ) is not None and before >= start:
            raise contradiction(
                target,
                f"it shows nothing from {iso(start)} to {iso(at)}, and a candle that opens at {iso(before)}",
            )
        if gap_end := min(at, self.settled_until(target)):
            known.append(
                Span(
                    start,
                    gap_end,
                    SpanState.NOT_LISTED
                    if before is None and opened is not None
                    else SpanState.UNCONFIRMED,
                )
            )
        return at

    async def _listed(self, target: Target, start: int, end: int, known: list[Span]) -> int:
        """Where the rows of a series begin of which nothing is stored, by two direct questions: the first row ever, and nothing before it."""
        first = await self._asker.oldest_from(target.key, 0)
        before = await self._asker.newest_before(target.key, first)
        if before is not None:
            raise contradiction(
                target,
                f"its first candle opens {opening(first)}, and an older one at {iso(before)}",
            )
        if first is None:
            if start < (until := min(end, self.settled_until(target))):
                known.append(Span(start, until, SpanState.UNCONFIRMED))
            return end
        if first > start:
            known.append(Span(start, min(first, end), SpanState.NOT_LISTED))
        return min(max(first, start), end)

    async def _ending(self, target: Target) -> int | None:
        """The end of the newest candle of a series that does not trade now; None when that does not matter, or its last row cannot be used."""
        status = target.key.instrument.status
        if status is Status.TRADING or (status is Status.HALTED and target.known_from is not None):
            return None
        newest = await self._asker.read(PageRequest(series=target.key, limit=1))
        if not newest.opens:
            return 0
        return end_of(newest.good[-1], target.key.timeframe) if newest.good else None

    def _cut(self, target: Target, start: int, end: int) -> Iterator[Piece]:
        first = target.coverage.stored_before(start + 1) is None
        while start < end:
            stop = min(end, self._after_a_piece(target, start))
            yield Piece(start, stop, first)
            start, first = stop, False

    def _after_a_piece(self, target: Target, start: int) -> int:
        timeframe = target.key.timeframe
        return timeframe.shift(timeframe.floor(start), self._declared.page_limit * PAGES_IN_A_PIECE)


async def twice(question: Callable[[], Awaitable[T]]) -> T:
    """The outcome of questions whose answers have to agree: put once more where they do not."""
    try:
        return await question()
    except ContradictionError:
        return await question()


class ContradictionError(SourceMisfitError):
    """Two answers of the exchange cannot both be true."""


def opening(at: int | None) -> str:
    """Where a candle opens, in words."""
    return "nowhere" if at is None else f"at {iso(at)}"


def contradiction(target: Target, what: str) -> ContradictionError:
    """The error, in words."""
    return ContradictionError(
        f"{target.key}: the exchange contradicts itself: {what}. Nothing was marked by it."
    )
