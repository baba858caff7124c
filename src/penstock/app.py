"""The composition root: the one place that makes the concrete things out of the settings."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.access.vault import Vault
from penstock.alerts.book import Policy
from penstock.alerts.loop import Alerting
from penstock.alerts.notify.sender import Sender
from penstock.alerts.targets import AlertTargets
from penstock.collection.configs import Configs
from penstock.domains.declared import declared_domains
from penstock.domains.parts import Budgets, Parts
from penstock.engine.in_process import InProcessDispatch
from penstock.errors import ConflictError
from penstock.keys import vault_keys
from penstock.loop import background
from penstock.opening import owned_database
from penstock.runs.executor import Executor, ExecutorOptions
from penstock.runs.queries import RunQueries
from penstock.runs.runner import Runner, RunnerOptions
from penstock.runs.scheduler import Scheduler
from penstock.store.migrate import make_tables, migrate
from penstock.store.sqlite.staging import discard_stages
from penstock.store.write.alerts.book import BookOptions, SqlAlertBook
from penstock.store.write.alerts.health import HealthQueries
from penstock.store.write.alerts.targets import SqlTargets
from penstock.store.write.configs import SqlConfigs
from penstock.store.write.pauses import SqlPauses
from penstock.store.write.runs.ledger import SqlRunLedger
from penstock.store.write.schedules import SqlSchedules
from penstock.store.write.tokens import SqlTokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from penstock.runs.dispatch import Dispatch
    from penstock.runs.ledger import RunLedger
    from penstock.settings import Settings
    from penstock.store.session.database import Database

T = TypeVar("T")

# How often a worker looks for what dead ones have left; more often where they count as dead sooner.
_SWEEP_S = 5.0
_SWEEPS = 6


class App:
    """A database that this process may write to, and what works on it."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.vault = Vault(vault_keys(settings))
        self.tokens = SqlTokens(database)
        self.runs = RunQueries(
            listed_s=settings.task_cleanup_delay, stuck_after_s=settings.stuck_after_s
        )
        self._budgets = Budgets(database)
        self.domains = declared_domains(
            Parts(settings, database, self.vault, self.runs, self._budgets)
        )
        self.uses: dict[type, Any] = {
            type(part): part for domain in self.domains.all for part in domain.uses
        }
        self.dispatch = make_dispatch(settings, database)
        self.pauses = SqlPauses(database, self.dispatch)
        self.ledger = SqlRunLedger(
            database,
            self.dispatch,
            dead_after_s=settings.dead_after_s,
            entries_of=self.domains.log_entries,
        )
        configs = SqlConfigs(database, self.dispatch, self.domains.of_exchange)
        self.configs = Configs(self.domains.of_exchange, configs, self.domains.default_exchange)
        self.executor = self.executor_of(self.ledger, attempts=settings.run_attempts)
        judged = [kind.name for kind in self.domains.kinds.values() if kind.judged]
        self.health = HealthQueries(settings.alert_limits, judged, self.domains.rules)
        sender = make_sender(settings)
        self.alert_targets = AlertTargets(SqlTargets(database, self.vault), sender)
        book = alert_book(settings, database, self.vault, self.health)
        self.alerting = Alerting(book, sender, first_after_s=settings.alert_delay_s)
        self.schedules = SqlSchedules(
            database, self.dispatch, self.domains.planned, self.domains.asleep
        )
        self.scheduler = Scheduler(
            self.schedules,
            check_interval_s=settings.check_interval,
            first_after_s=settings.scheduler_delay_s,
        )

    def of(self, kind: type[T]) -> T:
        """What a domain declared for its routes and commands; LookupError for an unknown type."""
        found: T = self.uses[kind]
        return found

    def executor_of(self, ledger: RunLedger, *, attempts: int) -> Executor:
        """What works on runs of the ledger; `attempts` includes the first."""
        settings = self.settings
        options = RunnerOptions(
            heartbeat_s=settings.heartbeat_s,
            attempts=attempts,
            retry_s=settings.run_retry_s,
            deadline_s=settings.run_deadline_s,
        )
        limits = ExecutorOptions(
            max_concurrent=settings.max_concurrent_tasks,
            sweep_s=min(_SWEEP_S, settings.dead_after_s / _SWEEPS),
        )
        works = {name: kind.work for name, kind in self.domains.kinds.items()}
        return Executor(ledger, Runner(ledger, options), works, limits)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Work on queued runs while the block runs; at its end put back what is running."""
        heeding = background(self._budgets.heed_pauses(), "pauses")
        delivery = background(self.dispatch.run(self.executor), "delivery")
        async with self.database.listening(), heeding, delivery:
            yield

    @contextlib.asynccontextmanager
    async def scheduling(self) -> AsyncIterator[None]:
        """Submit what is due and send alerts while the block runs.

        What the domains want first is submitted at once.
        """
        await self.schedules.put(self.domains.schedules)
        for domain in self.domains.all:
            if domain.first_runs is not None:
                for submission in await domain.first_runs():
                    with contextlib.suppress(ConflictError):
                        await self.ledger.submit(submission)
        async with (
            background(self.scheduler.run(), "scheduler"),
            background(self.alerting.run(), "alerting"),
        ):
            yield


@contextlib.asynccontextmanager
async def open_app(settings: Settings, *, serving: str | None = None) -> AsyncIterator[App]:
    """Own the database, bring it to the present schema, and pass on what dead processes have left.

    `serving` is our own URL, if we have one. ConflictError when another process owns the SQLite
    file or a newer Penstock made the schema, SecretKeyError for a key file without a key.
    """
    if settings.secret_key_file is not None:
        await asyncio.to_thread(vault_keys(settings).found)
    async with owned_database(settings, serving=serving) as database:
        await migrate(database)
        app = App(settings, database)
        await database.write(
            lambda connection: make_tables(
                connection, [table for domain in app.domains.all for table in domain.tables]
            )
        )
        if database.file:
            await asyncio.to_thread(discard_stages, database)
            await app.ledger.put_back()
        else:
            # Whoever only submits has no worker that does this again and again.
            await app.ledger.sweep()
        async with contextlib.AsyncExitStack() as stack:
            for domain in app.domains.all:
                if domain.lifetime is not None:
                    await stack.enter_async_context(domain.lifetime)
            yield app


def make_dispatch(settings: Settings, database: Database) -> Dispatch:
    """What brings runs to workers: the queue of PostgreSQL, or this process for a file."""
    if database.file is not None:
        return InProcessDispatch(database.events)
    # Not every process has a PostgreSQL, and loading what it takes is not free.
    from penstock.engine.distributed import DistributedDispatch  # noqa: PLC0415 - see above
    from penstock.engine.queue import QueueOptions  # noqa: PLC0415 - see above

    options = QueueOptions(
        conninfo=database.url.set(drivername="postgresql").render_as_string(hide_password=False),
        parameters=database.backend.parameters,
        timeout_s=settings.database_timeout_s,
        heartbeat_s=settings.heartbeat_s,
        dead_after_s=settings.dead_after_s,
    )
    return DistributedDispatch(options)


def alert_book(
    settings: Settings, database: Database, vault: Vault, health: HealthQueries
) -> SqlAlertBook:
    """Where the states of alerts are kept."""
    policy = Policy(
        cooldown_ms=int(settings.alert_cooldown_s * 1000),
        settle_ms=int(settings.alert_settle_s * 1000),
        recovered=health.rules.recovered,
    )
    # Nobody still sends a message whose deadline is over twice.
    options = BookOptions(
        interval_s=settings.alert_interval_s,
        claim_s=2 * settings.alert_deadline_s + settings.database_timeout_s,
    )
    return SqlAlertBook(database, vault, health, policy, options)


def make_sender(settings: Settings) -> Sender:
    """What sends alerts out."""
    return Sender(
        deadline_s=settings.alert_deadline_s, allow_private=settings.alert_private_targets
    )
