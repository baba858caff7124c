"""The composition root: the one place that makes the concrete things out of the settings."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core.events import EventsLost, ProviderPaused
from penstock.core.governor import LocalBudget
from penstock.core.http import HttpLimits
from penstock.core.runner import Cancelled, Runner, RunnerOptions
from penstock.core.schedule import Schedule
from penstock.engine.executor import Executor, ExecutorOptions
from penstock.engine.scheduler import Scheduler
from penstock.errors import ConflictError, InvalidInputError, RunFailedError, StoreUnavailableError
from penstock.market.collect import CollectOptions, CollectResult
from penstock.market.instrument import find_instruments, parse_timeframes
from penstock.market.runs import SCHEDULED_COLLECTION, SYMBOL_REFRESH, CollectOrder, Configured, MarketRuns
from penstock.market.source import SourceConfig
from penstock.store.budget import SqlBudget
from penstock.store.candles import SqlCandleStore
from penstock.store.database import Database, DatabaseOptions, parse_url, server_version
from penstock.store.migrate import migrate, newest_version, refuse_newer, version
from penstock.store.owner import owned, owner_url
from penstock.store.run_queries import RunQueries
from penstock.store.runs import SqlRunLedger
from penstock.store.schedules import SqlSchedules

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Callable, Coroutine

    from penstock.core.governor import Budget
    from penstock.core.run import Run, Submission
    from penstock.market.collect import Progress
    from penstock.market.source import MarketSource
    from penstock.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectReport:
    """What came of a collection: `statements` and `seconds` of the run alone, without looking up the symbols.

    `statements` is None when another process has sent them.
    """

    task_id: uuid.UUID
    result: CollectResult
    symbols: int
    timeframes: int
    statements: int | None
    seconds: float
    database: str


def make_source(settings: Settings, exchange: str, budget: Budget) -> MarketSource:
    """The source of an exchange; InvalidInputError when no installed package brings one."""
    found = {point.name: point for point in entry_points(group="penstock.sources")}
    if exchange not in found:
        message = f"exchange: unknown exchange {exchange[:40]!r}; use one of {', '.join(sorted(found))}"
        raise InvalidInputError(message, field="exchange")
    limits = HttpLimits(
        deadline_s=settings.request_deadline_s,
        attempts=settings.request_attempts,
        longest_pause_s=settings.request_longest_pause_s,
        connections=settings.request_concurrency,
    )
    config = SourceConfig(http=limits, budget=budget)
    if exchange == "binance":
        config = replace(config, base_url=settings.binance_url, weight_per_minute=settings.binance_weight_per_minute)
    source: MarketSource = found[exchange].load()(config)
    return source


class Sources:
    """The open sources of this process: one for each exchange, so that all runs share its limits."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._budgets: list[SqlBudget] = []
        self._open: dict[str, MarketSource] = {}
        self._stack = contextlib.AsyncExitStack()

    async def get(self, exchange: str) -> MarketSource:
        """The open source of an exchange; InvalidInputError when no installed package brings one."""
        if exchange not in self._open:
            budget = SqlBudget(self._database, self._settings.binance_url or exchange)
            source = make_source(self._settings, exchange, budget)
            await self._stack.enter_async_context(source)
            self._budgets.append(budget)
            self._open[exchange] = source
        return self._open[exchange]

    async def heed_pauses(self) -> None:
        """When a provider told another process to wait, what this one was granted is void; runs until cancelled."""
        with self._database.events.subscribed() as subscription:
            async for events in subscription:
                if any(isinstance(event, ProviderPaused | EventsLost) for event in events):
                    for budget in self._budgets:
                        budget.generation += 1

    async def close(self) -> None:
        """Close all connections."""
        await self._stack.aclose()


class App:
    """A database that this process may write to, and what works on it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.sources = Sources(settings, database)
        self.ledger = SqlRunLedger(database, dead_after_s=settings.dead_after_s)
        self.runs = RunQueries(listed_s=settings.task_cleanup_delay, stuck_after_s=settings.stuck_after_s)
        self.candles = SqlCandleStore(database)
        options = CollectOptions(grace_ms=int(settings.grace_s * 1000), concurrency=settings.request_concurrency)
        configured = Configured(symbols=settings.symbols, timeframes=settings.timeframes)
        self.market = MarketRuns(self.sources.get, database, self.candles, configured, options, self._progressed)
        self._followed: dict[uuid.UUID, Callable[[Progress], None]] = {}
        self.executor = self._executor(attempts=settings.run_attempts)
        # Who waits for the end wants to hear of a failure, and tries again himself.
        self._foreground = self._executor(attempts=1)
        self.schedules = SqlSchedules(database, self.market.scheduled, dead_after_s=settings.dead_after_s)
        self.scheduler = Scheduler(self.schedules, check_interval_s=settings.check_interval, first_after_s=settings.scheduler_delay_s)

    def _executor(self, *, attempts: int) -> Executor:
        settings = self.settings
        options = RunnerOptions(heartbeat_s=settings.heartbeat_s, attempts=attempts, retry_s=settings.run_retry_s, deadline_s=settings.run_deadline_s)
        limits = ExecutorOptions(max_concurrent=settings.max_concurrent_tasks)
        return Executor(self.ledger, Runner(self.ledger, options), self.market.kinds, self.database.events, limits)

    async def schema_version(self) -> str:
        """The schema version, read from the database now; StoreUnavailableError when it does not answer."""
        return await self.database.read(version) or "none"

    async def collect(self, order: CollectOrder, on_progress: Callable[[Progress], None] = lambda _: None) -> CollectReport:
        """Collect in this process, and come back when all is written; bad input is refused before anything is."""
        submission = await self.market.collection(order)
        started, statements = time.monotonic(), self.database.statements
        run = await self._start_here(submission)
        self._followed[run.task_id] = on_progress
        try:
            result = await self._foreground.work(run)
        except Cancelled:
            message = f"task {run.task_id} was cancelled"
            raise RunFailedError(message) from None
        finally:
            del self._followed[run.task_id]
        if not isinstance(result, CollectResult):
            raise TypeError
        series: Any = submission.params["series"]
        return CollectReport(
            task_id=run.task_id,
            result=result,
            symbols=len({native for native, _, _ in series}),
            timeframes=len({timeframe for _, timeframe, _ in series}),
            statements=self.database.statements - statements,
            seconds=time.monotonic() - started,
            database=masked_url(self.settings),
        )

    def _progressed(self, run: Run, progress: Progress) -> None:
        if (follow := self._followed.get(run.task_id)) is not None:
            follow(progress)

    async def _start_here(self, submission: Submission) -> Run:
        """On SQLite nobody else works, so what holds the resources was left by a process that is gone: that is finished first."""
        try:
            return await self.ledger.start(submission)
        except ConflictError:
            if self.database.file is None:
                raise
        while left := await self.ledger.take(1):
            # How it ends is recorded and logged, and is no answer to this order.
            with contextlib.suppress(Exception):
                await self._foreground.work(left[0])
        return await self.ledger.start(submission)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear of what other processes do while the block runs."""
        async with self.database.listening():
            yield

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Take queued runs and work on them while the block runs; at its end what is running is put back."""
        async with self.database.listening(), _background(self.sources.heed_pauses(), "pauses"), _background(self.executor.run(), "executor"):
            yield

    @contextlib.asynccontextmanager
    async def scheduling(self) -> AsyncIterator[None]:
        """Submit what is due while the block runs; symbols that nobody has looked up yet are looked up at once."""
        exchange = self.market.configured.exchange
        await self.schedules.put(
            [
                Schedule(
                    name="refresh_symbols",
                    kind=SYMBOL_REFRESH,
                    interval_s=self.settings.symbol_refresh_interval,
                    first_after_s=self.settings.symbol_refresh_interval,
                    params={"exchange": exchange},
                ),
                Schedule(
                    name="collect_data_all",
                    kind=SCHEDULED_COLLECTION,
                    interval_s=self.settings.collection_interval,
                    params={"exchange": exchange},
                ),
            ]
        )
        if await self.market.knows_nothing():
            with contextlib.suppress(ConflictError):
                await self.ledger.submit(self.market.symbol_refresh(exchange))
        async with _background(self.scheduler.run(), "scheduler"):
            yield


async def refuse_bad_order(settings: Settings, order: CollectOrder) -> None:
    """InvalidInputError for what cannot be collected, ahead of `open_app`: on a machine that has no SQLite file yet, bad input makes none."""
    parse_timeframes(order.timeframes or ())
    async with make_source(settings, order.exchange, LocalBudget()) as source, _database(settings) as database:
        if database.file and not database.file.exists():
            find_instruments(order.symbols or (), await source.instruments())


def serving_url(settings: Settings) -> str | None:
    """Where the service is that owns this SQLite database; None when nobody does, or a process that does not serve."""
    file = database_file(settings)
    return owner_url(file) if file else None


@contextlib.asynccontextmanager
async def _background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def open_app(settings: Settings, *, serving: str | None = None) -> AsyncIterator[App]:
    """Own the database, bring it to the present schema, and queue again what a process that died was working on.

    `serving` is our own URL, if we have one. ConflictError when another process owns the SQLite file or a newer Penstock made the schema.
    """
    async with _owned_database(settings, serving=serving) as database:
        await migrate(database)
        app = App(settings, database)
        if database.file:
            await app.ledger.put_back_all()
        try:
            yield app
        finally:
            await app.sources.close()


@contextlib.asynccontextmanager
async def _owned_database(settings: Settings, *, serving: str | None) -> AsyncIterator[Database]:
    async with _database(settings) as database:
        with owned(database.file, url=serving) if database.file else contextlib.nullcontext():
            yield database


@contextlib.asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Database]:
    """The database for reading, beside whoever owns it; StoreUnavailableError when there is none, ConflictError when it is of another version."""
    async with _database(settings) as database:
        if database.file and not database.file.exists():
            message = f"there is no database at {database.url.database} yet; `penstock collect` makes one"
            raise StoreUnavailableError(message)
        found = await database.read(version)
        refuse_newer(found)
        if found != newest_version():
            message = f"the database has schema version {found or 'none'}, this Penstock works with {newest_version()}; run `penstock migrate`"
            raise ConflictError(message)
        yield database


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    options = DatabaseOptions(pool_size=settings.database_pool_size, threads=settings.database_threads, timeout_s=settings.database_timeout_s)
    database = Database(parse_url(settings.database_url), options)
    try:
        yield database
    finally:
        await database.close()


async def migrate_database(settings: Settings) -> tuple[str | None, str]:
    """Bring the database to the present schema; gives the version before (None: it was empty) and after."""
    async with _owned_database(settings, serving=None) as database:
        return await migrate(database)


def database_file(settings: Settings) -> Path | None:
    """The file of a SQLite database, None for PostgreSQL; InvalidInputError for a URL that is neither."""
    url = parse_url(settings.database_url)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def masked_url(settings: Settings) -> str:
    """The database's URL without its password."""
    url = parse_url(settings.database_url)
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


async def check_database(settings: Settings) -> str:
    """What is there, in words; raises what stands in the way of using it."""
    async with _database(settings) as database:
        if database.file and not database.file.exists():
            return "none yet, the first collection makes it"
    async with open_reader(settings) as database:
        return await database.read(lambda connection: f"{server_version(connection)} answers, schema {version(connection)}")


async def check_exchange(settings: Settings, exchange: str) -> str:
    """How its clock stands to ours, in words; raises what stands in the way of using it."""
    async with make_source(settings, exchange, LocalBudget()) as source:
        return f"reachable, its clock is {(await source.server_time()) / 1000 - time.time():+.1f} s from ours"
