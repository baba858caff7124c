"""The work of a verify run: check what is stored by itself, compare it with the exchange, mend what differs, and look again.

Times are ms.
"""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from penstock.errors import SourceError, StopError
from penstock.market.collect.ask import Asker
from penstock.market.collect.clock import ExchangeClock
from penstock.market.collect.collection import Collection, CollectRequest
from penstock.market.collect.coverage import Coverage, Look
from penstock.market.collect.fetch import PieceFetcher
from penstock.market.collect.page import CandleFlush, CandlePage, CandleStore, Target
from penstock.market.collect.ranges import Wish
from penstock.market.collect.repeats import on_pages
from penstock.market.verify.compare import Comparison, Range, different
from penstock.market.verify.finding import Kind, Standing
from penstock.market.verify.report import SeriesReport, VerifyResult
from penstock.market.verify.stored import END_OF_TIME, rows, wanted_ranges
from penstock.market.verify.sums import SumsWalk, ladders
from penstock.market.verify.walk import Walk
from penstock.runs.context import Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from penstock.collection.reader import Reader
    from penstock.market.collect.collection import CollectOptions
    from penstock.market.source import MarketSource
    from penstock.market.verify.finding import Finding
    from penstock.market.verify.stored import Checks, Stored
    from penstock.runs.context import RunContext

# A range is compared piece by piece, so that several go side by side.
_PAGES_IN_A_PIECE = 20
_TOLD_EVERY_S = 0.25
_AT_ONCE = 2
# What the exchange has an answer to; the sums and places that it repeats are its own.
_ITS_OWN = frozenset({Kind.SUMS, Kind.OFF_GRID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What of each series, and how: `rest` compares all of it with the exchange, or so many pages of a `sample`; `repair` mends it."""

    start: int = 0
    end: int = END_OF_TIME
    rest: bool = False
    sample: int | None = None
    seed: int = 0
    repair: bool = False


class Verification:
    """The work of one run."""

    def __init__(
        self,
        context: RunContext,
        reader: Reader,
        checks: Checks,
        store: CandleStore,
        options: CollectOptions,
        source_of: Callable[[str], Awaitable[MarketSource]],
    ) -> None:
        self._context = context
        self._reader = reader
        self._checks = checks
        self._store = store
        self._options = options
        self._source_of = source_of
        self._progress = _Steps(context)

    async def verify(self, series: Sequence[Stored], wanted: Wanted) -> VerifyResult:
        """Check every series, and the others too when one of them fails."""
        reports = {one.id: SeriesReport(one) for one in series}
        asks = wanted.rest or wanted.repair
        weight = sum(one.weight for one in series)
        self._progress.expect(weight * (2 + 2 * asks))
        await self._walk_all(
            [(reports[one.id], Walk(self._checks, one, wanted.start, wanted.end)) for one in series]
        )
        ladders_up = _ladders(series)
        await self._walk_all(
            [
                (reports[one.id], SumsWalk(self._checks, one, finer, wanted.start, wanted.end))
                for one, finer in ladders_up
            ]
        )
        self._progress.done = weight * 2
        if asks:
            await self._ask(list(reports.values()), wanted)
        return VerifyResult(
            list(reports.values()),
            wanted.sample,
            wanted.seed,
            rest=wanted.rest,
            repair=wanted.repair,
        )

    async def _walk_all(self, walks: Iterable[tuple[SeriesReport, Walk | SumsWalk]]) -> None:
        """Two at a time: the database has more than one processor, and others read beside us."""
        left = iter(walks)

        async def take() -> None:
            for report, walk in left:
                await self._walk(report, walk)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(take())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _walk(self, report: SeriesReport, walk: Walk | SumsWalk) -> None:
        while not walk.done:
            report.add(await self._reader.read(walk.part))
            if isinstance(walk, Walk):
                await self._progress.add(walk.rows - report.candles, f"Checked {report.one.key}")
                report.candles, report.off_grid, report.first, report.last = (
                    walk.rows,
                    walk.off_grid,
                    walk.first,
                    walk.last,
                )
            else:
                await self._progress.add(0, f"Added up {report.one.key}")

    async def _ask(self, reports: Sequence[SeriesReport], wanted: Wanted) -> None:
        for exchange, group in groupby(
            reports, key=lambda report: report.one.key.instrument.exchange
        ):
            asked = list(group)
            source = await self._source_of(exchange)
            clock = ExchangeClock(source)
            try:
                await clock.sync()
            except SourceError as error:
                for report in asked:
                    report.error, report.error_code = str(error), error.code
                continue
            await self._compare(source, clock, asked, wanted)
            if wanted.repair:
                await self._repair(source, clock, asked)
            await self._settle(asked)

    async def _compare(
        self,
        source: MarketSource,
        clock: ExchangeClock,
        reports: Sequence[SeriesReport],
        wanted: Wanted,
    ) -> None:
        limit, grace_ms = source.declaration.page_limit, self._options.grace_ms
        asker = Asker(source, clock)
        fetcher = PieceFetcher(asker, source.declaration, grace_ms=grace_ms)
        comparison = Comparison(
            asker, fetcher, self._reader, page_limit=limit, concurrency=self._options.concurrency
        )
        ranges = list(_doubted(reports, limit))
        if wanted.rest:
            ranges = _without(ranges, _drawn(await self._wanted(reports), limit, wanted))

        async def tick(candles: int) -> None:
            await self._progress.add(candles, "Compared with the exchange")

        await comparison.compare(ranges, tick)

    async def _wanted(self, reports: Sequence[SeriesReport]) -> list[Range]:
        """What somebody has asked for, of what was checked: nothing else has to be here."""
        found: list[Range] = []
        for report in reports:
            if report.first is not None and report.last is not None:
                edges = report.one, report.first, report.last
                parts = await self._reader.read(
                    lambda connection, edges=edges: wanted_ranges(connection, *edges)  # type: ignore[misc]
                )
                found += [Range(report, start, end) for start, end in parts]
        return found

    async def _repair(
        self, source: MarketSource, clock: ExchangeClock, reports: Sequence[SeriesReport]
    ) -> None:
        """Collect again, by the rules of any collection, what something is wrong with."""
        for report in reports:
            await self._forget(report, Look(clock.now(), source.declaration.name))
            for start, end in _joined(
                [finding for _, finding in report.standing],
                report.one,
                source.declaration.page_limit,
            ):
                shown = self._shown(f"Mended {report.one.key}")
                collection = Collection(
                    source, self._store, self._context, self._options, shown=shown
                )
                wish = Wish(since=start, until=end, recheck=True)
                try:
                    await collection.collect(CollectRequest(series=[report.one.key], wish=wish))
                except (SourceError, StopError) as error:
                    report.error, report.error_code = str(error), error.code

    def _shown(self, message: str) -> Callable[[Shown], Shown]:
        """What a collection that is a part of this run shows: where the whole run is, and what it waits for."""

        def shown(part: Shown) -> Shown:
            waits = part.work is not None and part.work.waiting_for is not None
            return (
                replace(part, percent=self._progress.percent)
                if waits
                else Shown(self._progress.percent, message)
            )

        return shown

    async def _forget(self, report: SeriesReport, look: Look) -> None:
        """Take back from the ledger what it says of rows that are not there: what the exchange answers now has to count."""
        missing = [finding for _, finding in report.standing if finding.kind is Kind.MISSING]
        if not missing:
            return
        [opened] = await self._store.open_series(self._context, [report.one.key])
        target = Target(
            report.one.key, opened.series_id, Coverage(opened.spans), opened.newest_open
        )
        for finding in missing:
            target.coverage.forget(finding.start, finding.end)
        changes = [(opened.series_id, target.coverage.changes())]
        shown = Shown(self._progress.percent, f"Asking again for {report.one.key}")
        await self._store.flush(
            self._context, CandleFlush([CandlePage(target=target, look=look)], changes, shown)
        )

    async def _settle(self, reports: Sequence[SeriesReport]) -> None:
        """Look again at what was found: what is gone was mended, and what the exchange repeats is its own."""
        by_instrument: defaultdict[object, list[SeriesReport]] = defaultdict(list)
        for report in reports:
            by_instrument[report.one.key.instrument].append(report)
        for together in by_instrument.values():
            finer_of = {
                coarse.id: finer for coarse, finer in ladders(report.one for report in together)
            }
            by_id = {report.one.id: report for report in together}
            for report in together:
                finer = finer_of.get(report.one.id, ())
                for place, finding in list(report.standing):
                    concerned = [
                        report,
                        *(by_id[one.id] for one in finer if finding.kind is Kind.SUMS),
                    ]
                    if not await self._stands(report, finding, finer):
                        report.settle(place, Standing.MENDED)
                    elif finding.kind in _ITS_OWN and all(
                        _agrees(one, finding) for one in concerned
                    ):
                        report.settle(place, Standing.TOLD)

    async def _stands(
        self, report: SeriesReport, finding: Finding, finer: Sequence[Stored]
    ) -> bool:
        """Whether what was found is still so."""
        if finding.there is not None:
            there = finding.there
            held = await self._reader.read(
                lambda connection: rows(
                    connection, report.one, there.open_time, there.open_time + 1
                )
            )
            return not held or bool(different(report.one, held[0][0], there))
        if finding.kind is Kind.MISSING_THERE:
            return True
        walk: Walk | SumsWalk = Walk(self._checks, report.one, finding.start, finding.end)
        if finding.kind is Kind.SUMS:
            walk = SumsWalk(self._checks, report.one, finer, finding.start, finding.end)
        while not walk.done:
            if any(found.kind is finding.kind for found in await self._reader.read(walk.part)):
                return True
        return False


class _Steps:
    """How far the run is; told not too often."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._total = 1
        self._told_at = time.monotonic()
        self.done = 0

    def expect(self, total: int) -> None:
        """So much in all, in candles looked at."""
        self._total = max(1, total)

    @property
    def percent(self) -> int:
        """0 to 99: the end of the run is told by its state."""
        return min(99, self.done * 100 // self._total)

    async def add(self, candles: int, message: str) -> None:
        """So many more."""
        self.done += candles
        if time.monotonic() - self._told_at >= _TOLD_EVERY_S:
            await self._context.show(Shown(self.percent, message))
            self._told_at = time.monotonic()


def _ladders(series: Sequence[Stored]) -> Iterator[tuple[Stored, list[Stored]]]:
    """Those of each instrument."""
    by_instrument: defaultdict[object, list[Stored]] = defaultdict(list)
    for one in series:
        by_instrument[one.key.instrument].append(one)
    for together in by_instrument.values():
        yield from ladders(together)


def _agrees(report: SeriesReport, finding: Finding) -> bool:
    """Whether the exchange was asked for the range and has what is stored."""
    return report.error is None and not any(
        (found.kind in {Kind.DIFFERENT, Kind.MISSING_HERE, Kind.MISSING_THERE})
        and found.start < finding.end
        and found.end > finding.start
        for _, found in report.standing
    )


def _doubted(reports: Sequence[SeriesReport], limit: int) -> Iterator[Range]:
    """Where something was found, in the series itself and in those that it should add up with."""
    by_id = {report.one.id: report for report in reports}
    places: defaultdict[int, list[Finding]] = defaultdict(list)
    finer_of = {coarse.id: finer for coarse, finer in _ladders([report.one for report in reports])}
    for report in reports:
        for _, finding in report.standing:
            places[report.one.id].append(finding)
            if finding.kind is Kind.SUMS:
                for one in finer_of.get(report.one.id, ()):
                    places[one.id].append(finding)
    for series_id, findings in places.items():
        report = by_id[series_id]
        for start, end in _joined(findings, report.one, limit):
            yield from _pieces(report, start, end, limit)


def _joined(findings: Iterable[Finding], one: Stored, limit: int) -> Iterator[tuple[int, int]]:
    """The ranges of findings; those that lie on one page as one, as a collection shares its requests."""
    step = one.key.timeframe
    places = sorted(
        (at := step.floor(finding.start), max(finding.end, step.shift(at, 1)))
        for finding in findings
    )
    for together in on_pages(places, lambda edges: edges, step, limit):
        yield together[0][0], max(end for _, end in together)


def _drawn(ranges: Sequence[Range], limit: int, wanted: Wanted) -> list[Range]:
    """All of the ranges, or so many pages of them, drawn with the seed."""
    if wanted.sample is None:
        return [piece for one in ranges for piece in _pieces(one.report, one.start, one.end, limit)]
    counts = [
        one.report.one.key.timeframe.candles_within(one.start, one.end) // limit + 1
        for one in ranges
    ]
    ends = list(accumulate(counts))
    total = ends[-1] if ends else 0
    chosen = random.Random(wanted.seed).sample(range(total), min(wanted.sample, total))  # noqa: S311 - to be repeated, not to be secret
    return [page for number in sorted(chosen) if (page := _page(ranges, ends, number, limit))]


def _page(ranges: Sequence[Range], ends: Sequence[int], number: int, limit: int) -> Range | None:
    """The page of a number, of all pages of all ranges in order."""
    place = bisect_right(ends, number)
    one, step = ranges[place], ranges[place].report.one.key.timeframe
    behind = number - (ends[place - 1] if place else 0)
    start = max(one.start, step.shift(step.floor(one.start), behind * limit))
    end = min(one.end, step.shift(step.floor(one.start), (behind + 1) * limit))
    return Range(one.report, start, end) if start < end else None


def _pieces(report: SeriesReport, start: int, end: int, limit: int) -> Iterator[Range]:
    step = report.one.key.timeframe
    while start < end:
        stop = min(end, step.shift(step.floor(start), limit * _PAGES_IN_A_PIECE))
        yield Range(report, start, stop)
        start = stop


def _without(ranges: Sequence[Range], covering: Sequence[Range]) -> list[Range]:
    """The covering ranges, and what of the others lies outside of them: nothing is compared twice."""
    held: defaultdict[int, list[Range]] = defaultdict(list)
    for one in covering:
        held[one.report.one.id].append(one)
    rest: list[Range] = []
    for one in ranges:
        at = one.start
        for other in held[one.report.one.id]:
            if at < other.end and other.start < one.end:
                rest += [Range(one.report, at, other.start)] if at < other.start else []
                at = max(at, other.end)
        rest += [Range(one.report, at, one.end)] if at < one.end else []
    return [*covering, *rest]
