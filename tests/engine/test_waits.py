"""A collection shows what it waits for, only while it waits; its watcher ends with the run."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from penstock.errors import FencedError, RunUnavailableError, StoreUnavailableError
from penstock.http.governor import Wait, WaitReason
from penstock.market.collect.collection import Collection, CollectOptions
from penstock.market.collect.ranges import Wish
from penstock.runs.context import RunContext
from tests.engine.engines import PATIENCE_S
from tests.listed_source import ListedSource
from tests.market_builders import MINUTE, ORIGIN, Opened, candles, key, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from penstock.market.collect.page import CandleFlush, Flushed, SeriesTarget
    from penstock.market.instrument import SeriesKey
    from penstock.market.source import PageAnswer, PageRequest
    from penstock.runs.context import Shown
    from penstock.runs.run import Run, Work

_CANDLES = 40
_UNTIL = 1_800_000_000.0
_LIMIT, _TOLD = Wait(_UNTIL, WaitReason.LIMIT), Wait(_UNTIL + 60, WaitReason.PAUSED)
_OFTEN_S = 0.01


@dataclass
class WaitingSource(ListedSource):
    """A source that waits as long as a test wants; each full page needs a permit."""

    wait: Wait | None = None
    permits: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    looked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    clock_permit: asyncio.Event = field(default_factory=asyncio.Event)

    def waiting(self) -> Wait | None:
        self.looked.release()
        return self.wait

    async def server_time(self) -> int:
        await self.clock_permit.wait()
        return self.now

    async def candles(self, request: PageRequest) -> PageAnswer:
        if request.limit == self.page_limit:
            await self.permits.acquire()
        return await super().candles(request)

    async def was_looked_at(self) -> None:
        """Wait for two looks from now on: the first one may have begun earlier."""
        while not self.looked.locked():
            await self.looked.acquire()
        for _ in range(2):
            await self.looked.acquire()


@dataclass
class WatchedStore:
    """The store, with a record of everything it is told besides pages."""

    opened: Opened
    notes: list[tuple[str, str | None]] = field(default_factory=list)
    shown_parts: list[Shown] = field(default_factory=list)
    flushes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    flushing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.ready.set()

    async def open_series(
        self, context: RunContext, keys: Sequence[SeriesKey]
    ) -> list[SeriesTarget]:
        return await self.opened.store.open_series(context, keys)

    async def flush(self, context: RunContext, flush: CandleFlush) -> Flushed:
        self.flushing.release()
        await self.ready.wait()
        flushed = await self.opened.store.flush(context, flush)
        self.shown_parts.append(flush.shown)
        self.flushes.release()
        return flushed


class WatchedContext(RunContext):
    """The context of a run, with a record of everything it shows besides pages."""

    def __init__(self, run: Run, store: WatchedStore) -> None:
        super().__init__(run, store.opened.ledger)
        self._store = store

    async def show(self, shown: Shown) -> None:
        self._store.notes.append(
            (shown.message, None if shown.work is None else shown.work.waiting_for)
        )
        if self._store.error is not None:
            raise self._store.error
        await super().show(shown)
        self._store.shown_parts.append(shown)


@dataclass
class Waiting:
    """A collection of one series under way."""

    store: WatchedStore
    source: WaitingSource
    run: Run

    @property
    def progress(self) -> Work:
        """The progress shown last."""
        work = self.store.shown_parts[-1].work
        assert work is not None
        return work

    def begin(self) -> asyncio.Task[Any]:
        options = CollectOptions(flush_s=0.0, look_at_waits_s=_OFTEN_S)
        collection = Collection(
            self.source, self.store, WatchedContext(self.run, self.store), options
        )
        wish = Wish(since=ORIGIN)
        return asyncio.create_task(collection.collect([key()], wish))

    async def work(self) -> dict[str, Any] | None:
        """The work in the record of the run."""
        work = await self.store.opened.value(
            "SELECT CAST(work AS TEXT) FROM run WHERE id = :id", id=self.run.id
        )
        found: dict[str, Any] | None = None if work is None else json.loads(work)
        return found

    async def until_waiting_for(self, reason: str | None) -> None:
        """Until the record says it, and the collection knows that it was written."""
        async with asyncio.timeout(PATIENCE_S):
            while (work := await self.work()) is None or work["waiting_for"] != reason:
                await asyncio.sleep(_OFTEN_S)
            while not self.store.shown_parts or self.progress.waiting_for != reason:
                await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def waiting(url: str, *, page_limit: int = 10) -> AsyncIterator[Waiting]:
    async with opened(url) as store:
        source = WaitingSource(
            candles(ORIGIN, _CANDLES), ORIGIN + _CANDLES * MINUTE - 1, page_limit=page_limit
        )
        source.clock_permit.set()
        yield Waiting(WatchedStore(store), source, await store.run())


@pytest.fixture
async def under_way(database_url: str) -> AsyncIterator[Waiting]:
    async with waiting(database_url) as collection:
        yield collection


def let_all_in(source: WaitingSource) -> None:
    for _ in range(100):
        source.permits.release()


async def test_a_wait_is_shown_once_and_cleared_when_it_is_over(under_way: Waiting) -> None:
    source, store = under_way.source, under_way.store
    collecting = under_way.begin()
    await source.was_looked_at()
    assert store.notes == [], "without a wait nothing is written"
    source.wait = _LIMIT
    await under_way.until_waiting_for("binance's limit")
    await source.was_looked_at()
    assert store.notes == [("Waiting for binance's limit (0/1)", "binance's limit")], (
        "a wait is written when it changes, not at each look"
    )
    assert under_way.progress.waiting_until == int(_UNTIL * 1000)
    source.wait = _TOLD
    await under_way.until_waiting_for("binance to let requests in again")
    source.wait = None
    await under_way.until_waiting_for(None)
    assert under_way.progress.waiting_for is None
    let_all_in(source)
    await collecting
    assert len(store.notes) == 3
    [row] = await store.opened.rows("SELECT progress, message FROM run")
    assert row == {"progress": 100, "message": "Collected data for BTC/USDT 1m (1/1)"}


async def test_pages_written_during_a_wait_do_not_hide_it(under_way: Waiting) -> None:
    """Requests that were sent before the limit was used up are answered while others wait."""
    source, store = under_way.source, under_way.store
    collecting = under_way.begin()
    source.wait = _LIMIT
    await under_way.until_waiting_for("binance's limit")
    while not store.flushes.locked():
        await store.flushes.acquire()
    source.permits.release()
    async with asyncio.timeout(PATIENCE_S):
        await store.flushes.acquire()
    work = await under_way.work()
    assert work is not None
    assert (work["done"] > 0, work["waiting_for"]) == (True, "binance's limit")
    assert under_way.progress.waiting_for == "binance's limit"
    source.wait = None
    let_all_in(source)
    await collecting
    work = await under_way.work()
    assert work is not None
    assert work["waiting_for"] is None


async def test_a_page_whose_write_began_before_the_wait_does_not_hide_it(
    under_way: Waiting,
) -> None:
    """Its progress is from before the wait and reaches the record after the wait began."""
    source, store = under_way.source, under_way.store
    collecting = under_way.begin()
    async with asyncio.timeout(PATIENCE_S):
        while not store.flushing.locked():
            await store.flushing.acquire()
        store.ready.clear()
        source.permits.release()
        await store.flushing.acquire()
        source.wait = _LIMIT
        await under_way.until_waiting_for("binance's limit")
        while not store.flushes.locked():
            await store.flushes.acquire()
        store.ready.set()
        await store.flushes.acquire()
    await under_way.until_waiting_for("binance's limit")
    source.wait = None
    let_all_in(source)
    await collecting


async def test_a_wait_before_the_first_request_is_shown_too(under_way: Waiting) -> None:
    """Another run used up the limit, or the provider asked for a pause before this run began."""
    source = under_way.source
    source.clock_permit.clear()
    source.wait = _TOLD
    collecting = under_way.begin()
    await under_way.until_waiting_for("binance to let requests in again")
    source.wait = None
    source.clock_permit.set()
    let_all_in(source)
    await collecting


@pytest.mark.parametrize("fails", [False, True], ids=["succeeds", "fails"])
async def test_the_watcher_ends_with_its_run(sqlite_database: str, fails: bool) -> None:
    async with waiting(sqlite_database) as collection:
        collection.source.fails_from = 1 if fails else None
        let_all_in(collection.source)
        before = asyncio.all_tasks()
        with pytest.raises(RunUnavailableError) if fails else contextlib.nullcontext():
            await collection.begin()
        assert asyncio.all_tasks() == before


async def test_a_waiting_run_that_was_taken_over_ends(under_way: Waiting) -> None:
    collecting = under_way.begin()
    await under_way.source.was_looked_at()
    await under_way.store.opened.change("UPDATE run SET fence = fence + 1")
    under_way.source.wait = _LIMIT
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(FencedError):
            await collecting


async def test_a_wait_that_cannot_be_stored_ends_the_run_as_a_page_does(
    sqlite_database: str,
) -> None:
    async with waiting(sqlite_database) as collection:
        collection.store.error = StoreUnavailableError("away")
        collection.source.wait = _LIMIT
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreUnavailableError, match="away"):
                await collection.begin()
