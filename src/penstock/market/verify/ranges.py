"""The ranges to compare with the exchange: where something was found, and those drawn."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from penstock.market.collect.coverage import Coverage, SpanState
from penstock.market.collect.plan import cut
from penstock.market.collect.repeats import joined_on_pages
from penstock.market.verify.finding import FindingKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from penstock.market.timeframe import Timeframe
    from penstock.market.timeline import TimeRange
    from penstock.market.verify.finding import VerifyFinding
    from penstock.market.verify.report import SeriesReport
    from penstock.market.verify.stored import Stored


@dataclass(frozen=True, slots=True)
class Range:
    """A range of a series to compare."""

    report: SeriesReport
    start: int
    end: int

    @property
    def timeframe(self) -> Timeframe:
        """That of the series."""
        return self.report.stored.timeframe


def doubted(reports: Sequence[SeriesReport], limit: int) -> Iterator[Range]:
    """Where something was found, in the series itself and in the finer ones of a wrong sum."""
    findings = {report.stored.id: report.wrong_findings() for report in reports}
    for report in reports:
        for finer in report.finer:
            findings[finer.stored.id] += report.wrong_findings(FindingKind.SUMS)
    for report in reports:
        for start, end in joined_ranges(findings[report.stored.id], report.stored, limit):
            yield from _pieces(Range(report, start, end), limit)


def joined_ranges(
    findings: Iterable[VerifyFinding], stored: Stored, limit: int
) -> Iterator[TimeRange]:
    """The ranges of findings; those on one page are joined, as one request shows them."""
    step = stored.timeframe
    places = sorted(
        (at := step.floor(finding.start), max(finding.end, step.shift(at, 1)))
        for finding in findings
    )
    return joined_on_pages(places, step, limit)


def drawn(
    ranges: Sequence[Range], limit: int, *, sample: int | None, seed: int | None
) -> list[Range]:
    """All of the ranges in pieces, or a `sample` of their pages."""
    if sample is None:
        return [piece for part in ranges for piece in _pieces(part, limit)]
    candles = (part.timeframe.candles_within(part.start, part.end) for part in ranges)
    ends = list(accumulate(count // limit + 1 for count in candles))
    total = ends[-1] if ends else 0
    repeatable = random.Random(seed)  # noqa: S311 - nothing secret
    chosen = repeatable.sample(range(total), min(sample, total))
    return [page for number in sorted(chosen) if (page := _page(ranges, ends, number, limit))]


def _page(ranges: Sequence[Range], ends: Sequence[int], number: int, limit: int) -> Range | None:
    """The page with this number, of all pages of all ranges in order."""
    place = bisect_right(ends, number)
    part, step = ranges[place], ranges[place].timeframe
    first = step.floor(part.start)
    pages = number - (ends[place - 1] if place else 0)
    start = max(part.start, step.shift(first, pages * limit))
    end = min(part.end, step.shift(first, (pages + 1) * limit))
    return Range(part.report, start, end) if start < end else None


def _pieces(part: Range, limit: int) -> Iterator[Range]:
    for start, end in cut(part.start, part.end, part.timeframe, limit):
        yield Range(part.report, start, end)


def united(ranges: Sequence[Range], covering: Sequence[Range]) -> list[Range]:
    """The covering ranges and what of the others lies outside them: nothing is compared twice."""
    compared: defaultdict[int, Coverage] = defaultdict(Coverage)
    for part in covering:
        compared[part.report.stored.id].mark(part.start, part.end, SpanState.STORED)
    return [
        *covering,
        *(
            Range(part.report, start, end)
            for part in ranges
            for start, end in compared[part.report.stored.id].missing(part.start, part.end)
        ),
    ]
