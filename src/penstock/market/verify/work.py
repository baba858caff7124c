"""The work of a verify run: check the stored data, compare it, mend it, and check again.

Times are ms.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from penstock.errors import SourceError, StopError
from penstock.market.collect.ask import Asker
from penstock.market.collect.clock import ExchangeClock
from penstock.market.collect.collection import Collection
from penstock.market.collect.page import CandleFlush, CandlePage
from penstock.market.collect.ranges import Wish
from penstock.market.verify.compare import Comparer, difference
from penstock.market.verify.finding import FindingKind, Standing
from penstock.market.verify.parallel import for_each
from penstock.market.verify.ranges import (
    Range,
    doubted,
    drawn,
    joined_ranges,
    united,
)
from penstock.market.verify.report import SeriesReport, VerifyResult
from penstock.market.verify.stored import rows, wanted_ranges
from penstock.market.verify.sums import SumsWalk, link_finer
from penstock.market.verify.walk import SeriesWalk, Walk
from penstock.runs.context import Shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from penstock.collection.reader import Reader
    from penstock.market.collect.collection import CollectOptions
    from penstock.market.collect.coverage import Look
    from penstock.market.collect.page import CandleStore
    from penstock.market.source import MarketSource
    from penstock.market.verify.finding import VerifyFinding
    from penstock.market.verify.order import VerifyOrder
    from penstock.market.verify.stored import Checks, Stored
    from penstock.runs.context import RunContext

_SHOWN_EVERY_S = 0.25
# The database has more than one processor, and others read at the same time.
_WALKS_AT_ONCE = 2
# If the exchange has the same values, these faults are its own.
_EXCHANGE_FAULTS = frozenset({FindingKind.SUMS, FindingKind.OFF_GRID})
_DIFFERENCES = FindingKind.DIFFERENT, FindingKind.MISSING_HERE, FindingKind.MISSING_THERE


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyParts:
    """What every verification works with."""

    reader: Reader
    checks: Checks
    store: CandleStore
    options: CollectOptions
    source_of: Callable[[str], Awaitable[MarketSource]]


class Verification:
    """The work of one run."""

    def __init__(
        self,
        context: RunContext,
        parts: VerifyParts,
        order: VerifyOrder,
        series: Sequence[Stored],
    ) -> None:
        self._context = context
        self._reader = parts.reader
        self._parts = parts
        self._order = order
        self._series = series
        # Each series is walked through twice, and what is asked for counts as much again.
        self._weight = sum(stored.weight for stored in series)
        self._progress = _Progress(context, self._weight * (2 + 2 * order.asks))

    async def verify(self) -> VerifyResult:
        """Check every series; one that fails does not stop the others."""
        reports = [SeriesReport(stored) for stored in self._series]
        link_finer(reports)
        checks, edges = self._parts.checks, self._order.edges
        await self._walk_all(Walk(checks, report, *edges) for report in reports)
        await self._walk_all(SumsWalk(checks, report, *edges) for report in reports if report.finer)
        self._progress.done = 2 * self._weight
        if self._order.asks:
            await self._ask(reports)
        return VerifyResult(reports, self._order)

    async def _walk_all(self, walks: Iterable[SeriesWalk]) -> None:
        await for_each(walks, self._walk, at_once=_WALKS_AT_ONCE)

    async def _walk(self, walk: SeriesWalk) -> None:
        report = walk.report
        while not walk.done:
            before = report.candles
            report.add(await self._reader.read(walk.part))
            await self._progress.add(report.candles - before, f"{walk.did} {report.stored.key}")

    async def _ask(self, reports: Sequence[SeriesReport]) -> None:
        for exchange, group in groupby(
            reports, lambda report: report.stored.key.instrument.exchange
        ):
            asked = list(group)
            source = await self._parts.source_of(exchange)
            clock = ExchangeClock(source)
            try:
                await clock.sync()
            except SourceError as error:
                for report in asked:
                    report.error = error
                continue
            asker = Asker(source, clock)
            await self._compare(asker, asked)
            if self._order.repair:
                for report in asked:
                    await self._repair(source, asker.look(), report)
            await self._settle(asked)

    async def _compare(self, asker: Asker, reports: Sequence[SeriesReport]) -> None:
        limit = asker.declared.page_limit
        ranges = list(doubted(reports, limit))
        if self._order.compares:
            wanted = await self._wanted(reports)
            pages = drawn(wanted, limit, sample=self._order.sample, seed=self._order.seed)
            ranges = united(ranges, pages)
        tick = partial(self._progress.add, message="Compared with the exchange")
        await Comparer(asker, self._reader, self._parts.options, tick).compare(ranges)

    async def _wanted(self, reports: Sequence[SeriesReport]) -> list[Range]:
        """The checked ranges that were requested: nothing else has to be stored."""
        found: list[Range] = []
        for report in reports:
            if report.edges is not None:
                start, end = report.edges
                wanted = partial(wanted_ranges, stored=report.stored, start=start, end=end)
                parts = await self._reader.read(wanted)
                found += [Range(report, start, end) for start, end in parts]
        return found

    async def _repair(self, source: MarketSource, look: Look, report: SeriesReport) -> None:
        """Collect the ranges that are wrong again, by the rules of any collection."""
        await self._forget(report, look)
        findings, store = report.wrong_findings(), self._parts.store
        shown = self._shown(f"Mended {report.stored.key}")
        for start, end in joined_ranges(findings, report.stored, source.declaration.page_limit):
            collection = Collection(source, store, self._context, self._parts.options, shown=shown)
            wish = Wish(since=start, until=end, recheck=True)
            try:
                await collection.collect([report.stored.key], wish)
            except (SourceError, StopError) as error:
                report.error = error

    def _shown(self, message: str) -> Callable[[Shown], Shown]:
        """What a collection shows that is part of this run: the whole run, and its own waits."""

        def shown(part: Shown) -> Shown:
            if part.work is not None and part.work.waiting_for is not None:
                return replace(part, percent=self._progress.percent)
            return Shown(self._progress.percent, message)

        return shown

    async def _forget(self, report: SeriesReport, look: Look) -> None:
        """Take missing rows back from the ledger: what the exchange answers now has to count."""
        missing = report.wrong_findings(FindingKind.MISSING)
        if not missing:
            return
        key = report.stored.key
        [target] = await self._parts.store.open_series(self._context, [key])
        for finding in missing:
            target.coverage.forget(finding.start, finding.end)
        changes = [(target.series_id, target.coverage.changes())]
        shown = Shown(self._progress.percent, f"Asking again for {key}")
        page = CandlePage(target=target, look=look)
        await self._parts.store.flush(self._context, CandleFlush([page], changes, shown))

    async def _settle(self, reports: Sequence[SeriesReport]) -> None:
        """Check the findings again: which are mended, and which the exchange has itself."""
        for report in reports:
            for finding in report.findings:
                parts = report.finer if finding.kind is FindingKind.SUMS else ()
                if not await self._is_still_wrong(report, finding):
                    report.settle(finding, Standing.MENDED)
                elif finding.kind in _EXCHANGE_FAULTS and all(
                    _agrees(concerned, finding) for concerned in (report, *parts)
                ):
                    report.settle(finding, Standing.TOLD)

    async def _is_still_wrong(self, report: SeriesReport, finding: VerifyFinding) -> bool:
        if finding.there is not None:
            at = finding.there.open_time
            held = await self._reader.read(
                partial(rows, stored=report.stored, start=at, end=at + 1)
            )
            return not held or bool(difference(held[0][0], finding.there))
        if finding.kind is FindingKind.MISSING_THERE:
            return True
        again = SeriesReport(report.stored, report.finer)
        kind = SumsWalk if finding.kind is FindingKind.SUMS else Walk
        walk = kind(self._parts.checks, again, finding.start, finding.end)
        while not walk.done:
            if any(found.kind is finding.kind for found in await self._reader.read(walk.part)):
                return True
        return False


class _Progress:
    """How far the run is, of a total in candles; shown not too often."""

    def __init__(self, context: RunContext, total: int) -> None:
        self._context = context
        self._total = max(1, total)
        self._shown_at = time.monotonic()
        self.done = 0

    @property
    def percent(self) -> int:
        """0 to 99: only the state of a run says that it has ended."""
        return min(99, self.done * 100 // self._total)

    async def add(self, candles: int, message: str) -> None:
        """Count more candles, and show it when it is time."""
        self.done += candles
        if time.monotonic() - self._shown_at >= _SHOWN_EVERY_S:
            await self._context.show(Shown(self.percent, message))
            self._shown_at = time.monotonic()


def _agrees(report: SeriesReport, finding: VerifyFinding) -> bool:
    """Whether the exchange answered for the range, with what is stored."""
    return report.error is None and not any(
        found.start < finding.end and found.end > finding.start
        for found in report.wrong_findings(*_DIFFERENCES)
    )
