"""The composition root: the one place that makes the concrete things out of the settings."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.access.vault import Vault
from penstock.alerts.book import Policy
from penstock.alerts.loop import Alerting, AlertingOptions
from penstock.alerts.notify.sender import Sender
from penstock.alerts.targets import AlertTargets
from penstock.collection.configs import Configs
from penstock.domains.declared import declared_domains
from penstock.domains.inventory import InventoryParts
from penstock.domains.market import MarketParts, make_source
from penstock.domains.parts import Budgets, Parts
from penstock.engine.in_process import Executor, ExecutorOptions
from penstock.errors import ConflictError, RunFailedError
from penstock.http.governor import LocalBudget
from penstock.inventory import queries as inventory_queries
from penstock.inventory.configs import find_account
from penstock.inventory.runs import told_as_sync
from penstock.market.collect.collection import CollectResult
from penstock.market.configured import DEFAULT_EXCHANGE
from penstock.market.instrument import find_instruments, parse_timeframes
from penstock.market.runs import CollectOrder
from penstock.opening import database_file, masked_url, open_database, open_reader, owned_database
from penstock.runs.queries import RunQueries
from penstock.runs.runner import Cancelled, Runner, RunnerOptions
from penstock.runs.scheduler import Scheduler
from penstock.store.database import Database, server_version
from penstock.store.health import HealthQueries
from penstock.store.keys import GivenKeys, KeyFile
from penstock.store.migrate import make_tables, migrate, version
from penstock.store.sqlite.staging import discard_stages
from penstock.store.write.alert_targets import SqlTargets
from penstock.store.write.alerts import BookOptions, SqlAlertBook
from penstock.store.write.configs import SqlConfigs
from penstock.store.write.rotation import rotate_key, secrets_opened
from penstock.store.write.runs import SqlRunLedger
from penstock.store.write.schedules import SqlSchedules
from penstock.store.write.tokens import SqlTokens, any_works

if TYPE_CHECKING:
    import uuid
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from penstock.access.vault import Keys
    from penstock.collection.configs import Config
    from penstock.inventory.runs import SyncOrder
    from penstock.market.collect.collection import Progress
    from penstock.market.verify.runs import VerifyOrder
    from penstock.runs.run import Run, Submission
    from penstock.runs.runner import Outcome
    from penstock.settings import Settings

T = TypeVar("T")


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
        self.vault = Vault(vault_keys(settings))
        self.tokens = SqlTokens(database)
        self.runs = RunQueries(listed_s=settings.task_cleanup_delay, stuck_after_s=settings.stuck_after_s)
        self._budgets = Budgets(database)
        self.domains = declared_domains(Parts(settings, database, self.vault, self.runs, self._budgets))
        self._uses: dict[type, Any] = {type(one): one for domain in self.domains.all for one in domain.uses}
        self.ledger = SqlRunLedger(database, dead_after_s=settings.dead_after_s, entries_of=self.domains.log_entries)
        configs = SqlConfigs(database, self.domains.of_exchange, dead_after_s=settings.dead_after_s)
        self.configs = Configs(self.domains.of_exchange, configs, DEFAULT_EXCHANGE)
        self.executor = self._executor(attempts=settings.run_attempts)
        # Who waits for the end wants to hear of a failure, and tries again himself.
        self._foreground = self._executor(attempts=1)
        judged = [kind.name for kind in self.domains.kinds.values() if kind.judged]
        self.health = HealthQueries(settings.alert_limits, judged, [rule for domain in self.domains.all for rule in domain.rules])
        sender = make_sender(settings)
        self.alert_targets = AlertTargets(SqlTargets(database, self.vault), sender)
        options = AlertingOptions(first_after_s=settings.alert_delay_s)
        self.alerting = Alerting(alert_book(settings, database, self.vault, self.health), sender, options)
        self.schedules = SqlSchedules(database, self.domains.planned, dead_after_s=settings.dead_after_s)
        self.scheduler = Scheduler(self.schedules, check_interval_s=settings.check_interval, first_after_s=settings.scheduler_delay_s)

    def of(self, kind: type[T]) -> T:
        """What a domain declared for its routes and commands; LookupError when no domain here has it."""
        found: T = self._uses[kind]
        return found

    def _executor(self, *, attempts: int) -> Executor:
        settings = self.settings
        options = RunnerOptions(heartbeat_s=settings.heartbeat_s, attempts=attempts, retry_s=settings.run_retry_s, deadline_s=settings.run_deadline_s)
        limits = ExecutorOptions(max_concurrent=settings.max_concurrent_tasks)
        works = {name: kind.work for name, kind in self.domains.kinds.items()}
        return Executor(self.ledger, Runner(self.ledger, options), works, self.database.events, limits)

    async def schema_version(self) -> str:
        """The schema version, read from the database now; StoreUnavailableError when it does not answer."""
        return await self.database.read(version) or "none"

    async def collect(self, order: CollectOrder, on_progress: Callable[[Progress], None] = lambda _: None) -> CollectReport:
        """Collect in this process, and come back when all is written; bad input is refused before anything is."""
        return await self._collect(await self.of(MarketParts).runs.collection(order), on_progress)

    async def collect_config(self, config_id: int, on_progress: Callable[[Progress], None] = lambda _: None) -> CollectReport:
        """Collect what a config says in this process, as `collect` does."""
        config = await self.configs.store.get(config_id)
        order = CollectOrder(symbols=[config.wanted.symbol], timeframes=config.wanted.timeframes, exchange=config.wanted.exchange)
        return await self._collect(replace(await self.of(MarketParts).runs.collection(order), job_name=config.job_id), on_progress)

    async def _collect(self, submission: Submission, on_progress: Callable[[Progress], None]) -> CollectReport:
        started, statements = time.monotonic(), self.database.statements
        run = await self._start_here(submission)
        self.of(MarketParts).followed[run.task_id] = on_progress
        try:
            result = await self._worked_on(run)
        finally:
            del self.of(MarketParts).followed[run.task_id]
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
        run = await self._start_here(await self.of(MarketParts).verify.submission(order))
        self.of(MarketParts).watched[run.task_id] = on_progress
        try:
            return run, (await self._worked_on(run)).summary()
        finally:
            del self.of(MarketParts).watched[run.task_id]

    async def sync_config(self, config: Config) -> Mapping[str, object]:
        """Sync the account of a config in this process; gives the summary of what came of it, and raises what ended it."""
        submission = await self.database.read(
            lambda connection: self.of(InventoryParts).configs.of_config(connection, {"symbol": config.wanted.symbol})
        )
        with told_as_sync():
            run = await self._start_here(replace(submission, job_name=config.job_id))
        return (await self._worked_on(run)).summary()

    async def sync(self, order: SyncOrder) -> Run:
        """Sync an account in this process, and come back when its run has ended; raises what ended it."""
        submission = await self.of(InventoryParts).runs.sync(order)
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
        await self.of(InventoryParts).store.approve(run_id)
        sync = await self.database.read(lambda connection: inventory_queries.sync(connection, run_id))
        if sync is not None:
            await self.of(InventoryParts).refreshes.published(self.ledger, await self.of(InventoryParts).store.account(sync.account_id))

    @property
    def has_more_work(self) -> bool:
        """Whether there is something to `work_off`."""
        return bool(self.of(InventoryParts).further)

    async def work_off(self) -> None:
        """Work on what the runs of this process have submitted themselves. How that ends is recorded and logged, and is nobody's answer."""
        while self.of(InventoryParts).further:
            for run in await self.ledger.take(1, task_id=self.of(InventoryParts).further.popleft()):
                with contextlib.suppress(Exception):
                    await self._foreground.work(run)

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
        heeding = _background(self._budgets.heed_pauses(), "pauses")
        async with self.database.listening(), heeding, _background(self.executor.run(), "executor"):
            yield

    @contextlib.asynccontextmanager
    async def scheduling(self) -> AsyncIterator[None]:
        """Submit what is due and send alerts while the block runs; what the domains want first is submitted at once."""
        await self.schedules.put([schedule for domain in self.domains.all for schedule in domain.schedules])
        for domain in self.domains.all:
            if domain.first_runs is not None:
                for submission in await domain.first_runs():
                    with contextlib.suppress(ConflictError):
                        await self.ledger.submit(submission)
        async with _background(self.scheduler.run(), "scheduler"), _background(self.alerting.run(), "alerting"):
            yield


async def refuse_bad_order(settings: Settings, order: CollectOrder) -> None:
    """InvalidInputError for what cannot be collected, ahead of `open_app`: on a machine that has no SQLite file yet, bad input makes none."""
    parse_timeframes(order.timeframes or ())
    async with make_source(order.exchange, settings, LocalBudget()) as source, open_database(settings) as database:
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
        await database.write(lambda connection: make_tables(connection, [table for one in app.domains.all for table in one.tables]))
        if database.file:
            await asyncio.to_thread(discard_stages, database)
            await app.ledger.put_back_all()
        async with contextlib.AsyncExitStack() as stack:
            for domain in app.domains.all:
                if domain.lifetime is not None:
                    await stack.enter_async_context(domain.lifetime)
            yield app


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
    async with make_source(exchange, settings, LocalBudget()) as source:
        off_s = (await source.server_time()) / 1000 - time.time()
        return f"reachable at {source.way}, its clock is {off_s:+.1f} s from ours"


def vault_keys(settings: Settings) -> Keys:
    """Where the keys of stored secrets come from: the settings, else a file beside an SQLite database."""
    if settings.secret_key is not None:
        return GivenKeys(settings.secret_key.get_secret_value())
    if settings.secret_key_file is not None:
        return KeyFile(settings.secret_key_file, ours=False)
    if (file := database_file(settings)) is None:
        return GivenKeys(None)
    # A database that is reached through a link is the same one.
    real = file.resolve()
    return KeyFile(real.with_name(real.name + ".key"), ours=True)


def alert_book(settings: Settings, database: Database, vault: Vault, health: HealthQueries) -> SqlAlertBook:
    """Where the states of alerts are kept."""
    policy = Policy(
        cooldown_ms=int(settings.alert_cooldown_s * 1000), settle_ms=int(settings.alert_settle_s * 1000), recovered=health.rules.recovered
    )
    # Nobody still sends a message whose deadline is over twice.
    options = BookOptions(interval_s=settings.alert_interval_s, claim_s=2 * settings.alert_deadline_s + settings.database_timeout_s)
    return SqlAlertBook(database, vault, health, policy, options)


def make_sender(settings: Settings) -> Sender:
    """What sends alerts out."""
    return Sender(deadline_s=settings.alert_deadline_s, allow_private=settings.alert_private_targets)
