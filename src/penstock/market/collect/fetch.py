"""Fetching a piece of a series: ask page after page, check the rows, say what the answers prove.

The last row of a page is read again with the next page: a row is final when a later one is in the
same answer. A short page says nothing about what follows it, so the exchange is asked from the
other side whether anything does.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import partial
from itertools import dropwhile, groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from penstock.errors import SourceUnavailableError
from penstock.market.candle import end_of
from penstock.market.collect.coverage import Look, Span, SpanState
from penstock.market.collect.page import CandlePage
from penstock.market.collect.plan import contradiction, newest_before_hole, opening, twice
from penstock.market.source import PageRequest, Quiet
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

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

# Where a range starts and ends, and what is known of it.
_Part: TypeAlias = tuple[int, int, SpanState]
_open_time = attrgetter("open_time")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the next question of a piece starts; all before `at` is answered.

    `anchored`: a row before `at` has to come again. `first`: nothing older of the series is stored.
    """

    at: int
    start: int
    anchored: bool
    first: bool = False


class _Holes(NamedTuple):
    """The states of ranges without rows: before the first row, between two, after the last."""

    leading: SpanState
    between: SpanState
    trailing: SpanState


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
        while True:
            reading, more = await twice(partial(self._read, target, piece, place))
            followed = not more and await self._followed(target, piece, reading)
            yield await self._page(target, piece, place, reading, more=more, followed=followed)
            if not more:
                return
            last = reading.opens[-1]
            place = _Place(last, last, anchored=True)

    def _first_place(self, target: SeriesTarget, piece: Piece) -> _Place:
        longest = target.timeframe.longest_ms
        stored = target.coverage.stored_before(piece.start)
        if stored is not None and stored.end >= piece.start:
            # A different request each time, as far back as candles are stored.
            back = (READ_AGAIN + target.coverage.asked_at(piece.start)) * longest
            start = max(stored.start, piece.start - back)
            return _Place(piece.start, start, anchored=True, first=piece.first)
        # A candle that opens earlier may reach into the piece.
        start = max(0, piece.start - longest + 1)
        return _Place(piece.start, start, anchored=False, first=piece.first)

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
        return target.timeframe.shift(piece.end, steps)

    def _ends(
        self, target: SeriesTarget, piece: Piece, reading: Reading, last: int, *, full: bool
    ) -> bool:
        """Whether an answer reaches the end of the piece.

        It does with the running candle, with a row after the end, or with all rows up to it.
        """
        row = reading.good[-1] if reading.good and reading.good[-1].open_time == last else None
        end = target.timeframe.shift(last, 1) if row is None else end_of(row, target.timeframe)
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
            or last.close_time >= reading.at - self._grace_ms
        ):
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
        more: bool,
        followed: bool,
    ) -> CandlePage:
        """What an answer gives to store, and what it proves."""
        if more and not reading.good:
            count, reason = len(reading.bad), reading.bad[0].reason
            raise SourceUnavailableError(
                f"none of the {count} rows from {iso(place.at)} on was valid: {reason}"
            )
        timeframe = target.timeframe
        end = _NO_END if piece.end is None else piece.end
        last = reading.opens[-1] if more else end
        rows = reading.good[: bisect_left(reading.good, min(end, last), key=_open_time)]
        if not place.anchored:
            rows = list(dropwhile(lambda row: end_of(row, timeframe) <= piece.start, rows))
        closed = self._closed(target, reading, rows, followed=followed)
        before = None
        opened = reading.opens[0] if reading.opens else place.at
        is_leading = place.first and timeframe.opens_within(place.at, min(opened, end))
        if is_leading and not reading.doubtful:
            before = await twice(partial(self._before_first, target, place.at, opened))
        # The running candle ends what can be said; a closed one that is not final yet is a gap.
        final_before = reading.at - self._grace_ms
        running = next(
            (row.open_time for row in rows[closed:] if row.close_time >= final_before), end
        )
        until = min(end, last, running, timeframe.floor(final_before))
        found = _rows(rows[:closed], reading.bad, timeframe, place.at, until)
        holes = self._holes(before, doubtful=reading.doubtful)
        return CandlePage(
            target=target,
            candles=rows,
            closed=closed,
            rejected=[row for row in reading.bad if not (more and row.open_time == last)],
            spans=_spans(_parts(found, timeframe, place.at, until, holes)),
            look=Look(reading.at, self._declared.name, older=before is SpanState.UNCONFIRMED),
            last=not more,
        )

    def _holes(self, before: SpanState | None, *, doubtful: bool) -> _Holes:
        """The states of holes; `before` is that of the first one, if it was asked for."""
        # If rows were out of place, one of them may belong in the hole.
        unknown = SpanState.REJECTED if doubtful else SpanState.UNCONFIRMED
        quiet = self._declared.quiet is Quiet.ABSENT and not doubtful
        return _Holes(before or unknown, SpanState.NO_TRADES if quiet else unknown, unknown)

    def _closed(
        self, target: SeriesTarget, reading: Reading, rows: Sequence[Candle], *, followed: bool
    ) -> int:
        """How many rows are final.

        Those are closed, with the grace over, and either a later row is in an answer with them or
        an earlier answer said the same.
        """
        if reading.closed_before is not None:
            return bisect_left(rows, reading.closed_before, key=_open_time)
        final_before = reading.at - self._grace_ms
        newest = _NO_END if followed else max(reading.opens, default=0)

        def is_final(row: Candle) -> bool:
            return row.close_time < final_before and (
                row.open_time < newest or target.said_before(row, reading.at)
            )

        counts = range(len(rows), 0, -1)
        return next((count for count in counts if is_final(rows[count - 1])), 0)

    async def _before_first(self, target: SeriesTarget, start: int, opened: int) -> SpanState:
        """Why nothing precedes the first row of a series: it is the first ever, or not known."""
        if await newest_before_hole(self._asker, target, start, opened) is not None:
            return SpanState.UNCONFIRMED
        if (first := await self._asker.oldest_from(target.key, 0)) != opened:
            what = f"nothing precedes its candle of {iso(opened)}, and its first opens"
            raise contradiction(target, f"{what} {opening(first)}")
        return SpanState.NOT_LISTED


def _parts(
    rows: Sequence[_Part], timeframe: Timeframe, start: int, until: int, holes: _Holes
) -> Iterator[_Part]:
    """The rows in order, and between them the holes in which a candle could open.

    Where none could, the next row has opened late: its range begins where the last one ends.
    """
    at, hole = start, holes.leading
    for opened, end, state in rows:
        if opened > at:
            yield at, opened, hole if timeframe.opens_within(at, opened) else state
        if end > at:
            yield max(at, opened), end, state
        at, hole = max(at, end), holes.between
    if timeframe.opens_within(at, until):
        yield at, until, holes.trailing if rows else holes.leading


def _spans(parts: Iterable[_Part]) -> list[Span]:
    """Spans of parts that touch, so that a page marks a few spans and not a thousand."""
    spans = []
    for state, group in groupby(parts, key=itemgetter(2)):
        together = list(group)
        spans.append(Span(together[0][0], together[-1][1], state))
    return spans


def _rows(
    closed: Sequence[Candle], bad: Sequence[Rejected], timeframe: Timeframe, start: int, until: int
) -> list[_Part]:
    """Where rows are, in order; one that reaches into the range covers its beginning."""
    opens = [row.open_time for row in closed]
    # The same as end_of: a call for each row would take a tenth of all the work on it.
    ends = [
        row.close_time + 1 if row.close_time > row.open_time else timeframe.shift(row.open_time, 1)
        for row in closed
    ]
    refused = {row.place for row in bad if row.place is not None and start <= row.place < until}
    refused.difference_update(opens)
    if opens[1:] == ends[:-1]:
        # All of them touch, which is the rule.
        opens, ends = opens[:1], ends[-1:]
    found = [
        (opened, end, SpanState.STORED)
        for opened, end in zip(opens, ends, strict=True)
        if end > start
    ]
    found += [(opened, timeframe.shift(opened, 1), SpanState.REJECTED) for opened in refused]
    return sorted(found)
