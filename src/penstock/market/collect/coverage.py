"""Coverage: which ranges of a series are stored, why the others are not, and on what evidence.

Spans cut the timeline of a series; they never overlap, and each has one state. A range without a
span has not been asked for yet. All ranges are half-open, in ms: `start ≤ t < end`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from penstock.market.collect.evidence import Evidence
from penstock.market.timeline import TimeRange, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class SpanState(StrEnum):
    """What is known of a range; all but the first three are reasons for a gap."""

    STORED = "stored"
    NO_TRADES = "no_trades"
    ARCHIVED = "archived"
    UNCONFIRMED = "unconfirmed"
    OUTAGE = "outage"
    FAILED = "failed"
    REJECTED = "rejected"
    NOT_COLLECTED = "not_collected"
    NOT_LISTED = "not_listed"
    DELISTED = "delisted"


# Ranges that need no evidence, and that no answer without rows takes back.
HELD = frozenset({SpanState.STORED, SpanState.NO_TRADES, SpanState.ARCHIVED})
# Ranges that nobody wanted or could have.
_NEVER_ASKED = frozenset({SpanState.NOT_COLLECTED, SpanState.NOT_LISTED})
# States to which another answer adds no evidence.
_UNASKED = HELD | {SpanState.NOT_COLLECTED}
# States that one answer settles; later ones only confirm it.
_SETTLED = frozenset({SpanState.OUTAGE, SpanState.NOT_LISTED, SpanState.DELISTED})


_start, _end = attrgetter("start"), attrgetter("end")


@dataclass(frozen=True, slots=True)
class Span:
    """A range in one state; a gap that was asked for has evidence."""

    start: int
    end: int
    state: SpanState
    evidence: Evidence | None = None

    def is_due(self, now: int) -> bool:
        """Whether to ask for a gap again. Without a usable answer so far, each run asks."""
        if (
            self.evidence is None
            or self.state is SpanState.FAILED
            or (self.state is SpanState.REJECTED and self.evidence.asked == 1)
        ):
            return True
        return self.evidence.is_due(now)

    def outside(self, start: int, end: int) -> list[Span]:
        """What of it is before a range, and after it."""
        parts = (self.start, min(self.end, start)), (max(self.start, end), self.end)
        return [Span(low, high, self.state, self.evidence) for low, high in parts if low < high]


@dataclass(frozen=True, slots=True)
class Look:
    """An answer: when it was asked, by the provider's clock, and of which source.

    `older`: it has also shown a candle before the range.
    """

    at: int
    source: str
    older: bool = False


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """What turns the recorded spans into the present ones.

    Starts of spans to delete, then spans to put in the place of those with the same start.
    """

    deleted: tuple[int, ...]
    put: tuple[Span, ...]


class Coverage:
    """The spans of one series, changed by its run and recorded with each flush."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans = sorted(spans, key=_start)
        # What was recorded at each start that has changed since (None: nothing).
        self._changed: dict[int, Span | None] = {}

    def __iter__(self) -> Iterator[Span]:
        """The spans in order of time."""
        return iter(self._spans)

    @property
    def known_from(self) -> int | None:
        """Where the oldest span that was asked for starts."""
        return next((span.start for span in self._spans if span.state not in _NEVER_ASKED), None)

    @property
    def stored_until(self) -> int:
        """Where the last stored span ends; 0 if there is none."""
        return next(
            (span.end for span in reversed(self._spans) if span.state is SpanState.STORED), 0
        )

    @property
    def is_wanted(self) -> bool:
        """Whether the next run collects what follows: the series has data, and no end was set."""
        return bool(self._spans) and self._spans[-1].state is not SpanState.NOT_COLLECTED

    def stored_before(self, at: int) -> Span | None:
        """The newest stored span that starts before `at`."""
        for place in range(bisect_left(self._spans, at, key=_start) - 1, -1, -1):
            if self._spans[place].state is SpanState.STORED:
                return self._spans[place]
        return None

    def delisted_from(self, now: int) -> int | None:
        """Where the series ends, if that is known and not due for another look."""
        last = self._spans[-1] if self._spans else None
        return (
            last.start
            if last and last.state is SpanState.DELISTED and not last.is_due(now)
            else None
        )

    def gaps_asked_since(self, at: int) -> Iterator[Span]:
        """The gaps that were asked for at this time or later."""
        return (
            span
            for span in self._spans
            if span.state not in HELD
            and span.evidence is not None
            and span.evidence.last_asked >= at
        )

    def unconfirmed_at(self, at: int) -> Evidence | None:
        """The evidence of an unconfirmed candle."""
        span = self._at(at)
        return span.evidence if span and span.state is SpanState.UNCONFIRMED else None

    def asked_at(self, at: int) -> int:
        """How often a gap was asked for."""
        span = self._at(at)
        return span.evidence.asked if span and span.evidence else 0

    def mark(self, start: int, end: int, state: SpanState, look: Look | None = None) -> None:
        """Record what an answer shows of a range.

        A known gap gets one more answer that agrees; what is stored stays stored.
        """
        older = look is not None and look.older
        for low, high, before in self._parts(start, end):
            found, evidence = _found(state, look, before)
            self._put(low, high, found, evidence)
            if found is SpanState.UNCONFIRMED:
                self._settle(low, older=older)

    def forget(self, start: int, end: int) -> None:
        """Remove what was wrongly recorded of a range, as if it had never been requested."""
        low, high = self._touching(start, end)
        kept = [span.outside(start, end) for span in self._spans[low:high]]
        self._replace(low, high, [*chain.from_iterable(kept)])

    def missing(
        self, start: int, end: int, again: Callable[[Span], bool] = lambda _: False
    ) -> list[TimeRange]:
        """The parts of the range without a span, or with a span to ask for `again`; joined."""
        return joined(
            (low, high)
            for low, high, before in self._parts(start, end)
            if before is None or again(before)
        )

    def changes(self) -> CoverageChange:
        """The difference from what was last recorded."""
        deleted: list[int] = []
        put: list[Span] = []
        for start, was in self._changed.items():
            place = bisect_left(self._spans, start, key=_start)
            span = self._spans[place] if place < len(self._spans) else None
            if span is None or span.start != start:
                deleted += [] if was is None else [start]
            elif span != was:
                put.append(span)
        return CoverageChange(tuple(deleted), tuple(put))

    def recorded(self) -> None:
        """The present spans are now in the database."""
        self._changed.clear()

    def _at(self, at: int) -> Span | None:
        [(_, _, span)] = self._parts(at, at + 1)
        return span

    def _parts(self, start: int, end: int) -> list[tuple[int, int, Span | None]]:
        """The range, cut where spans start or end, each part with its span."""
        low, high = self._touching(start, end)
        parts: list[tuple[int, int, Span | None]] = []
        at = start
        for span in self._spans[low:high]:
            if span.start > at:
                parts.append((at, span.start, None))
                at = span.start
            if span.end > at and at < end:
                parts.append((at, min(span.end, end), span))
                at = min(span.end, end)
        if at < end:
            parts.append((at, end, None))
        return parts

    def _put(self, start: int, end: int, state: SpanState, evidence: Evidence | None) -> None:
        """Give the whole range this state, regardless of earlier ones."""
        low, high = self._touching(start, end)
        present: list[Span] = []
        for span in self._spans[low:high]:
            outside = span.outside(start, end)
            if outside and span.state is state:
                start, end = min(start, span.start), max(end, span.end)
                evidence = _weaker(evidence, span.evidence)
            else:
                present += outside
        insort(present, Span(start, end, state, evidence), key=_start)
        self._replace(low, high, present)

    def _replace(self, low: int, high: int, present: Sequence[Span]) -> None:
        """Put spans in the place of a slice, and note what that changes."""
        for span in self._spans[low:high]:
            self._changed.setdefault(span.start, span)
        for span in present:
            self._changed.setdefault(span.start, None)
        self._spans[low:high] = present

    def _settle(self, at: int, *, older: bool) -> None:
        """Make a gap an outage if its evidence suffices and there are candles on both sides."""
        gap = self._at(at)
        if (
            gap is None
            or gap.evidence is None
            or not gap.evidence.confirms
            or self.stored_until <= gap.end
        ):
            return
        if older or self.stored_before(gap.start):
            self._put(gap.start, gap.end, SpanState.OUTAGE, gap.evidence.settled())

    def _touching(self, start: int, end: int) -> tuple[int, int]:
        """The slice of spans that overlap or touch the range."""
        low = bisect_left(self._spans, start, key=_end)
        high = bisect_right(self._spans, end, key=_start)
        return low, max(low, high)


def _found(
    state: SpanState, look: Look | None, before: Span | None
) -> tuple[SpanState, Evidence | None]:
    """What is known of a range after an answer that shows `state`, given the span before."""
    if before is not None and before.state in HELD and state not in HELD:
        return before.state, before.evidence
    if look is None or state in _UNASKED:
        return state, None
    known, was = (None, None) if before is None else (before.evidence, before.state)
    match state, was:
        case SpanState.FAILED, SpanState.FAILED | SpanState.NOT_COLLECTED | None:
            # Nothing was learnt: the next run asks again.
            return state, replace(_more(known, look), due=look.at)
        case SpanState.FAILED, SpanState():
            return was, known
        case SpanState.UNCONFIRMED, SpanState.OUTAGE:
            state = SpanState.OUTAGE
    evidence = _more(known if was is state else None, look)
    if state is SpanState.REJECTED and evidence.asked == 1:
        evidence = replace(evidence, due=look.at)
    # A row that is always refused does not become valid by asking for it every day.
    settled = state in _SETTLED or (state is SpanState.REJECTED and evidence.confirms)
    return state, evidence.settled() if settled else evidence


def _more(known: Evidence | None, look: Look) -> Evidence:
    return (
        Evidence.first(look.at, look.source) if known is None else known.again(look.at, look.source)
    )


def _weaker(first: Evidence | None, second: Evidence | None) -> Evidence | None:
    return None if first is None or second is None else first.weaker(second)
