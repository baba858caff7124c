"""What of a series is missing, by its coverage and a wish: no question is asked for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.errors import InvalidInputError
from penstock.market.collect.coverage import Span, SpanState
from penstock.market.collect.repeats import LOOKED_AT_AGAIN, on_pages
from penstock.market.instrument import Status
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.market.collect.page import Target
    from penstock.market.source import Declaration

DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run is to look at: the newest `limit` candles of a series that is still empty, what opens in `since ≤ t < until` (ms).

    `gaps`: also those that are not due. `recheck`: also what is stored or settled. `newest_ms`: of what is known, so much of the exchange's last
    time, all of it again. `newest_first`: a long range from its end on.
    """

    limit: int | None = None
    since: int | None = None
    until: int | None = None
    gaps: bool = False
    recheck: bool = False
    newest_ms: int | None = None
    newest_first: bool = False


def check_range(first: int | None, last: int | None, *, names: tuple[str, str]) -> None:
    """InvalidInputError for a range (ms) that begins in the future, or ends where it begins or ahead of that; `names` are those of its two fields."""
    begins, ends = names
    if first is not None and first > time.time() * 1000:
        message = f"{begins}: {iso(first)} lies in the future; give a time that has passed"
        raise InvalidInputError(message, field=begins)
    if first is not None and last is not None and last <= first:
        message = (
            f"{ends}: {iso(last)} does not lie after {begins}, {iso(first)}; give a later time"
        )
        raise InvalidInputError(message, field=ends)


class Clock(Protocol):
    """The exchange's time, ms."""

    def now(self) -> int:
        """Ms since the epoch."""


class Ranges:
    """The ranges that a wish means, in series of one source."""

    def __init__(self, clock: Clock, wish: Wish, declared: Declaration) -> None:
        self._clock = clock
        self._wish = wish
        self._page_limit = declared.page_limit
        self._history = declared.history

    def missing(
        self, target: Target, *, ending: int | None = None, ended: int | None = None
    ) -> tuple[list[tuple[int, int]], list[Span]]:
        """What is missing, as it is asked for; and what is known to be left out.

        `ending` is the end of the newest candle of an empty series, if that is known; nothing is asked for from where the series has `ended`.
        """
        if self._is_refused(target):
            return [], []
        begin, known = self._wanted(target, ending)
        horizon = self.horizon(target, ended)
        older = [(start, min(end, begin)) for start, end in target.due_before(min(begin, horizon))]
        ranges = target.coverage.missing(begin, horizon, lambda span: self._again(target, span))
        asked = list(self._joined(target, older + self._with_tail(target, ranges, horizon)))
        return self._in_reach(target, asked, known)

    def _in_reach(
        self, target: Target, ranges: list[tuple[int, int]], known: list[Span]
    ) -> tuple[list[tuple[int, int]], list[Span]]:
        """Without what is older than all that the exchange still has: nobody collected it, or it has come too late."""
        if self._history is None:
            return ranges, known
        timeframe = target.key.timeframe
        # One step less: what is the oldest now may be gone when the question arrives.
        oldest = max(0, timeframe.shift(timeframe.floor(self._clock.now()), 2 - self._history))
        gone = [(start, min(end, oldest)) for start, end in ranges if start < oldest]
        late = [
            Span(
                start,
                end,
                SpanState.FAILED
                if target.coverage.stored_before(start + 1)
                else SpanState.NOT_COLLECTED,
            )
            for start, end in gone
        ]
        return [(max(start, oldest), end) for start, end in ranges if end > oldest], known + late

    def _is_refused(self, target: Target) -> bool:
        """Whether the exchange neither lists the series any more nor is likely to answer for it: then it is asked only by who wants it."""
        wanted = self._wish.gaps or self._wish.recheck
        return target.key.instrument.gone and self.known_end(target) is not None and not wanted

    def left_out(self, target: Target) -> list[Span]:
        """What an end of the wish leaves out of a series that is collected for no other wish: from there to now, as far as nothing is known of it."""
        if self._wish.until is None or target.coverage.is_wanted:
            return []
        now = target.key.timeframe.floor(self._clock.now())
        unknown = (
            target.coverage.missing(self._wish.until, now, lambda _: False)
            if self._wish.until < now
            else []
        )
        return [Span(start, end, SpanState.NOT_COLLECTED) for start, end in unknown]

    def known_end(self, target: Target) -> int | None:
        """Where a series that is not listed any more has ended, if that is known."""
        return (
            target.coverage.delisted_from(self._clock.now())
            if target.key.instrument.status is Status.DELISTED
            else None
        )

    def horizon(self, target: Target, ended: int | None) -> int:
        """Where the wanted range ends: behind the candle that is running, if nothing else ends it."""
        timeframe = target.key.timeframe
        ends = (timeframe.shift(timeframe.floor(self._clock.now()), 1), self._wish.until, ended)
        return min(end for end in ends if end is not None)

    def newest(self, target: Target, ending: int | None = None) -> int:
        """Where the newest candles begin that an empty series begins with."""
        timeframe = target.key.timeframe
        end = min(
            at for at in (ending or self._clock.now() + 1, self._wish.until) if at is not None
        )
        newest = timeframe.floor(max(0, end - 1))
        return max(0, timeframe.shift(newest, 1 - (self._wish.limit or DEFAULT_LIMIT)))

    def _again(self, target: Target, span: Span) -> bool:
        """Whether a range whose state is known is to be asked for again."""
        if self._wish.recheck or self._wish.newest_ms is not None:
            return True
        match span.state:
            case SpanState.FAILED:
                return True
            case SpanState.NOT_COLLECTED:
                return self._wish.since is not None
            case SpanState.DELISTED:
                return target.key.instrument.status is not Status.DELISTED or span.is_due(
                    self._clock.now()
                )
            case SpanState.UNCONFIRMED | SpanState.REJECTED if self._wish.gaps:
                return True
            case _:
                return span.state in LOOKED_AT_AGAIN and span.start in target.due

    def _wanted(self, target: Target, ending: int | None) -> tuple[int, list[Span]]:
        """Where the wanted range begins. For an empty series the limit cuts it, and what that leaves out is named."""
        wish, timeframe = self._wish, target.key.timeframe
        since = None if wish.since is None else max(0, timeframe.floor(wish.since))
        if wish.recheck and since is not None:
            return since, []
        if (known_from := target.known_from) is not None:
            if wish.newest_ms is not None:
                return max(known_from, timeframe.floor(self._clock.now() - wish.newest_ms)), []
            return (known_from if since is None else min(since, known_from)), []
        if since is not None and wish.limit is None:
            return since, []
        begin = self.newest(target, ending)
        if since is None or since >= begin:
            return begin if since is None else since, []
        return begin, [Span(since, begin, SpanState.NOT_COLLECTED)]

    def _with_tail(
        self, target: Target, ranges: list[tuple[int, int]], horizon: int
    ) -> list[tuple[int, int]]:
        """With the last range from the last stored candle on: where nothing came so far, a page holds both, and shows what came since."""
        stored = (
            target.coverage.stored_before(ranges[-1][0])
            if ranges and ranges[-1][1] == horizon
            else None
        )
        # Where it is read again although it is stored, nothing is missing between.
        if (
            stored is None
            or stored.end > ranges[-1][0]
            or not self._all_wanted(target, stored.end, ranges[-1][0])
        ):
            return ranges
        return [(start, end) for start, end in ranges if end <= stored.end] + [
            (stored.end, horizon)
        ]

    @staticmethod
    def _all_wanted(target: Target, start: int, end: int) -> bool:
        """Whether nothing in a range was left out because nobody wanted it."""
        return start == end or target.coverage.missing(
            start, end, lambda span: span.state is not SpanState.NOT_COLLECTED
        ) == [(start, end)]

    def _joined(
        self, target: Target, ranges: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, int]]:
        """Ranges that lie on one page as one."""
        for together in on_pages(
            ranges, lambda edges: edges, target.key.timeframe, self._page_limit
        ):
            yield together[0][0], together[-1][1]
