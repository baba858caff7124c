"""What of a series is missing, by its coverage and a wish: no question is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.market.again import LOOKED_AT_AGAIN
from penstock.market.coverage import Span, SpanState
from penstock.market.instrument import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.market.page import Target

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


class Clock(Protocol):
    """The exchange's time, ms."""

    def now(self) -> int:
        """Ms since the epoch."""


class Ranges:
    """The ranges that a wish means, in series of one page limit."""

    def __init__(self, clock: Clock, wish: Wish, *, page_limit: int) -> None:
        self._clock = clock
        self._wish = wish
        self._page_limit = page_limit

    def missing(self, target: Target, *, ending: int | None = None, ended: int | None = None) -> tuple[list[tuple[int, int]], list[Span]]:
        """What is missing, as it is asked for; and what is known to be left out.

        `ending` is the end of the newest candle of an empty series, if that is known; nothing is asked for from where the series has `ended`.
        """
        begin, known = self._wanted(target, ending)
        horizon = self.horizon(target, ended)
        ranges = target.coverage.missing(begin, horizon, lambda span: self._again(target, span))
        return list(self._joined(target, self._with_tail(target, ranges, horizon))), known

    def known_end(self, target: Target) -> int | None:
        """Where a series that is not listed any more has ended, if that is known."""
        return target.coverage.delisted_from(self._clock.now()) if target.key.instrument.status is Status.DELISTED else None

    def horizon(self, target: Target, ended: int | None) -> int:
        """Where the wanted range ends: behind the candle that is running, if nothing else ends it."""
        timeframe = target.key.timeframe
        ends = (timeframe.shift(timeframe.floor(self._clock.now()), 1), self._wish.until, ended)
        return min(end for end in ends if end is not None)

    def newest(self, target: Target, ending: int | None = None) -> int:
        """Where the newest candles begin that an empty series begins with."""
        timeframe = target.key.timeframe
        newest = timeframe.floor(ending - 1 if ending else self._clock.now())
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
                return target.key.instrument.status is not Status.DELISTED
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
        if (known_from := target.coverage.known_from) is not None:
            if wish.newest_ms is not None:
                return max(known_from, timeframe.floor(self._clock.now() - wish.newest_ms)), []
            return (known_from if since is None else min(since, known_from)), []
        if since is not None and wish.limit is None:
            return since, []
        begin = self.newest(target, ending)
        if since is None or since >= begin:
            return begin if since is None else since, []
        return begin, [Span(since, begin, SpanState.NOT_COLLECTED)]

    def _with_tail(self, target: Target, ranges: list[tuple[int, int]], horizon: int) -> list[tuple[int, int]]:
        """With the last range from the last stored candle on: where nothing came so far, a page holds both, and shows what came since."""
        if ranges and ranges[-1][1] == horizon and (stored := target.coverage.stored_before(ranges[-1][0])):
            return [(start, end) for start, end in ranges if end <= stored.end] + [(stored.end, horizon)]
        return ranges

    def _joined(self, target: Target, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Ranges that lie on one page as one."""
        held: tuple[int, int] | None = None
        for start, end in ranges:
            if held and end <= target.key.timeframe.shift(held[0], self._page_limit // 2):
                held = held[0], end
                continue
            if held:
                yield held
            held = start, end
        if held:
            yield held
