"""One market run: ask for what coverage says is missing, check it, write it; one failing series does not stop the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from penstock.core.flush import Flusher
from penstock.core.run import Counters
from penstock.errors import RetryableError, RunFailedError, RunUnavailableError, SourceError
from penstock.market.clock import ExchangeClock
from penstock.market.coverage import Coverage, Span, SpanState
from penstock.market.execution_logs import CollectionLog
from penstock.market.fetch import PieceFetcher
from penstock.market.page import CandleFlush, CandlePage, Target
from penstock.market.plan import Planner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from penstock.core.run import Run
    from penstock.market.instrument import SeriesKey
    from penstock.market.page import CandleStore
    from penstock.market.plan import Piece
    from penstock.market.source import MarketSource

_log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectRequest:
    """What to collect. `limit` (newest candles) counts for a series that is still empty; `since` (ms) reaches back."""

    series: Sequence[SeriesKey]
    limit: int | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOptions:
    """How to collect: see `penstock.settings` for what each one means to a user."""

    grace_ms: int = 3_000
    concurrency: int = 10
    flush_rows: int = 10_000
    flush_s: float = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a flush; `done` and `total` count series."""

    done: int
    total: int
    counters: Counters
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectResult:
    """What a run did.

    `failures` maps a series to its error, `error_codes` counts those by their kind; `rejected` maps a series to its refused rows; misaligned
    candles are stored.
    """

    counters: Counters
    series: int
    failures: Mapping[str, str] = field(default_factory=dict)
    error_codes: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    misaligned: Mapping[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, object]:
        """See penstock.core.runner.Outcome."""
        return {
            "series": self.series,
            "failures": dict(self.failures),
            "error_codes": dict(self.error_codes),
            "rejected": dict(self.rejected),
            "misaligned": dict(self.misaligned),
        }


class Collection:
    """The work of one run over a source and a store."""

    def __init__(self, source: MarketSource, store: CandleStore, run: Run, options: CollectOptions, on_progress: Callable[[Progress], None]) -> None:
        self._source = source
        self._store = store
        self._run = run
        self._options = options
        self._on_progress = on_progress
        self._counters = Counters()
        self._log = CollectionLog(run.notes, ())
        self._done = 0
        self._total = 0

    async def collect(self, request: CollectRequest) -> CollectResult:
        """Collect every series. RunFailedError when all of them failed; an error of the store ends the run as it is."""
        opened = await self._store.open_series(request.series)
        targets = [Target(key, series_id, Coverage(spans)) for key, (series_id, spans) in zip(request.series, opened, strict=True)]
        self._total = len(targets)
        self._log = CollectionLog(self._run.notes, targets)
        async with Flusher[CandlePage](self._write, max_rows=self._options.flush_rows, max_wait_s=self._options.flush_s) as flusher:
            await self._fetch_all(targets, request, flusher)
        failures = {str(target.key): target.error for target in targets if target.error is not None}
        if failures and len(failures) == len(targets):
            raise _all_failed(failures)
        return CollectResult(
            counters=self._counters,
            series=len(targets),
            failures={series: str(error) for series, error in failures.items()},
            error_codes=Counter(error.code for error in failures.values()),
            rejected={str(target.key): target.rejected for target in targets if target.rejected},
            misaligned={str(target.key): target.misaligned for target in targets if target.misaligned},
        )

    async def _fetch_all(self, targets: Sequence[Target], request: CollectRequest, flusher: Flusher[CandlePage]) -> None:
        clock = ExchangeClock(self._source)
        await clock.sync()
        planner = Planner(self._source, clock, limit=request.limit, since=request.since)
        fetcher = PieceFetcher(self._source, clock, planner, grace_ms=self._options.grace_ms)
        work: asyncio.Queue[tuple[Target, Piece | None]] = asyncio.Queue()
        for target in targets:
            work.put_nowait((target, None))

        async def take() -> None:
            while True:
                target, piece = await work.get()
                if piece is None:
                    await self._plan(target, planner, work, flusher)
                else:
                    await self._fetch(target, piece, fetcher, clock, flusher)
                work.task_done()

        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(take()) for _ in range(self._options.concurrency)]
                await work.join()
                for worker in workers:
                    worker.cancel()
        except ExceptionGroup as failed:
            # Workers fail together when the flusher does, all for its one reason.
            raise failed.exceptions[0] from None

    async def _plan(self, target: Target, planner: Planner, work: asyncio.Queue[tuple[Target, Piece | None]], flusher: Flusher[CandlePage]) -> None:
        try:
            plan = await planner.plan(target)
        except SourceError as error:
            target.error = error
            await flusher.put(CandlePage(target=target, spans=planner.failed(target), last=True))
            return
        target.pieces_left = len(plan.pieces) or 1
        if plan.known or not plan.pieces:
            await flusher.put(CandlePage(target=target, spans=plan.known, last=not plan.pieces))
        for piece in plan.pieces:
            work.put_nowait((target, piece))

    async def _fetch(self, target: Target, piece: Piece, fetcher: PieceFetcher, clock: ExchangeClock, flusher: Flusher[CandlePage]) -> None:
        at = piece.start
        try:
            async for page in fetcher.pages(target, piece):
                await flusher.put(page)
                at = max([at, *(span.end for span in page.spans)])
        except SourceError as error:
            target.error = error
            end = target.key.timeframe.floor(clock.now()) if piece.end is None else piece.end
            failed = [Span(at, end, SpanState.FAILED)] if at < end else []
            await flusher.put(CandlePage(target=target, spans=failed, last=True))

    async def _write(self, pages: Sequence[CandlePage]) -> None:
        """One flush: coverage is marked here and not before, so that it never names rows that are not in the same transaction."""
        touched: dict[int, Coverage] = {}
        ended: list[Target] = []
        for page in pages:
            if self._account(page):
                ended.append(page.target)
            touched[page.target.series_id] = page.target.coverage
        changes = [(series_id, coverage.changes()) for series_id, coverage in touched.items()]
        requests = self._run.requests
        sent = requests.sent
        done = f"Collected data for {pages[-1].target.key} ({self._done}/{self._total})"
        flush = CandleFlush(pages, changes, requests.unrecorded, self._done * 100 // max(1, self._total), done)
        flushed = await self._store.flush(self._run, flush)
        self._counters += flushed.counters
        self._log.ended(ended)
        requests.recorded = sent
        for coverage in touched.values():
            coverage.recorded()
        _tell(pages, flushed.counters)
        self._on_progress(Progress(self._done, self._total, self._counters, done))

    def _account(self, page: CandlePage) -> bool:
        """Gives whether its series is done with it."""
        target = page.target
        for span in page.spans:
            target.coverage.mark(span.start, span.end, span.state)
        target.candles += len(page)
        target.rejected += len(page.rejected)
        target.misaligned += target.key.timeframe.off_grid(candle.open_time for candle in page.candles)
        if page.last:
            target.pieces_left -= 1
        done = page.last and not target.pieces_left
        self._done += done
        return done


def _tell(pages: Sequence[CandlePage], written: Counters) -> None:
    """Log a flush, and the series that are done with it."""
    _log.debug("flush written", inserted=written.inserted, updated=written.updated, unchanged=written.unchanged, rejected=written.rejected)
    for target in {page.target.series_id: page.target for page in pages if page.last}.values():
        if target.pieces_left:
            continue
        if target.error is None:
            _log.info("series collected", series=str(target.key), candles=target.candles, rejected=target.rejected)
        else:
            _log.info("series failed", series=str(target.key), candles=target.candles, error=str(target.error))


def _all_failed(failures: Mapping[str, SourceError]) -> RunFailedError | RunUnavailableError:
    series, first = next(iter(failures.items()))
    message = f"every series failed; {series}: {first}"
    may_pass = any(isinstance(error, RetryableError) for error in failures.values())
    return RunUnavailableError(message) if may_pass else RunFailedError(message)
