"""What is stored against what the exchange has: value by value, as exact decimals.

Pages are asked for as a collection does, with the same rules for which answers count; only rows that are final are compared. Times are ms.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from penstock.errors import SourceError
from penstock.market.collect.coverage import Coverage
from penstock.market.collect.page import Target
from penstock.market.collect.plan import Piece
from penstock.market.source import PageRequest
from penstock.market.verify.finding import Finding, Kind
from penstock.market.verify.stored import ROWS, rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from penstock.collection.reader import Reader
    from penstock.market.candle import Candle
    from penstock.market.collect.ask import Asker
    from penstock.market.collect.fetch import PieceFetcher
    from penstock.market.collect.page import CandlePage
    from penstock.market.verify.report import SeriesReport
    from penstock.market.verify.stored import Stored

_EXACT = ("open", "high", "low", "close", "volume", "quote_volume", "taker_base", "taker_quote")
_WHOLE = ("close_time", "trades")
# A row that was not in an answer is asked for again from so many steps before it: by another request.
_BACK = 7


@dataclass(frozen=True, slots=True)
class Range:
    """A range of a series to compare."""

    report: SeriesReport
    start: int
    end: int


class Comparison:
    """Compares ranges, several at a time."""

    def __init__(
        self,
        asker: Asker,
        fetcher: PieceFetcher,
        reader: Reader,
        *,
        page_limit: int,
        concurrency: int,
    ) -> None:
        self._asker = asker
        self._fetcher = fetcher
        self._reader = reader
        self._page_limit = page_limit
        self._concurrency = concurrency

    async def compare(
        self, ranges: Sequence[Range], tick: Callable[[int], Awaitable[None]]
    ) -> None:
        """Add to the reports what differs. An exchange that does not answer fails a series, which its report says."""
        waiting = list(reversed(ranges))

        async def take() -> None:
            while waiting:
                wanted = waiting.pop()
                try:
                    await self._compare(wanted, tick)
                except SourceError as error:
                    wanted.report.error, wanted.report.error_code = str(error), error.code

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    group.create_task(take())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _compare(self, wanted: Range, tick: Callable[[int], Awaitable[None]]) -> None:
        one = wanted.report.one
        # Nothing is known of it here: what it is compared with must not lead the questions.
        target = Target(one.key, one.id, Coverage())
        at = wanted.start
        async for page in self._fetcher.pages(target, Piece(wanted.start, wanted.end, first=False)):
            end = max((span.end for span in page.spans), default=at)
            await self._page(wanted.report, page, at, end)
            await tick(len(page.candles))
            at = max(at, end)

    async def _page(self, report: SeriesReport, page: CandlePage, start: int, end: int) -> None:
        theirs = {
            row.open_time: row
            for row in page.candles[: page.closed]
            if start <= row.open_time < end
        }
        refused = {row.open_time for row in page.rejected if row.at_its_place}
        missing: list[Candle] = []
        at = start
        while found := await self._reader.read(
            lambda connection, at=at: rows(connection, report.one, at, end)  # type: ignore[misc]
        ):
            for row, closed in found:
                there = theirs.pop(row.open_time, None)
                if not closed or row.open_time in refused:
                    continue
                if there is None:
                    missing.append(row)
                    continue
                report.compared += 1
                report.add(different(report.one, row, there))
            missing = await self._still_missing(report, missing)
            at = found[-1][0].open_time + 1
            if len(found) < ROWS:
                break
        step = report.one.key.timeframe
        # What the ledger says of them is wrong already; that the exchange has them is no second fault.
        told = [finding for _, finding in report.standing if finding.kind is Kind.MISSING]
        for row in theirs.values():
            if not any(finding.start <= row.open_time < finding.end for finding in told):
                report.add(
                    [
                        Finding(
                            Kind.MISSING_HERE,
                            row.open_time,
                            step.shift(row.open_time, 1),
                            there=row,
                        )
                    ]
                )

    async def _still_missing(self, report: SeriesReport, missing: Sequence[Candle]) -> list[Candle]:
        """Report the rows that another request does not show either; one answer proves nothing. None of them is left to ask for."""
        step, at = report.one.key.timeframe, 0
        while at < len(missing):
            start = max(0, step.shift(missing[at].open_time, -_BACK))
            end = step.shift(start, self._page_limit)
            asked = [row for row in missing[at:] if row.open_time < end]
            reading = await self._asker.read(
                PageRequest(series=report.one.key, start=start, end=end, limit=self._page_limit)
            )
            shown = {row.open_time: row for row in reading.good}
            for row in asked:
                if (there := shown.get(row.open_time)) is not None:
                    report.compared += 1
                    report.add(different(report.one, row, there))
                elif row.open_time not in reading.opens:
                    report.add(
                        [Finding(Kind.MISSING_THERE, row.open_time, step.shift(row.open_time, 1))]
                    )
            at += len(asked)
        return []


def different(one: Stored, held: Candle, there: Candle) -> list[Finding]:
    """What differs of a candle, as one finding; none if nothing does. `1.0` and `1.00` are the same."""
    unlike = [name for name in _WHOLE if getattr(held, name) != getattr(there, name)]
    unlike += [name for name in _EXACT if _differs(getattr(held, name), getattr(there, name))]
    if not unlike:
        return []
    detail = "; ".join(
        f"{name} {getattr(held, name)}, there {getattr(there, name)}" for name in unlike
    )
    return [
        Finding(
            Kind.DIFFERENT,
            held.open_time,
            one.key.timeframe.shift(held.open_time, 1),
            detail,
            there=there,
        )
    ]


def _differs(held: str | None, there: str | None) -> bool:
    if held == there:
        return False
    if held is None or there is None:
        return True
    try:
        return Decimal(held) != Decimal(there)
    except ArithmeticError:
        # What is stored is no number.
        return True
