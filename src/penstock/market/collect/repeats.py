"""Which gaps an ordinary run asks for again.

Those that are due, the oldest first, for a tenth of the provider's limit at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol, TypeVar

from penstock.market.collect.coverage import SpanState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from penstock.market.collect.coverage import Span
    from penstock.market.collect.page import SeriesTarget
    from penstock.market.timeframe import Timeframe

T = TypeVar("T")

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
    """Gaps of a series that one page shows."""

    target: SeriesTarget
    gaps: list[Span]

    @property
    def due(self) -> int:
        """When the first of the gaps is due."""
        return min((span.evidence.due or 0) if span.evidence else 0 for span in self.gaps)


async def choose_due(
    targets: Sequence[SeriesTarget], now: int, *, page_limit: int, repeats: Repeats
) -> None:
    """Set on each target the gaps that this run asks for again.

    Those on the page of its newest candles cost no request.
    """
    requests: list[_Request] = []
    for target in targets:
        step, due = target.timeframe, due_gaps(target, now)
        newest_page = step.shift(step.floor(now), -(page_limit // 2))
        target.due = {span.start for span in due if span.start >= newest_page}
        scattered = [span for span in due if span.start < newest_page]
        pages = on_pages(scattered, attrgetter("start", "end"), step, page_limit)
        requests += [_Request(target, page) for page in pages]
    requests.sort(key=attrgetter("due"))
    for request in requests[: await repeats.take(len(requests)) if requests else 0]:
        request.target.due |= {span.start for span in request.gaps}


def due_gaps(target: SeriesTarget, now: int) -> list[Span]:
    """The gaps of a series that are due, in order."""
    return [span for span in target.coverage if span.state in LOOKED_AT_AGAIN and span.is_due(now)]


def on_pages(
    found: Iterable[T], edges: Callable[[T], tuple[int, int]], timeframe: Timeframe, page_limit: int
) -> Iterator[list[T]]:
    """Groups of things that one request shows: they end within half a page of the first's start.

    The things are in order, and have `edges`.
    """
    page: list[T] = []
    for item in found:
        if page and edges(item)[1] > timeframe.shift(edges(page[0])[0], page_limit // 2):
            yield page
            page = []
        page.append(item)
    if page:
        yield page


def joined_on_pages(
    ranges: Iterable[tuple[int, int]], timeframe: Timeframe, page_limit: int
) -> Iterator[tuple[int, int]]:
    """The ordered ranges, with those that one request shows as one."""
    for page in on_pages(ranges, lambda edges: edges, timeframe, page_limit):
        yield page[0][0], max(end for _, end in page)
