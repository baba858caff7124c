"""The parts that the composition root is made of, each out of the settings: sources, keys, what sends alerts; the database is opened in `opening`."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import TYPE_CHECKING

from penstock.alerts.book import Policy
from penstock.alerts.loop import AlertingOptions
from penstock.alerts.notify.sender import Sender
from penstock.errors import InvalidInputError
from penstock.http.client import HttpLimits
from penstock.http.download import DownloadLimits
from penstock.inventory.export.spool import Spool
from penstock.inventory.runs import InventoryRuns
from penstock.inventory.source import MARKETPLACE, InventorySourceConfig
from penstock.inventory.sync import SyncLimits
from penstock.market.collect.repeats import SHARE
from penstock.market.source import SourceConfig
from penstock.opening import database_file
from penstock.runs.events import EventsLost, ProviderPaused
from penstock.store.keys import GivenKeys, KeyFile
from penstock.store.write.alerts import BookOptions, SqlAlertBook
from penstock.store.write.budget import SqlBudget, SqlRepeats

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from penstock.access.vault import Keys, Vault
    from penstock.http.governor import Budget
    from penstock.inventory.configs import SyncConfigs
    from penstock.inventory.source import InventorySource
    from penstock.inventory.sync import Account, InventoryStore
    from penstock.market.collect.repeats import Repeats
    from penstock.market.configs import ConfigDomain
    from penstock.market.runs import MarketRuns
    from penstock.market.source import MarketSource
    from penstock.runs.context import RunContext
    from penstock.settings import Settings
    from penstock.store.database import Database
    from penstock.store.health import HealthQueries

_BINANCE = re.compile(r"https://[\w-]+\.binance\.(com|vision)(:443)?/?$")


@cache
def _brought(group: str) -> EntryPoints:
    """What installed packages bring; looking for it reads the files of all of them."""
    return entry_points(group=group)


def make_source(settings: Settings, exchange: str, budget: Budget) -> MarketSource:
    """The source of an exchange; InvalidInputError when no installed package brings one."""
    found = {point.name: point for point in _brought("penstock.sources")}
    if exchange == MARKETPLACE:
        message = f"exchange: {MARKETPLACE} is a marketplace and has no candles; `penstock sync NAME` syncs an account of it"
        raise InvalidInputError(message, field="exchange")
    if exchange not in found:
        message = f"exchange: unknown exchange {exchange[:40]!r}; use one of {', '.join(sorted(found))}, or {MARKETPLACE} in a config of a sync"
        raise InvalidInputError(message, field="exchange")
    config = SourceConfig(http=_http_limits(settings), budget=budget)
    if exchange == "binance":
        config = replace(config, base_url=settings.binance_url, weight_per_minute=settings.binance_weight_per_minute)
    source: MarketSource = found[exchange].load()(config)
    return source


def _budget_name(settings: Settings, exchange: str) -> str:
    """Binance counts by the asking address, so all of its own addresses have one budget; what else it is pointed at has a budget of its own."""
    url = settings.binance_url or ""
    return exchange if not url or _BINANCE.match(url) else url


def _http_limits(settings: Settings) -> HttpLimits:
    return HttpLimits(
        idle_s=settings.request_idle_s,
        deadline_s=settings.request_deadline_s,
        attempts=settings.request_attempts,
        longest_pause_s=settings.request_longest_pause_s,
        connections=settings.request_concurrency,
        proxy=settings.proxy.get_secret_value() if settings.proxy else "",
    )


def make_inventory_source(settings: Settings, budget: Callable[[str, int], Budget]) -> InventorySource:
    """The marketplace; `budget` gives the budget of a name, with windows of so many seconds."""
    (point,) = (point for point in _brought("penstock.inventory_sources") if point.name == "cardtrader")
    export = DownloadLimits(
        first_byte_s=settings.export_first_byte_s,
        idle_s=settings.export_idle_s,
        total_s=settings.export_deadline_s,
        attempts=settings.export_attempts,
    )
    config = InventorySourceConfig(base_url=settings.cardtrader_url, http=_http_limits(settings), export=export, budget=budget)
    source: InventorySource = point.load()(config)
    return source


def make_inventory_runs(
    settings: Settings, source: InventorySource, store: InventoryStore, on_published: Callable[[RunContext, Account], Awaitable[None]] | None = None
) -> InventoryRuns:
    """What syncs inventories into a store."""
    limits = SyncLimits(shrink_percent=settings.shrink_percent, shrink_rows=settings.shrink_rows)
    return InventoryRuns(source, store, Spool(settings.export_folder), limits, on_published)


def domain_of(market: MarketRuns, syncs: SyncConfigs) -> Callable[[str], ConfigDomain]:
    """Which domain has the configs of an exchange."""
    return lambda exchange: syncs if exchange == MARKETPLACE else market


class Sources:
    """The open sources of this process: one for each exchange, so that all runs share its limits."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._budgets: dict[str, SqlBudget] = {}
        self._open: dict[str, MarketSource] = {}
        self._stack = contextlib.AsyncExitStack()

    async def get(self, exchange: str) -> MarketSource:
        """The open source of an exchange; InvalidInputError when no installed package brings one."""
        if exchange not in self._open:
            name = _budget_name(self._settings, exchange)
            budget = SqlBudget(self._database, name)
            source = make_source(self._settings, exchange, budget)
            await self._stack.enter_async_context(source)
            self._budgets[name] = budget
            self._open[exchange] = source
        return self._open[exchange]

    def repeats(self, source: MarketSource) -> Repeats:
        """What runs may spend on gaps that were asked for before."""
        return SqlRepeats(self._database, _budget_name(self._settings, source.name), per_minute=max(1, int(source.pages_per_minute * SHARE)))

    def pages_per_minute(self, provider: str) -> int | None:
        """What a provider allows, under the name of its budget; None for one that this process has not asked for anything yet."""
        return next((one.pages_per_minute for one in self._open.values() if _budget_name(self._settings, one.name) == provider), None)

    def inventory(self) -> InventorySource:
        """The marketplace; each account has a budget of its own."""
        return make_inventory_source(self._settings, self._account_budget)

    def _account_budget(self, name: str, window_s: int) -> Budget:
        return self._budgets.setdefault(name, SqlBudget(self._database, name, window_s=window_s))

    async def heed_pauses(self) -> None:
        """When a provider told another process to wait, what this one was granted is void; runs until cancelled."""
        with self._database.events.subscribed() as subscription:
            async for events in subscription:
                if any(isinstance(event, ProviderPaused | EventsLost) for event in events):
                    for budget in self._budgets.values():
                        budget.generation += 1

    async def close(self) -> None:
        """Close all connections."""
        await self._stack.aclose()


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
    policy = Policy(cooldown_ms=int(settings.alert_cooldown_s * 1000), settle_ms=int(settings.alert_settle_s * 1000))
    # Nobody still sends a message whose deadline is over twice.
    options = BookOptions(interval_s=settings.alert_interval_s, claim_s=2 * settings.alert_deadline_s + settings.database_timeout_s)
    return SqlAlertBook(database, vault, health, policy, options)


def make_sender(settings: Settings) -> Sender:
    return Sender(deadline_s=settings.alert_deadline_s, allow_private=settings.alert_private_targets)


def alerting_options(settings: Settings) -> AlertingOptions:
    return AlertingOptions(first_after_s=settings.alert_delay_s)
