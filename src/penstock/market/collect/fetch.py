"""Fetching a piece of a series: ask page after page, check the rows, say what the answers prove.

The last row of a page is read again with the next page: a row is final when a later one is in the
same answer. A short page says nothing about what follows it, so the exchange is asked from the
other side whether anything does.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import partial
from itertools import dropwhile
from operator import attrgetter
from typing import TYPE_CHECKING

from penstock.errors import SourceUnavailableError
from penstock.market.candle import end_of
from penstock.market.collect.coverage import Look, Span, SpanState
from penstock.market.collect.page import CandlePage
from penstock.market.collect.plan import contradiction, nothing_but, opening, twice
from penstock.market.source import PageRequest, Quiet
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.market.candle import Candle, Rejected
    from penstock.market.collect.ask import Asker, Reading
    from penstock.market.collect.page import SeriesTarget
    from penstock.market.collect.plan import Piece
    from penstock.market.timeframe import Timeframe

# The last closed candles of a series are read again whenever what follows them is asked for.
READ_AGAIN = 3
# The question reaches beyond the end of a piece: a row there makes the last one of the piece final.
BEYOND = 2
# Only a page at least this fraction full shows how many rows the server sends at most.
_LEAST_FULL = 10
_NO_END = 2**62

_open_time = attrgetter("open_time")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the next question of a piece starts; all before `at` is answered.

    `anchored`: a row before `at` has to come again.
    """

    at: int
    start: int
    anchored: bool


class PieceFetcher:
    """Turns pieces into pages; a candle can be final `grace_ms` after its close."""

    def __init__(self, asker: Asker, *, grace_ms: int) -> None:
        self._asker = asker
        self._declared = asker.declared
        self._page_limit = asker.declared.page_limit
        self._grace_ms = grace_ms
        # Some servers never send as many rows as they are asked for; lowered when that shows.
        self._full = self._page_limit

    async def pages(self, target: SeriesTarget, piece: Piece) -> AsyncIterator[CandlePage]:
        """The pages of the piece in order of time; raises what the source raises."""
        place = self._first_place(target, piece)
        first = piece.first
        while True:
            reading, more = await twice(partial(self._read, target, piece, place))
            followed = not more and await self._followed(target, piece, reading)
            yield await self._page(
                target, piece, place, reading, first=first, more=more, followed=followed
            )
            if not more:
                return
            last = reading.opens[-1]
            place, first = _Place(last, last, anchored=True), False

    def _first_place(self, target: SeriesTarget, piece: Piece) -> _Place:
        longest = target.key.timeframe.longest_ms
        stored = target.coverage.stored_before(piece.start)
        if stored is not None and stored.end >= piece.start:
            # A different request each time, as far back as candles are stored.
            back = (READ_AGAIN + target.coverage.asked_at(piece.start)) * longest
            return _Place(piece.start, max(stored.start, piece.start - back), anchored=True)
        # A candle that opens earlier may reach into the piece.
        return _Place(piece.start, max(0, piece.start - longest + 1), anchored=False)

    async def _read(
        self, target: SeriesTarget, piece: Piece, place: _Place
    ) -> tuple[Reading, bool]:
        """An answer to the rest of the piece, and whether more of it follows."""
        beyond = self._beyond(target, piece)
        known_before = max(place.at, place.start + 1) if place.anchored else None
        request = PageRequest(
            series=target.key, start=place.start, end=beyond, limit=self._page_limit
        )
        reading = await self._asker.read(request, known_before=known_before)
        last = max(reading.opens, default=None)
        if last is not None:
            full = reading.rows >= self._full and last > place.start
            if self._ends(target, piece, reading, last, full=full):
                return reading, False
            if full:
                return reading, True
        newest = await self._asker.newest_before(target.key, beyond)
        if newest == last or (newest is not None and last is None and newest < place.start):
            return reading, False
        if newest is None or last is None or newest < last or last <= place.start:
            what = f"the newest candle from {iso(place.start)} on opens {opening(last)}"
            raise contradiction(target, f"{what}, and also {opening(newest)}")
        if _LEAST_FULL * reading.rows >= self._page_limit:
            self._full = min(self._full, reading.rows)
        return reading, True

    @staticmethod
    def _beyond(target: SeriesTarget, piece: Piece) -> int | None:
        """The end of the question: farther each time, lest a cache answer the same request."""
        if piece.end is None:
            return None
        steps = BEYOND + target.coverage.asked_at(piece.start)
        return target.key.timeframe.shift(piece.end, steps)

    def _ends(
        self, target: SeriesTarget, piece: Piece, reading: Reading, last: int, *, full: bool
    ) -> bool:
        """Whether an answer reaches the end of the piece.

        It does with the running candle, with a row after the end, or with all rows up to it.
        """
        row = reading.good[-1] if reading.good and reading.good[-1].open_time == last else None
        end = (
            target.key.timeframe.shift(last, 1)
            if row is None
            else end_of(row, target.key.timeframe)
        )
        if piece.end is None:
            return end > reading.at
        return last >= piece.end or (end >= piece.end and not full)

    async def _followed(self, target: SeriesTarget, piece: Piece, reading: Reading) -> bool:
        """Whether another answer, without an end, has the last row of a piece and a later one.

        A hole may be longer than all pieces.
        """
        last = reading.good[-1] if reading.good else None
        if (
            piece.end is None
            or last is None
            or last.open_time < reading.opens[-1]
            or last.open_time >= piece.end
        ):
            return False
        if last.close_time >= reading.at - self._grace_ms:
            return False
        over = await self._asker.read(PageRequest(series=target.key, start=last.open_time, limit=2))
        return len(over.opens) > 1 and over.good[:1] == [last]

    async def _page(
        self,
        target: SeriesTarget,
        piece: Piece,
        place: _Place,
        reading: Reading,
        *,
        first: bool,
        more: bool,
        followed: bool,
    ) -> CandlePage:
        """What an answer gives to store, and what it proves."""
        if more and not reading.good:
            rows, reason = len(reading.bad), reading.bad[0].reason
            message = f"none of the {rows} rows from {iso(place.at)} on was valid: {reason}"
            raise SourceUnavailableError(message)
        timeframe = target.key.timeframe
        end = _NO_END if piece.end is None else piece.end
        last = reading.opens[-1] if more else end
        until = min(end, last)
        wanted = reading.good[: bisect_left(reading.good, until, key=_open_time)]
        if not place.anchored:
            wanted = list(dropwhile(lambda row: end_of(row, timeframe) <= piece.start, wanted))
        closed = self._closed(target, reading, wanted, followed=followed)
        found = _Found(timeframe, place.at, doubtful=reading.doubtful, quiet=self._declared.quiet)
        before = None
        opened = reading.opens[0] if reading.opens else place.at
        if first and not reading.doubtful and found.is_hole(place.at, min(opened, end)):
            before = await twice(partial(self._before_first, target, place.at, opened))
        # The running candle ends what can be said; a closed one that is not final yet is a gap.
        final_before = reading.at - self._grace_ms
        running = next(
            (row.open_time for row in wanted[closed:] if row.close_time >= final_before), end
        )
        spans = found.spans(
            wanted[:closed],
            reading.bad,
            before=before,
            until=min(end, last, running, timeframe.floor(final_before)),
        )
        bad = [row for row in reading.bad if not (more and row.open_time == last)]
        look = Look(reading.at, self._declared.name, older=before is SpanState.UNCONFIRMED)
        return CandlePage(
            target=target,
            candles=wanted,
            closed=closed,
            rejected=bad,
            spans=spans,
            look=look,
            last=not more,
        )

    def _closed(
        self, target: SeriesTarget, reading: Reading, wanted: Sequence[Candle], *, followed: bool
    ) -> int:
        """How many rows are final.

        Those are closed, with the grace over, and either a later row is in an answer with them or
        an earlier answer said the same.
        """
        if reading.closed_before is not None:
            return bisect_left(wanted, reading.closed_before, key=_open_time)
        final_before = reading.at - self._grace_ms
        newest = _NO_END if followed else max(reading.opens, default=0)
        count = len(wanted)
        while count and not (
            wanted[count - 1].close_time < final_before
            and (
                wanted[count - 1].open_time < newest
                or target.said_before(wanted[count - 1], reading.at)
            )
        ):
            count -= 1
        return count

    async def _before_first(self, target: SeriesTarget, start: int, opened: int) -> SpanState:
        """Why nothing precedes the first row of a series: it is the first ever, or not known."""
        before = await self._asker.newest_before(target.key, opened)
        if before is not None and before >= start:
            raise contradiction(target, nothing_but(start, opened, before))
        if before is not None:
            return SpanState.UNCONFIRMED
        if (first := await self._asker.oldest_from(target.key, 0)) != opened:
            what = f"nothing precedes its candle of {iso(opened)}, and its first opens"
            raise contradiction(target, f"{what} {opening(first)}")
        return SpanState.NOT_LISTED


class _Found:
    """What the rows of an answer say of the range from `start` on."""

    def __init__(self, timeframe: Timeframe, start: int, *, doubtful: bool, quiet: Quiet) -> None:
        self._timeframe = timeframe
        self._start = start
        # If rows were out of place, one of them may belong in the hole.
        self._hole = SpanState.REJECTED if doubtful else SpanState.UNCONFIRMED
        self._between = (
            SpanState.NO_TRADES if quiet is Quiet.ABSENT and not doubtful else self._hole
        )

    def is_hole(self, start: int, end: int) -> bool:
        """Whether a candle could open there."""
        return self._timeframe.opens_within(start, end)

    def spans(
        self,
        closed: Sequence[Candle],
        bad: Sequence[Rejected],
        *,
        before: SpanState | None,
        until: int,
    ) -> list[Span]:
        """Spans in order of time up to `until`; `before` is the known state of a leading hole."""
        spans: list[Span] = []
        # Rows that touch make one span, so that a page marks a few spans and not a thousand.
        begin = at = self._start
        joined: SpanState | None = None
        for opened, end, state in self._places(closed, bad, until):
            low = max(at, opened)
            if opened > at:
                spans += [Span(begin, at, joined)] if joined else []
                hole = self._hole if at == self._start else self._between
                between = (before or hole) if self.is_hole(at, opened) else state
                spans.append(Span(at, opened, between))
                begin, at, joined = opened, opened, None
            before = None
            if end <= low:
                continue
            if joined is not state:
                spans += [Span(begin, at, joined)] if joined else []
                begin, joined = low, state
            at = end
        spans += [Span(begin, at, joined)] if joined else []
        if self.is_hole(at, until):
            spans.append(Span(at, until, before or self._hole))
        return spans

    def _places(
        self, closed: Sequence[Candle], bad: Sequence[Rejected], until: int
    ) -> Sequence[tuple[int, int, SpanState]]:
        """Where rows are, in order; one that reaches into the range covers its beginning."""
        timeframe, start = self._timeframe, self._start
        opens = [row.open_time for row in closed]
        # The same as end_of: a call for each row would take a tenth of all the work on it.
        ends = [
            row.close_time + 1
            if row.close_time > row.open_time
            else timeframe.shift(row.open_time, 1)
            for row in closed
        ]
        refused = {
            row.open_time
            for row in bad
            if row.at_its_place and row.open_time is not None and start <= row.open_time < until
        }
        refused.difference_update(opens)
        if opens[1:] == ends[:-1]:
            # All of them touch, which is the rule.
            opens, ends = opens[:1], ends[-1:]
        places = [
            (opened, end, SpanState.STORED)
            for opened, end in zip(opens, ends, strict=True)
            if end > start
        ]
        if not refused:
            return places
        return sorted(
            [
                *places,
                *((opened, timeframe.shift(opened, 1), SpanState.REJECTED) for opened in refused),
            ]
        )
