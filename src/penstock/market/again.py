"""Which gaps an ordinary run asks for again: those that are due, the oldest first, by a tenth of the provider's limit at the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.market.coverage import SpanState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from penstock.market.coverage import Span
    from penstock.market.page import Target

# What is looked at again when its time has come; a failure is asked for again by each run.
LOOKED_AT_AGAIN = frozenset({SpanState.UNCONFIRMED, SpanState.OUTAGE, SpanState.REJECTED, SpanState.NOT_LISTED})
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


async def choose_due(targets: Sequence[Target], now: int, *, page_limit: int, repeats: Repeats) -> None:
    """Say on each target which of its gaps are looked at again in this run; those on the page of its newest candles cost no request."""
    requests: list[_Request] = []
    for target in targets:
        due = due_gaps(target, now)
        newest_page = target.key.timeframe.shift(target.key.timeframe.floor(now), -(page_limit // 2))
        target.due = {span.start for span in due if span.start >= newest_page}
        requests += _requests(target, [span for span in due if span.start < newest_page], page_limit)
    requests.sort(key=lambda request: request.due)
    for request in requests[: await repeats.take(len(requests)) if requests else 0]:
        request.target.due |= {span.start for span in request.gaps}


def due_gaps(target: Target, now: int) -> list[Span]:
    """The gaps of a series that are to be looked at again, in order."""
    return [span for span in target.coverage if span.state in LOOKED_AT_AGAIN and span.is_due(now)]


def _requests(target: Target, gaps: Sequence[Span], page_limit: int) -> Iterator[_Request]:
    held: list[Span] = []
    for gap in gaps:
        if held and gap.end > target.key.timeframe.shift(held[0].start, page_limit // 2):
            yield _request(target, held)
            held = []
        held.append(gap)
    if held:
        yield _request(target, held)


def _request(target: Target, gaps: list[Span]) -> _Request:
    return _Request(min((span.evidence.due or 0) if span.evidence else 0 for span in gaps), target, gaps)
