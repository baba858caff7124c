"""Which gaps an ordinary run asks for again.

Those that are due, the oldest first, for a tenth of the provider's limit at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from penstock.market.collect.coverage import SpanState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from penstock.market.collect.coverage import Span
    from penstock.market.collect.page import SeriesTarget
    from penstock.market.timeframe import Timeframe
    from penstock.market.timeline import TimeRange

# Asked for again when they are due; a failed range is asked for again by each run.
LOOKED_AT_AGAIN = frozenset(
    {SpanState.UNCONFIRMED, SpanState.OUTAGE, SpanState.REJECTED, SpanState.NOT_LISTED}
)
SHARE = 0.1


class Repeats(Protocol):
    """What all processes together may spend on gaps that were asked for before."""

    async def take(self, wanted: int) -> int:
        """How many of `wanted` requests may be sent now; the others wait for a later run."""


class AllRepeats:
    """No limit, for a range that a user asks for."""

    async def take(self, wanted: int) -> int:
        """All of them."""
        return wanted


@dataclass(frozen=True, slots=True)
class _Request:
    """Gaps of a series that one page shows, by their starts; `due` is when the first is due."""

    due: int
    target: SeriesTarget
    gaps: set[int]


async def choose_due(
    targets: Sequence[SeriesTarget], now: int, *, page_limit: int, repeats: Repeats
) -> None:
    """Set on each target the gaps that this run asks for again.

    Those on the page of its newest candles cost no request.
    """
    requests: list[_Request] = []
    for target in targets:
        step = target.timeframe
        due = {
            (span.start, span.end): (span.evidence.due or 0) if span.evidence else 0
            for span in due_gaps(target, now)
        }
        newest_page = step.shift(step.floor(now), -(page_limit // 2))
        target.due = {start for start, _ in due if start >= newest_page}
        scattered = [gap for gap in due if gap[0] < newest_page]
        for page in _on_pages(scattered, step, page_limit):
            first_due = min(due[gap] for gap in page)
            requests.append(_Request(first_due, target, {start for start, _ in page}))
    requests.sort(key=attrgetter("due"))
    for request in requests[: await repeats.take(len(requests)) if requests else 0]:
        request.target.due |= request.gaps


def due_gaps(target: SeriesTarget, now: int) -> list[Span]:
    """The gaps of a series that are due, in order."""
    return [span for span in target.coverage if span.state in LOOKED_AT_AGAIN and span.is_due(now)]


def _on_pages(
    ranges: Iterable[TimeRange], timeframe: Timeframe, page_limit: int
) -> Iterator[list[TimeRange]]:
    """Groups of the ordered ranges that one request shows: within half a page of the first."""
    page: list[TimeRange] = []
    for start, end in ranges:
        if page and end > timeframe.shift(page[0][0], page_limit // 2):
            yield page
            page = []
        page.append((start, end))
    if page:
        yield page


def joined_on_pages(
    ranges: Iterable[TimeRange], timeframe: Timeframe, page_limit: int
) -> Iterator[TimeRange]:
    """The ordered ranges, with those that one request shows as one."""
    for page in _on_pages(ranges, timeframe, page_limit):
        yield page[0][0], max(end for _, end in page)
