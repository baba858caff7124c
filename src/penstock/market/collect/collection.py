"""The work of one collection: ask for what coverage lacks, check it, write it.

A series that fails does not stop the others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from penstock.errors import SourceError, SourceRefusedError
from penstock.market.collect.ask import Asker
from penstock.market.collect.clock import ExchangeClock
from penstock.market.collect.coverage import Span, SpanState
from penstock.market.collect.fetch import PieceFetcher
from penstock.market.collect.flush import Flusher
from penstock.market.collect.log import CollectionLog
from penstock.market.collect.page import CandleFlush, CandlePage
from penstock.market.collect.plan import Planner
from penstock.market.collect.progress import Tally
from penstock.market.collect.repeats import AllRepeats, choose_due
from penstock.market.collect.result import result_of
from penstock.runs.context import Shown
from penstock.runs.run import Counters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from penstock.http.governor import Wait
    from penstock.market.collect.coverage import Look
    from penstock.market.collect.page import CandleStore, SeriesTarget
    from penstock.market.collect.plan import Piece
    from penstock.market.collect.ranges import Wish
    from penstock.market.collect.repeats import Repeats
    from penstock.market.collect.result import CollectResult
    from penstock.market.instrument import SeriesKey
    from penstock.market.source import MarketSource
    from penstock.runs.context import RunContext

_log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOptions:
    """How to collect; docs/settings.md says what each option means to a user.

    A wait is shown when it outlasts `look_at_waits_s`, so that short ones are not.
    """

    grace_ms: int = 3_000
    concurrency: int = 10
    flush_rows: int = 10_000
    flush_s: float = 0.25
    look_at_waits_s: float = 1.0


class Collection:
    """The work of one run over a source and a store."""

    _tally: Tally
    _log: CollectionLog

    def __init__(
        self,
        source: MarketSource,
        store: CandleStore,
        context: RunContext,
        options: CollectOptions,
        repeats: Repeats | None = None,
        shown: Callable[[Shown], Shown] = lambda shown: shown,
    ) -> None:
        self._source = source
        self._store = store
        self._context = context
        self._shown = shown
        self._options = options
        self._repeats = repeats or AllRepeats()
        self._clock = ExchangeClock(source)
        self._asker = Asker(source, self._clock)
        self._fetcher = PieceFetcher(self._asker, grace_ms=options.grace_ms)
        self._flusher = Flusher[CandlePage](
            self._write, max_rows=options.flush_rows, max_wait_s=options.flush_s
        )
        self._work: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._counters = Counters()
        self._sent_before = context.run.requests.sent
        self._message = ""
        self._shown_wait: Wait | None = None
        self._clock_noted = False
        self._begun = 0

    async def collect(self, series: Sequence[SeriesKey], wish: Wish) -> CollectResult:
        """Collect every series; RunFailedError if all fail. An error of the store ends the run."""
        targets = await self._store.open_series(self._context, series)
        self._tally = Tally(len(targets), self._asker.declared.name)
        self._log = CollectionLog(self._context.run.notes, targets)
        async with self._flusher:
            await self._fetch_all(targets, wish)
        requests = self._context.run.requests.sent - self._sent_before
        counted = self._counters + Counters(requests=requests)
        return result_of(targets, counted, asked_since=self._begun)

    async def _fetch_all(self, targets: Sequence[SeriesTarget], wish: Wish) -> None:
        """Ask for everything, beside a task that shows waits: the first question may wait."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._show_waits())]
                await self._queue(targets, wish)
                workers = range(self._options.concurrency)
                tasks += [group.create_task(self._take_work()) for _ in workers]
                await self._work.join()
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as failed:
            # When the flusher fails, all workers fail with its error.
            raise failed.exceptions[0] from None

    async def _queue(self, targets: Sequence[SeriesTarget], wish: Wish) -> None:
        """Look at the exchange's clock, and queue the planning of each series."""
        await self._clock.sync()
        self._begun = self._clock.now()
        await choose_due(
            targets,
            self._begun,
            page_limit=self._asker.declared.page_limit,
            repeats=self._repeats,
        )
        planner = Planner(self._asker, wish, grace_ms=self._options.grace_ms)
        for target in targets:
            self._work.put_nowait(partial(self._plan, target, planner))

    async def _take_work(self) -> None:
        while True:
            work = await self._work.get()
            await work()
            self._work.task_done()

    async def _show_waits(self) -> None:
        """Show what the run waits for when a wait outlasts a moment."""
        while True:
            await asyncio.sleep(self._options.look_at_waits_s)
            wait = self._source.waiting()
            if wait != self._shown_wait:
                self._shown_wait = wait
                await self._context.show(self._shown(self._progress(wait)))

    def _progress(self, wait: Wait | None) -> Shown:
        work = self._tally.work(wait)
        message = (
            f"Waiting for {work.waiting_for} ({self._tally.finished})"
            if work.waiting_for
            else self._message
        )
        return Shown(self._tally.percent, message, work)

    async def _plan(self, target: SeriesTarget, planner: Planner) -> None:
        look = self._asker.look()
        try:
            plan = await planner.plan(target)
        except SourceError as error:
            self._tally.planned(target, (), look.at)
            await self._flusher.put(self._failed(target, planner.failed(target), look, error))
            return
        target.pieces_left = len(plan.pieces) or 1
        self._tally.planned(target, plan.pieces, look.at)
        if plan.known or not plan.pieces:
            await self._flusher.put(
                CandlePage(target=target, spans=plan.known, look=look, last=not plan.pieces)
            )
        for piece in plan.pieces:
            self._work.put_nowait(partial(self._fetch, target, piece))

    async def _fetch(self, target: SeriesTarget, piece: Piece) -> None:
        at = piece.start
        try:
            async for page in self._fetcher.pages(target, piece):
                await self._flusher.put(page)
                at = max([at, *(span.end for span in page.spans)])
        except SourceError as error:
            look = self._asker.look()
            end = target.timeframe.floor(look.at) if piece.end is None else piece.end
            spans = [Span(at, end, SpanState.FAILED)] if at < end else []
            await self._flusher.put(self._failed(target, spans, look, error))

    def _failed(
        self, target: SeriesTarget, spans: Sequence[Span], look: Look, error: SourceError
    ) -> CandlePage:
        """Mark ranges as failed, or as delisted if the exchange refuses a series it dropped."""
        instrument = target.key.instrument
        delisted = instrument.gone and isinstance(error, SourceRefusedError) and not error.blanket
        if delisted:
            message = f"{instrument.symbol} is no longer listed at {instrument.exchange}"
            error = SourceRefusedError(message)
            spans = _ended(target.known_until, spans)
        target.error = error
        return CandlePage(target=target, spans=spans, look=look, last=True, delisted=delisted)

    async def _write(self, pages: Sequence[CandlePage]) -> None:
        """Write one flush.

        Coverage is marked here and not before, so that it never claims rows of a later transaction.
        """
        ended = [page.target for page in pages if self._account(page)]
        touched = {page.target.series_id: page.target.coverage for page in pages}
        changes = [(series_id, coverage.changes()) for series_id, coverage in touched.items()]
        self._message = f"Collected data for {pages[-1].target.key} ({self._tally.finished})"
        # Once a run: how far two clocks are apart does not change within one.
        clock = None if self._clock_noted else (self._asker.declared.name, pages[0].look.at)
        # Pages that arrive while others wait must not hide the wait.
        wait = self._shown_wait if self._shown_wait == self._source.waiting() else None
        flush = CandleFlush(pages, changes, self._shown(self._progress(wait)), clock)
        flushed = await self._store.flush(self._context, flush)
        # The flush may have overwritten a wait that was shown meanwhile: then show it again.
        self._shown_wait = wait
        self._counters += flushed.counters
        self._log.ended(ended)
        self._clock_noted = True
        for coverage in touched.values():
            coverage.recorded()
        _log_flush(flushed.counters, ended)

    def _account(self, page: CandlePage) -> bool:
        """Count a page; gives whether its series is done."""
        target = page.target
        for span in page.spans:
            target.coverage.mark(span.start, span.end, span.state, page.look)
        target.candles += len(page)
        target.rejected += len(page.rejected)
        target.misaligned += target.timeframe.off_grid(
            [candle.open_time for candle in page.candles]
        )
        if page.last:
            target.pieces_left -= 1
        self._tally.account(page)
        done = page.last and not target.pieces_left
        if done:
            self._tally.ended(target)
        return done


def _log_flush(written: Counters, ended: Sequence[SeriesTarget]) -> None:
    """Log a flush and the series that it completes."""
    _log.debug(
        "flush written",
        inserted=written.inserted,
        updated=written.updated,
        unchanged=written.unchanged,
        rejected=written.rejected,
    )
    for target in ended:
        log = _log.bind(series=str(target.key), candles=target.candles)
        if target.error is None:
            log.debug("series collected", rejected=target.rejected)
        else:
            log.debug("series failed", error=str(target.error))


def _ended(last: int, spans: Sequence[Span]) -> list[Span]:
    """Failed ranges of a delisted series: unknown before its last candle, delisted after it."""
    behind = [
        Span(max(span.start, last), span.end, SpanState.DELISTED)
        for span in spans
        if span.end > last
    ]
    return [replace(span, end=min(span.end, last)) for span in spans if span.start < last] + behind
