"""The declaration of the market domain: candles of the exchanges of installed packages."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.collection.domain import Domain, RunKind
from penstock.domains.automatic import COLLECT_ALL, automatic_of, exchanges
from penstock.domains.parts import http_limits
from penstock.domains.plugins import MARKETPLACES, SOURCES, loaded, malformed, provided
from penstock.errors import InvalidInputError
from penstock.market.collect.collection import CollectOptions
from penstock.market.collect.log import collection_entries
from penstock.market.collect.repeats import SHARE
from penstock.market.configured import DEFAULT_EXCHANGE, Configured
from penstock.market.queries.instruments import unified_symbol
from penstock.market.runs import health
from penstock.market.runs.configs import MarketConfigs
from penstock.market.runs.listing import Listing
from penstock.market.runs.submission import (
    AUDIT,
    BACKFILL,
    COLLECTION,
    SCHEDULED_COLLECTION,
    SYMBOL_REFRESH,
    symbol_refresh,
)
from penstock.market.runs.work import MarketRuns
from penstock.market.source import Declaration, SourceClass, SourceConfig
from penstock.market.verify.runs import VERIFY, VerifyRuns
from penstock.market.verify.work import VerifyParts
from penstock.runs.run import LogEntry
from penstock.runs.schedule import Schedule
from penstock.store.checks import checks_of
from penstock.store.write.budget import SqlRepeats
from penstock.store.write.candles import SqlCandleStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from penstock.domains.parts import Parts
    from penstock.http.governor import Budget
    from penstock.market.collect.repeats import Repeats
    from penstock.market.runs.automatic import Automatic
    from penstock.market.source import MarketSource
    from penstock.runs.run import Run, Submission
    from penstock.settings import Settings

_HOUR_S = 3_600
_DAY_S = 24 * _HOUR_S


def source_class(exchange: str) -> SourceClass:
    """The source class of an exchange; InvalidInputError when no package has a usable one."""
    if exchange in provided(MARKETPLACES):
        raise InvalidInputError(
            f"exchange: {exchange} is a marketplace and has no candles; "
            "`penstock sync NAME` syncs an account of it",
            field="exchange",
        )
    if exchange not in provided(SOURCES):
        raise InvalidInputError(
            f"exchange: unknown exchange {exchange[:40]!r}; use one of {', '.join(exchanges())}",
            field="exchange",
        )
    found: Any = loaded(SOURCES, exchange)
    declared = getattr(found, "declaration", None)
    if not callable(found) or not isinstance(declared, Declaration):
        raise malformed(
            SOURCES, exchange, "it has no `declaration`, a penstock.market.source.Declaration"
        )
    if declared.name != exchange:
        raise malformed(SOURCES, exchange, f"it declares itself as {declared.name!r}")
    made: SourceClass = found
    return made


class MarketSources:
    """The open sources of this process: one per exchange, so that all runs share its limits.

    They are closed when their `lifetime` ends.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.exchanges = exchanges()
        self._open: dict[str, MarketSource] = {}
        self.lifetime = AsyncExitStack()

    async def get(self, exchange: str) -> MarketSource:
        """The open source of an exchange; InvalidInputError when no installed package has one."""
        if exchange not in self._open:
            settings, declared = self._parts.settings, source_class(exchange).declaration
            budget = self._parts.budgets.of(
                _budget_name(settings, declared), declared.limit.window_s
            )
            self._open[exchange] = await self.lifetime.enter_async_context(
                make_source(exchange, settings, budget)
            )
        return self._open[exchange]

    def repeats(self, source: MarketSource) -> Repeats:
        """The budget for asking again about known gaps."""
        name = _budget_name(self._parts.settings, source.declaration)
        return SqlRepeats(
            self._parts.database, name, per_minute=max(1, int(source.pages_per_minute * SHARE))
        )

    def pages_per_minute(self, provider: str) -> int | None:
        """The limit of a provider by its budget's name; None when this process has not used it."""
        source = self._of_budget(provider)
        return None if source is None else source.pages_per_minute

    def allowed(self, provider: str) -> int | None:
        """The same in what the provider counts."""
        source = self._of_budget(provider)
        if source is None:
            return None
        return source.pages_per_minute * source.declaration.limit.page

    def _of_budget(self, provider: str) -> MarketSource | None:
        settings, sources = self._parts.settings, self._open.values()
        named = (one for one in sources if _budget_name(settings, one.declaration) == provider)
        return next(named, None)


def make_source(exchange: str, settings: Settings, budget: Budget) -> MarketSource:
    """A source, not yet open."""
    own = settings.of_provider(exchange)
    return source_class(exchange)(
        SourceConfig(
            base_url=own.url,
            limit_per_window=own.weight_per_minute,
            http=http_limits(settings),
            budget=budget,
        )
    )


def _budget_name(settings: Settings, declared: Declaration) -> str:
    """A provider's own hosts share one budget, since it counts by our address; others do not."""
    url = settings.of_provider(declared.name).url or ""
    return declared.name if not url or declared.is_own(url) else url


@dataclass(frozen=True)
class MarketParts:
    """The parts for the domain's routes and commands."""

    runs: MarketRuns
    configs: MarketConfigs
    verify: VerifyRuns
    sources: MarketSources
    store: SqlCandleStore
    automatic: Automatic


def declare(parts: Parts) -> Domain:
    """The entry point."""
    for exchange in exchanges():
        source_class(exchange)
        parts.settings.of_provider(exchange)
    market = _market(parts)
    return Domain(
        name="market",
        default_exchange=DEFAULT_EXCHANGE,
        kinds=_kinds(market),
        configs=market.configs,
        schedules=_schedules(parts, market.runs.configured),
        asleep=market.automatic.asleep,
        first_runs=lambda: _first_runs(parts, market),
        rules=health.rules(market.automatic, COLLECT_ALL),
        logged_names=unified_symbol,
        uses=[market],
        lifetime=market.sources.lifetime,
    )


def _market(parts: Parts) -> MarketParts:
    settings, database = parts.settings, parts.database
    sources, store = MarketSources(parts), SqlCandleStore(database)
    options = CollectOptions(
        grace_ms=int(settings.grace_s * 1000), concurrency=settings.request_concurrency
    )
    automatic = automatic_of(settings)
    configured = automatic.configured
    listing = Listing(sources, database, store)
    runs = MarketRuns(sources, listing, database, store, configured, options)
    configs = MarketConfigs(sources.exchanges, listing, configured)
    verifying = VerifyParts(
        reader=database,
        checks=checks_of(database.url.get_backend_name()),
        store=store,
        options=options,
        source_of=sources.get,
    )
    return MarketParts(runs, configs, VerifyRuns(verifying), sources, store, automatic)


def _kinds(market: MarketParts) -> Sequence[RunKind]:
    runs, configs, verify = market.runs, market.configs, market.verify
    return [
        RunKind(
            name=COLLECTION,
            work=runs.collect,
            log=_of_collection,
            plan=configs.scheduled,
            judged=True,
        ),
        RunKind(
            name=SCHEDULED_COLLECTION, work=runs.collect, log=_of_collection, plan=configs.scheduled
        ),
        RunKind(name=BACKFILL, work=runs.collect, log=_of_collection),
        RunKind(name=AUDIT, work=runs.collect, log=_of_collection, plan=configs.scheduled_audit),
        RunKind(
            name=SYMBOL_REFRESH,
            work=runs.refresh,
            log=_of_exchange,
            plan=configs.scheduled_refresh,
            judged=True,
        ),
        RunKind(name=VERIFY, work=verify.work, log=_of_exchange),
    ]


def _of_collection(run: Run) -> Sequence[LogEntry]:
    # In the log both kinds of collection have one type; the job name tells them apart.
    return collection_entries(
        COLLECTION if run.kind == SCHEDULED_COLLECTION else run.kind, run.params
    )


def _of_exchange(run: Run) -> Sequence[LogEntry]:
    exchange = run.params.get("exchange")
    return [LogEntry(job_type=run.kind, exchange=None if exchange is None else str(exchange))]


def _schedules(parts: Parts, configured: Configured) -> Sequence[Schedule]:
    settings, params = parts.settings, {"exchange": configured.exchange}
    refresh_s = settings.symbol_refresh_interval
    return [
        Schedule(
            name="refresh_symbols",
            kind=SYMBOL_REFRESH,
            interval_s=refresh_s,
            first_after_s=refresh_s,
            params=params,
        ),
        Schedule(
            name=COLLECT_ALL,
            kind=SCHEDULED_COLLECTION,
            interval_s=settings.collection_interval,
            params=configured.params,
        ),
        Schedule(name=AUDIT, kind=AUDIT, interval_s=_DAY_S, first_after_s=_HOUR_S, params=params),
    ]


async def _first_runs(parts: Parts, market: MarketParts) -> Sequence[Submission]:
    """A symbol refresh if none has run yet and its schedule is awake."""
    asleep = await parts.database.read(
        lambda connection: market.automatic.asleep(connection, SYMBOL_REFRESH)
    )
    if asleep is not None or not await market.runs.needs_symbols():
        return []
    return [symbol_refresh(market.runs.configured.exchange)]


async def check_exchange(
    settings: Settings, exchange: str, budget: Callable[[str, int], Budget]
) -> str:
    """The state of an exchange in words; raises if it cannot be used, or wants no request."""
    declared = source_class(exchange).declaration
    own = budget(_budget_name(settings, declared), declared.limit.window_s)
    async with make_source(exchange, settings, own) as source:
        off_s = (await source.server_time()) / 1000 - time.time()
        return f"reachable at {source.address}, its clock is {off_s:+.1f} s from ours"
