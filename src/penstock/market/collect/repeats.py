"""Which gaps an ordinary run asks for again: those that are due, the oldest first, by a tenth of the provider's limit at the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from penstock.market.collect.coverage import SpanState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from penstock.market.collect.coverage import Span
    from penstock.market.collect.page import Target
    from penstock.market.timeframe import Timeframe

T = TypeVar("T")

# What is looked at again when its time has come; a failure is asked for again by each run.
LOOKED_AT_AGAIN = frozenset(
    {SpanState.UNCONFIRMED, SpanState.OUTAGE, SpanState.REJECTED, SpanState.NOT_LISTED}
)
SHARE = 0.1


class Repeats(Protocol):
    """What all processes together may spend on gaps that were asked for before."""

    async def take(self, wanted: int) -> int:
        """How many of so many requests may be sent now; the others wait for a later run."""


class AllRepeats:
    """No bound: for who asks for a range by himself."""

    async def take(self, wanted: int) -> int:
        """See Repeats."""
        return wanted


@dataclass(frozen=True, slots=True)
class _Request:
    """Gaps of a series that one page shows."""

    due: int
    target: Target
    gaps: list[Span]


async def choose_due(
    targets: Sequence[Target], now: int, *, page_limit: int, repeats: Repeats
) -> None:
    """Say on each target which of its gaps are looked at again in this run; those on the page of its newest candles cost no request."""
    requests: list[_Request] = []
    for target in targets:
        due = due_gaps(target, now)
        newest_page = target.key.timeframe.shift(
            target.key.timeframe.floor(now), -(page_limit // 2)
        )
        target.due = {span.start for span in due if span.start >= newest_page}
        scattered = [span for span in due if span.start < newest_page]
        requests += [
            _request(target, gaps)
            for gaps in on_pages(scattered, _edges, target.key.timeframe, page_limit)
        ]
    requests.sort(key=lambda request: request.due)
    for request in requests[: await repeats.take(len(requests)) if requests else 0]:
        request.target.due |= {span.start for span in request.gaps}


def due_gaps(target: Target, now: int) -> list[Span]:
    """The gaps of a series that are to be looked at again, in order."""
    return [span for span in target.coverage if span.state in LOOKED_AT_AGAIN and span.is_due(now)]


def on_pages(
    found: Iterable[T], edges: Callable[[T], tuple[int, int]], timeframe: Timeframe, page_limit: int
) -> Iterator[list[T]]:
    """What one request shows together, of things in order that have such `edges`: those that lie within half a page of the first."""
    held: list[T] = []
    for one in found:
        if held and edges(one)[1] > timeframe.shift(edges(held[0])[0], page_limit // 2):
            yield held
            held = []
        held.append(one)
    if held:
        yield held


def _edges(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _request(target: Target, gaps: list[Span]) -> _Request:
    return _Request(
        min((span.evidence.due or 0) if span.evidence else 0 for span in gaps), target, gaps
    )
