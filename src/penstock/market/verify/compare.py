"""What is stored against what the exchange has, value by value as exact decimals.

Pages are requested as in a collection, with the same rules for which answers count; only final
rows are compared. Times are ms.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from penstock.errors import SourceError
from penstock.market.candle import TEXTS
from penstock.market.collect.coverage import Coverage
from penstock.market.collect.fetch import PieceFetcher
from penstock.market.collect.page import SeriesTarget
from penstock.market.collect.plan import Piece
from penstock.market.source import PageRequest
from penstock.market.verify.finding import FindingKind, VerifyFinding
from penstock.market.verify.parallel import for_each
from penstock.market.verify.stored import ROWS, rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from penstock.collection.reader import Reader
    from penstock.market.candle import Candle
    from penstock.market.collect.ask import Asker
    from penstock.market.collect.collection import CollectOptions
    from penstock.market.collect.page import CandlePage
    from penstock.market.verify.ranges import Range
    from penstock.market.verify.report import SeriesReport

_WHOLE = ("close_time", "trades")
# A missing row is asked for again by a different request: from so many steps earlier.
_BACK = 7


class Comparer:
    """Compares ranges, several at the same time."""

    def __init__(
        self,
        asker: Asker,
        reader: Reader,
        options: CollectOptions,
        tick: Callable[[int], Awaitable[None]],
    ) -> None:
        self._asker = asker
        self._tick = tick
        self._fetcher = PieceFetcher(asker, grace_ms=options.grace_ms)
        self._reader = reader
        self._page_limit = asker.declared.page_limit
        self._concurrency = options.concurrency

    async def compare(self, ranges: Sequence[Range]) -> None:
        """Add the differences to the reports; an exchange that does not answer fails the series."""
        await for_each(ranges, self._compare, at_once=self._concurrency)

    async def _compare(self, part: Range) -> None:
        try:
            await self._compare_pages(part)
        except SourceError as error:
            part.report.error = error

    async def _compare_pages(self, part: Range) -> None:
        stored = part.report.stored
        # With empty coverage: what is stored must not influence the questions.
        target = SeriesTarget(stored.key, stored.id, Coverage())
        at = part.start
        async for page in self._fetcher.pages(target, Piece(part.start, part.end, first=False)):
            end = max((span.end for span in page.spans), default=at)
            await self._page(part.report, page, at, end)
            await self._tick(len(page.candles))
            at = max(at, end)

    async def _page(self, report: SeriesReport, page: CandlePage, start: int, end: int) -> None:
        theirs = {
            row.open_time: row
            for row in page.candles[: page.closed]
            if start <= row.open_time < end
        }
        refused = {row.place for row in page.rejected}
        at = start
        while found := await self._reader.read(
            partial(rows, stored=report.stored, start=at, end=end)
        ):
            missing: list[Candle] = []
            for row, closed in found:
                there = theirs.pop(row.open_time, None)
                if not closed or row.open_time in refused:
                    continue
                if there is None:
                    missing.append(row)
                else:
                    _compare_row(report, row, there)
            await self._check_missing(report, missing)
            at = found[-1][0].open_time + 1
            if len(found) < ROWS:
                break
        self._report_unstored(report, theirs.values())

    @staticmethod
    def _report_unstored(report: SeriesReport, theirs: Iterable[Candle]) -> None:
        """Report what only the exchange has, where the ledger is not known to be wrong already."""
        known = report.wrong_findings(FindingKind.MISSING)
        for row in theirs:
            if not any(finding.start <= row.open_time < finding.end for finding in known):
                _report(report, FindingKind.MISSING_HERE, row, there=row)

    async def _check_missing(self, report: SeriesReport, missing: Sequence[Candle]) -> None:
        """Report the rows that a second request does not show either: one answer proves nothing."""
        step, at = report.stored.timeframe, 0
        while at < len(missing):
            start = max(0, step.shift(missing[at].open_time, -_BACK))
            end = step.shift(start, self._page_limit)
            asked = [row for row in missing[at:] if row.open_time < end]
            reading = await self._asker.read(
                PageRequest(series=report.stored.key, start=start, end=end, limit=self._page_limit)
            )
            shown = {row.open_time: row for row in reading.good}
            for row in asked:
                if (there := shown.get(row.open_time)) is not None:
                    _compare_row(report, row, there)
                elif row.open_time not in reading.opens:
                    _report(report, FindingKind.MISSING_THERE, row)
            at += len(asked)


def _compare_row(report: SeriesReport, row: Candle, there: Candle) -> None:
    report.compared += 1
    if detail := difference(row, there):
        _report(report, FindingKind.DIFFERENT, row, detail, there=there)


def _report(
    report: SeriesReport,
    kind: FindingKind,
    row: Candle,
    detail: str = "",
    *,
    there: Candle | None = None,
) -> None:
    """Add a finding in one candle."""
    end = report.stored.timeframe.shift(row.open_time, 1)
    report.add([VerifyFinding(kind, row.open_time, end, detail, there=there)])


def difference(held: Candle, there: Candle) -> str:
    """What differs of a candle, in words; `1.0` and `1.00` are the same."""
    unlike = [name for name in _WHOLE if getattr(held, name) != getattr(there, name)]
    unlike += [name for name in TEXTS if _differs(getattr(held, name), getattr(there, name))]
    return "; ".join(
        f"{name} {getattr(held, name)}, exchange {getattr(there, name)}" for name in unlike
    )


def _differs(held: str | None, there: str | None) -> bool:
    if held == there:
        return False
    if held is None or there is None:
        return True
    try:
        return Decimal(held) != Decimal(there)
    except ArithmeticError:
        # The stored value is not a number.
        return True
