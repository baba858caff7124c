"""The composition root: the one place that makes the concrete things out of the settings."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from penstock.access.vault import Vault
from penstock.alerts.loop import Alerting
from penstock.alerts.targets import AlertTargets
from penstock.engine.in_process import Executor, ExecutorOptions
from penstock.errors import ConflictError, RunFailedError
from penstock.http.governor import LocalBudget
from penstock.inventory import queries as inventory_queries
from penstock.inventory.accounts import Accounts
from penstock.inventory.configs import SyncConfigs, find_account
from penstock.inventory.execution_logs import log_entries as inventory_entries
from penstock.inventory.refresh import CatalogueRefreshes
from penstock.inventory.runs import told_as_sync
from penstock.inventory.sync import INVENTORY_SYNC
from penstock.inventory.syncs import SyncQueries
from penstock.market.collect.collection import CollectOptions, CollectResult
from penstock.market.configs import Configs
from penstock.market.configured import Configured
from penstock.market.instrument import find_instruments, parse_timeframes
from penstock.market.runs import AUDIT, SCHEDULED_COLLECTION, SYMBOL_REFRESH, CollectOrder, MarketRuns, log_entries
from penstock.market.verify.runs import VerifyRuns
from penstock.market.verify.runs import log_entries as verify_entries
from penstock.opening import database_file, masked_url, open_database, open_reader, owned_database
from penstock.runs.queries import RunQueries
from penstock.runs.runner import Cancelled, Runner, RunnerOptions
from penstock.runs.schedule import Schedule
from penstock.runs.scheduler import Scheduler
from penstock.store.checks import checks_of
from penstock.store.database import Database, server_version
from penstock.store.health import HealthQueries
from penstock.store.migrate import migrate, version
from penstock.store.sqlite.staging import discard_stages
from penstock.store.write.alert_targets import SqlTargets
from penstock.store.write.candles import SqlCandleStore
from penstock.store.write.configs import SqlConfigs
from penstock.store.write.inventory.accounts import SqlAccounts
from penstock.store.write.inventory.catalogue import SqlBlueprints, SqlCatalog
from penstock.store.write.inventory.snapshots import SqlInventoryStore
from penstock.store.write.retention import LOG_RETENTION, LogRetention, with_retention
from penstock.store.write.rotation import rotate_key, secrets_opened
from penstock.store.write.runs import SqlRunLedger
from penstock.store.write.schedules import SqlSchedules, by_kind
from penstock.store.write.tokens import SqlTokens, any_works
from penstock.wiring import Sources, alert_book, alerting_options, domain_of, make_inventory_runs, make_sender, make_source, vault_keys

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping

    from penstock.inventory.runs import SyncOrder
    from penstock.market.collect.collection import Progress
    from penstock.market.configs import Config
    from penstock.market.verify.runs import VerifyOrder
    from penstock.runs.context import RunContext
    from penstock.runs.run import LogEntry, Run, Submission
    from penstock.runs.runner import Outcome
    from penstock.settings import Settings

_HOUR_S = 3_600
_DAY_S = 24 * _HOUR_S
_MOST_FURTHER = 16
# The job name of what collects all that is configured.
_COLLECT_ALL = "collect_data_all"


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


class App:
    """A database that this process may write to, and what works on it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.sources = Sources(settings, database)
        self.ledger = SqlRunLedger(database, dead_after_s=settings.dead_after_s, entries_of=_log_entries)
        self.runs = RunQueries(listed_s=settings.task_cleanup_delay, stuck_after_s=settings.stuck_after_s)
        self.syncs = SyncQueries(self.runs)
        self.candles = SqlCandleStore(database)
        self.tokens = SqlTokens(database)
        self.vault = Vault(vault_keys(settings))
        options = CollectOptions(grace_ms=int(settings.grace_s * 1000), concurrency=settings.request_concurrency)
        configured = Configured(symbols=settings.symbols, timeframes=settings.timeframes)
        self.market = MarketRuns(self.sources.get, database, self.candles, configured, options, self._progressed, self.sources.repeats)
        checks = checks_of(database.url.get_backend_name())
        self.verify = VerifyRuns(self.sources.get, database, self.candles, checks, options, self._verified)
        self.sync_configs = SyncConfigs(database)
        of_exchange = domain_of(self.market, self.sync_configs)
        self.configs = Configs(of_exchange, SqlConfigs(database, of_exchange, dead_after_s=settings.dead_after_s), configured.exchange)
        marketplace = self.sources.inventory()
        self.inventory_store = SqlInventoryStore(database, self.vault)
        self.catalogue = SqlCatalog(database)
        # A service never asks for them, so only the newest are kept.
        self._further: deque[uuid.UUID] = deque(maxlen=_MOST_FURTHER)
        self.refreshes = CatalogueRefreshes(marketplace, self.inventory_store, SqlBlueprints(), database, self._further.append)
        self.inventory = make_inventory_runs(settings, marketplace, self.inventory_store, self.refreshes.published)
        self.accounts = Accounts(marketplace, SqlAccounts(database, self.vault))
        self._followed: dict[uuid.UUID, Callable[[Progress], None]] = {}
        self._watched: dict[uuid.UUID, Callable[[int, str], None]] = {}
        self.executor = self._executor(attempts=settings.run_attempts)
        # Who waits for the end wants to hear of a failure, and tries again himself.
        self._foreground = self._executor(attempts=1)
        sender = make_sender(settings)
        self.health = HealthQueries(limits=settings.alert_limits, configured=configured, default_job=_COLLECT_ALL)
        self.alert_targets = AlertTargets(SqlTargets(database, self.vault), sender)
        self.alerting = Alerting(alert_book(settings, database, self.vault, self.health), sender, alerting_options(settings))
        self.schedules = SqlSchedules(
            database,
            with_retention(by_kind({INVENTORY_SYNC: self.sync_configs.scheduled}, self.market.scheduled)),
            dead_after_s=settings.dead_after_s,
        )
        self.scheduler = Scheduler(self.schedules, check_interval_s=settings.check_interval, first_after_s=settings.scheduler_delay_s)

    def _executor(self, *, attempts: int) -> Executor:
        settings = self.settings
        options = RunnerOptions(heartbeat_s=settings.heartbeat_s, attempts=attempts, retry_s=settings.run_retry_s, deadline_s=settings.run_deadline_s)
        limits = ExecutorOptions(max_concurrent=settings.max_concurrent_tasks)
        return Executor(self.ledger, Runner(self.ledger, options), self._kinds(), self.database.events, limits)

    def _kinds(self) -> Mapping[str, Callable[[RunContext], Awaitable[Outcome]]]:
        """The work of each kind of run."""
        kinds = {**self.market.kinds, **self.verify.kinds, **self.inventory.kinds, **self.refreshes.kinds}
        return {**kinds, LOG_RETENTION: LogRetention(self.settings.execution_log_retention_days)}

    async def schema_version(self) -> str:
        """The schema version, read from the database now; StoreUnavailableError when it does not answer."""
        return await self.database.read(version) or "none"

    async def collect(self, order: CollectOrder, on_progress: Callable[[Progress], None] = lambda _: None) -> CollectReport:
        """Collect in this process, and come back when all is written; bad input is refused before anything is."""
        return await self._collect(await self.market.collection(order), on_progress)

    async def collect_config(self, config_id: int, on_progress: Callable[[Progress], None] = lambda _: None) -> CollectReport:
        """Collect what a config says in this process, as `collect` does."""
        config = await self.configs.store.get(config_id)
        order = CollectOrder(symbols=[config.wanted.symbol], timeframes=config.wanted.timeframes, exchange=config.wanted.exchange)
        return await self._collect(replace(await self.market.collection(order), job_name=config.job_id), on_progress)

    async def _collect(self, submission: Submission, on_progress: Callable[[Progress], None]) -> CollectReport:
        started, statements = time.monotonic(), self.database.statements
        run = await self._start_here(submission)
        self._followed[run.task_id] = on_progress
        try:
            result = await self._worked_on(run)
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

    async def verify_here(self, order: VerifyOrder, on_progress: Callable[[int, str], None]) -> tuple[Run, Mapping[str, object]]:
        """Verify in this process; gives the run and its report, and raises what ended it."""
        run = await self._start_here(await self.verify.submission(order))
        self._watched[run.task_id] = on_progress
        try:
            return run, (await self._worked_on(run)).summary()
        finally:
            del self._watched[run.task_id]

    def _verified(self, run: Run, percent: int, message: str) -> None:
        if (watch := self._watched.get(run.task_id)) is not None:
            watch(percent, message)

    async def sync_config(self, config: Config) -> Mapping[str, object]:
        """Sync the account of a config in this process; gives the summary of what came of it, and raises what ended it."""
        submission = await self.database.read(lambda connection: self.sync_configs.of_config(connection, {"symbol": config.wanted.symbol}))
        with told_as_sync():
            run = await self._start_here(replace(submission, job_name=config.job_id))
        return (await self._worked_on(run)).summary()

    async def sync(self, order: SyncOrder) -> Run:
        """Sync an account in this process, and come back when its run has ended; raises what ended it."""
        submission = await self.inventory.sync(order)
        with told_as_sync():
            run = await self._start_here(submission)
        await self._worked_on(run)
        return run

    async def _worked_on(self, run: Run) -> Outcome:
        try:
            return await self._foreground.work(run)
        except Cancelled:
            message = f"task {run.task_id} was cancelled"
            raise RunFailedError(message) from None

    async def approve_sync(self, run_id: int) -> None:
        """Publish what a sync kept, and look up what its products are as after any other; ConflictError when that cannot be published any more."""
        await self.inventory_store.approve(run_id)
        sync = await self.database.read(lambda connection: inventory_queries.sync(connection, run_id))
        if sync is not None:
            await self.refreshes.published(self.ledger, await self.inventory_store.account(sync.account_id))

    @property
    def has_more_work(self) -> bool:
        """Whether there is something to `work_off`."""
        return bool(self._further)

    async def work_off(self) -> None:
        """Work on what the runs of this process have submitted themselves. How that ends is recorded and logged, and is nobody's answer."""
        while self._further:
            for run in await self.ledger.take(1, task_id=self._further.popleft()):
                with contextlib.suppress(Exception):
                    await self._foreground.work(run)

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
        """Submit what is due and send alerts while the block runs; symbols that nobody has looked up yet are looked up at once."""
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
                    name=_COLLECT_ALL,
                    kind=SCHEDULED_COLLECTION,
                    interval_s=self.settings.collection_interval,
                    params={"exchange": exchange},
                ),
                Schedule(name=AUDIT, kind=AUDIT, interval_s=_DAY_S, first_after_s=_HOUR_S, params={"exchange": exchange}),
                Schedule(name=LOG_RETENTION, kind=LOG_RETENTION, interval_s=_HOUR_S, first_after_s=_HOUR_S, params={}),
            ]
        )
        if await self.market.knows_nothing():
            with contextlib.suppress(ConflictError):
                await self.ledger.submit(self.market.symbol_refresh(exchange))
        async with _background(self.scheduler.run(), "scheduler"), _background(self.alerting.run(), "alerting"):
            yield


def _log_entries(run: Run) -> list[LogEntry]:
    """What each domain has in the execution log of its runs."""
    return log_entries(run) or verify_entries(run) or inventory_entries(run)


async def refuse_bad_order(settings: Settings, order: CollectOrder) -> None:
    """InvalidInputError for what cannot be collected, ahead of `open_app`: on a machine that has no SQLite file yet, bad input makes none."""
    parse_timeframes(order.timeframes or ())
    async with make_source(settings, order.exchange, LocalBudget()) as source, open_database(settings) as database:
        if database.file and not database.file.exists():
            find_instruments(order.symbols or (), await source.instruments())


async def refuse_bad_sync(settings: Settings, name: str) -> None:
    """The same for the account of a sync: where no database is, there is none."""
    if (file := database_file(settings)) and not file.exists():
        find_account(name, {})


async def rotate_secret_key(settings: Settings) -> int:
    """Seal all stored secrets with the newest key; gives how many there are. See penstock.store.write.rotation."""
    async with open_app(settings) as app:
        return await rotate_key(app.database, vault_keys(settings))


async def any_token_works(settings: Settings) -> bool:
    """Whether somebody has a token. Nothing is made for that: a database that is not there, or older than tokens, has none."""
    async with open_database(settings) as database:
        if database.file and not database.file.exists():
            return False
        return await database.read(any_works)


async def check_secrets(settings: Settings) -> str:
    """Whether the stored secrets can be opened, in words; SecretKeyError when they cannot."""
    keys = vault_keys(settings)
    found = await asyncio.to_thread(keys.found)
    if (file := database_file(settings)) and not file.exists():
        return "none stored yet"
    async with open_reader(settings) as database:
        count = await database.read(lambda connection: secrets_opened(connection, Vault(keys)))
    return f"{count} stored, {'no key yet' if not found else 'all can be opened'}"


async def refuse_bad_target(settings: Settings, url: str, signing_key: str | None) -> None:
    """InvalidInputError for an alert target that cannot be one, ahead of `open_app`: bad input makes no SQLite file."""
    await make_sender(settings).address(url, signing_key)


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
    async with owned_database(settings, serving=serving) as database:
        await migrate(database)
        app = App(settings, database)
        if database.file:
            await asyncio.to_thread(discard_stages, database)
            await app.ledger.put_back_all()
        try:
            yield app
        finally:
            await app.sources.close()


async def migrate_database(settings: Settings) -> tuple[str | None, str]:
    """Bring the database to the present schema; gives the version before (None: it was empty) and after."""
    async with owned_database(settings, serving=None) as database:
        return await migrate(database)


async def check_database(settings: Settings) -> str:
    """What is there, in words; raises what stands in the way of using it."""
    async with open_database(settings) as database:
        if database.file and not database.file.exists():
            return "none yet, the first collection makes it"
    async with open_reader(settings) as database:
        return await database.read(lambda connection: f"{server_version(connection)} answers, schema {version(connection)}")


async def check_exchange(settings: Settings, exchange: str) -> str:
    """How its clock stands to ours, in words; raises what stands in the way of using it."""
    async with make_source(settings, exchange, LocalBudget()) as source:
        off_s = (await source.server_time()) / 1000 - time.time()
        return f"reachable at {source.way}, its clock is {off_s:+.1f} s from ours"
