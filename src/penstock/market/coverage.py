"""Coverage: which ranges of a series are stored, and why the others are not.

A series' timeline is cut into spans that never overlap; each has one state. What no span names has not been asked for yet.
All ranges are half-open, in ms: `start ≤ t < end`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class SpanState(StrEnum):
    """What is known of a range; every state but STORED is the reason of a gap."""

    STORED = "stored"
    NOT_COLLECTED = "not_collected"
    FAILED = "failed"
    REJECTED = "rejected"
    OUTAGE = "outage"
    NOT_LISTED = "not_listed"
    DELISTED = "delisted"


# What the next run asks for again without being told to: a failure or a refused row may be gone by then.
RETRIED = frozenset({SpanState.FAILED, SpanState.REJECTED})
# What only an explicit range asks for.
LEFT_OUT = frozenset({SpanState.NOT_COLLECTED})
_NEVER_ASKED = LEFT_OUT | {SpanState.NOT_LISTED}


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A range in one state."""

    start: int
    end: int
    state: SpanState


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """What turns the recorded spans into the present ones: starts to delete, then spans to put in the place of those with the same start."""

    deleted: tuple[int, ...]
    put: tuple[Span, ...]


class Coverage:
    """The spans of one series, changed by its run and recorded with each flush."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans = sorted(spans)
        self._recorded = {span.start: span for span in self._spans}

    def __iter__(self) -> Iterator[Span]:
        """The spans in order of time."""
        return iter(self._spans)

    @property
    def known_from(self) -> int | None:
        """The start of the oldest span that was asked for."""
        return min((span.start for span in self._spans if span.state not in _NEVER_ASKED), default=None)

    def stored_before(self, at: int) -> bool:
        """Whether a candle that opens before `at` is stored."""
        return any(span.state is SpanState.STORED and span.start < at for span in self._spans)

    def mark(self, start: int, end: int, state: SpanState) -> None:
        """Give the whole range this state, whatever it was before."""
        if start >= end:
            return
        low, high = self._touching(start, end)
        left: list[Span] = []
        right: list[Span] = []
        for span in self._spans[low:high]:
            if span.state is state:
                start, end = min(start, span.start), max(end, span.end)
            else:
                if span.start < start:
                    left.append(Span(span.start, start, span.state))
                if span.end > end:
                    right.append(Span(end, span.end, span.state))
        self._spans[low:high] = [*left, Span(start, end, state), *right]

    def missing(self, start: int, end: int, again: frozenset[SpanState] = RETRIED) -> list[tuple[int, int]]:
        """The parts of the range that are in no span, or in one whose state is to be asked for again; in order, neighbours joined."""
        low, high = self._touching(start, end)
        ranges: list[tuple[int, int]] = []
        at = start
        for span in self._spans[low:high]:
            if span.state not in again:
                if span.start > at:
                    ranges.append((at, min(span.start, end)))
                at = max(at, span.end)
        if at < end:
            ranges.append((at, end))
        return ranges

    def changes(self) -> CoverageChange:
        """The difference to what was last recorded."""
        present = {span.start: span for span in self._spans}
        return CoverageChange(
            deleted=tuple(start for start in self._recorded if start not in present),
            put=tuple(span for start, span in present.items() if self._recorded.get(start) != span),
        )

    def recorded(self) -> None:
        """The present spans are in the database now."""
        self._recorded = {span.start: span for span in self._spans}

    def _touching(self, start: int, end: int) -> tuple[int, int]:
        """The slice of spans that overlap the range or border on it."""
        low = bisect_left(self._spans, start, key=lambda span: span.end)
        high = bisect_right(self._spans, end, key=lambda span: span.start)
        return low, max(low, high)
