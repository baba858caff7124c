"""What a series lacks, given its coverage and a wish; the exchange is not asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.errors import InvalidInputError
from penstock.market.collect.coverage import Span, SpanState
from penstock.market.collect.repeats import LOOKED_AT_AGAIN, joined_on_pages
from penstock.market.instrument import Status
from penstock.market.timeline import TimeRange, earliest
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Callable

    from penstock.market.collect.page import SeriesTarget
    from penstock.market.source import Declaration

DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run looks at: what opens in `since ≤ t < until` (ms).

    Of an empty series, the newest `limit` candles. `gaps`: also gaps that are not due. `recheck`:
    also what is stored or settled. `newest_ms`: everything known of that much of the exchange's
    last time. `newest_first`: long ranges from their end.
    """

    limit: int | None = None
    since: int | None = None
    until: int | None = None
    gaps: bool = False
    recheck: bool = False
    newest_ms: int | None = None
    newest_first: bool = False


def check_range(first: int | None, last: int | None, *, names: tuple[str, str]) -> None:
    """InvalidInputError for a range (ms) in the future, or one that ends before it begins.

    `names` are those of its two fields.
    """
    begins, ends = names
    if first is not None and first > time.time() * 1000:
        raise InvalidInputError(
            f"{begins}: {iso(first)} is in the future; give a past time", field=begins
        )
    if first is not None and last is not None and last <= first:
        raise InvalidInputError(
            f"{ends}: {iso(last)} is not after {begins}, {iso(first)}; give a later time",
            field=ends,
        )


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges that a wish means for series of one source; `now` is the exchange's time."""

    now: Callable[[], int]
    wish: Wish
    declared: Declaration

    def missing(
        self, target: SeriesTarget, *, ending: int | None = None, ended: int | None = None
    ) -> tuple[list[TimeRange], list[Span]]:
        """The missing ranges to ask for, and the spans that are left out.

        `ending` is the end of the newest candle of an empty series, if known. Nothing is asked for
        from where the series has `ended`.
        """
        if self._is_refused(target):
            return [], []
        since = None if self.wish.since is None else max(0, target.timeframe.floor(self.wish.since))
        begin = self._begin(target, since, ending)
        horizon = self.horizon(target, ended)
        # A backfill with a start is of its range alone.
        due = () if self.wish.gaps and since is not None else target.due
        older = [
            (span.start, min(span.end, begin))
            for span in target.coverage
            if span.start in due and span.start < min(begin, horizon)
        ]
        ranges = target.coverage.missing(begin, horizon, lambda span: self._again(target, span))
        ranges = older + self._with_tail(target, ranges, horizon)
        asked = list(joined_on_pages(ranges, target.timeframe, self.declared.page_limit))
        in_reach, left_out = self._in_reach(target, asked)
        if target.known_from is None and since is not None and since < begin:
            left_out.append(Span(since, begin, SpanState.NOT_COLLECTED))
        return in_reach, left_out

    def _in_reach(
        self, target: SeriesTarget, ranges: list[TimeRange]
    ) -> tuple[list[TimeRange], list[Span]]:
        """The ranges, without what the exchange no longer has: never collected, or lost."""
        history = self.declared.history
        if history is None:
            return ranges, []
        timeframe = target.timeframe
        # One step less: the oldest candle may be gone when the question arrives.
        oldest = max(0, timeframe.shift(timeframe.floor(self.now()), 2 - history))
        lost = []
        for start, end in ranges:
            if start < oldest:
                collected = target.coverage.stored_before(start + 1)
                state = SpanState.FAILED if collected else SpanState.NOT_COLLECTED
                lost.append(Span(start, min(end, oldest), state))
        return [(max(start, oldest), end) for start, end in ranges if end > oldest], lost

    def _is_refused(self, target: SeriesTarget) -> bool:
        """Whether to skip a series that the exchange dropped and will likely refuse.

        It is asked for only on demand.
        """
        wanted = self.wish.gaps or self.wish.recheck
        return target.key.instrument.gone and self.known_end(target) is not None and not wanted

    def left_out(self, target: SeriesTarget) -> list[Span]:
        """What the end of the wish leaves out of a series that nothing else collects.

        That is from there to now, as far as nothing is known of it.
        """
        if self.wish.until is None or target.coverage.is_wanted:
            return []
        now = target.timeframe.floor(self.now())
        if self.wish.until >= now:
            return []
        unknown = target.coverage.missing(self.wish.until, now)
        return [Span(start, end, SpanState.NOT_COLLECTED) for start, end in unknown]

    def known_end(self, target: SeriesTarget) -> int | None:
        """Where a delisted series has ended, if that is known."""
        if target.key.instrument.status is not Status.DELISTED:
            return None
        return target.coverage.delisted_from(self.now())

    def horizon(self, target: SeriesTarget, ended: int | None) -> int:
        """Where the wanted range ends: after the running candle, if nothing ends it earlier."""
        timeframe = target.timeframe
        after_running = timeframe.shift(timeframe.floor(self.now()), 1)
        return earliest(after_running, self.wish.until, ended)

    def newest(self, target: SeriesTarget, ending: int | None = None) -> int:
        """Where the newest candles begin, with which an empty series starts."""
        timeframe = target.timeframe
        end = earliest(ending or self.now() + 1, self.wish.until)
        newest = timeframe.floor(max(0, end - 1))
        return max(0, timeframe.shift(newest, 1 - (self.wish.limit or DEFAULT_LIMIT)))

    def _again(self, target: SeriesTarget, span: Span) -> bool:
        """Whether to ask again for a range whose state is known."""
        if self.wish.recheck or self.wish.newest_ms is not None:
            return True
        match span.state:
            case SpanState.FAILED:
                return True
            case SpanState.NOT_COLLECTED:
                return self.wish.since is not None
            case SpanState.DELISTED:
                relisted = target.key.instrument.status is not Status.DELISTED
                return relisted or span.is_due(self.now())
            case SpanState.UNCONFIRMED | SpanState.REJECTED if self.wish.gaps:
                return True
            case _:
                return span.state in LOOKED_AT_AGAIN and span.start in target.due

    def _begin(self, target: SeriesTarget, since: int | None, ending: int | None) -> int:
        """Where the wanted range begins."""
        wish, known_from = self.wish, target.known_from
        bounded = wish.recheck or wish.gaps or (known_from is None and wish.limit is None)
        if since is not None and bounded:
            return since
        if known_from is None:
            return max(since or 0, self.newest(target, ending))
        if wish.newest_ms is not None:
            return max(known_from, target.timeframe.floor(self.now() - wish.newest_ms))
        return known_from if since is None else min(since, known_from)

    def _with_tail(
        self, target: SeriesTarget, ranges: list[TimeRange], horizon: int
    ) -> list[TimeRange]:
        """The ranges, the last one from the last stored candle on.

        One page then holds both, and shows what came since in a range that was empty so far.
        """
        if not ranges or ranges[-1][1] != horizon:
            return ranges
        start = ranges[-1][0]
        stored = target.coverage.stored_before(start)
        # If stored candles are read again, nothing is missing between.
        if stored is None or stored.end > start or not self._is_wanted(target, stored.end, start):
            return ranges
        return [(low, high) for low, high in ranges if high <= stored.end] + [(stored.end, horizon)]

    @staticmethod
    def _is_wanted(target: SeriesTarget, start: int, end: int) -> bool:
        """Whether the whole range is known to be wanted, without any part that was left out."""
        wanted = target.coverage.missing(
            start, end, lambda span: span.state is not SpanState.NOT_COLLECTED
        )
        return start == end or wanted == [(start, end)]
