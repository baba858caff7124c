"""The service in numbers, as Prometheus reads them. docs/metrics.md lists every name.

A scrape reads what is active, and what ended since the last scrape; no single run is asked for.
Runs and candles are those of the whole database, whichever process worked on them, so several
services on one database show the same numbers.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter as Tally
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from penstock.api.schemas.task import STATUS
from penstock.domains.market import MarketParts
from penstock.errors import StoreUnavailableError
from penstock.inventory.snapshot import INVENTORY_SYNC
from penstock.market.queries.gaps import gap_counts, restatements
from penstock.runs.run import Counters, RunState
from penstock.store.write.alerts.lists import firing_counts
from penstock.store.write.budget import budgets_used

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from penstock.api.live.hub import Hub
    from penstock.api.metrics.loop_lag import LoopLag
    from penstock.app import App
    from penstock.market.collect.coverage import SpanState
    from penstock.runs.queries import ActiveRuns, RunRow
    from penstock.store.write.budget import BudgetUsed

_DURATIONS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 21_600)
_AT_ONCE = 10_000
# A run's end time is set before its transaction is committed, so the newest are read again.
_OVERLAP_MS = 60_000


class _Found(NamedTuple):
    """What one scrape reads from the database."""

    ended: Sequence[RunRow]
    active: Sequence[ActiveRuns]
    budgets: Sequence[BudgetUsed]
    firing: Mapping[str, int]
    gaps: Mapping[SpanState, int]
    restated: int


class Metrics:
    """The metrics of one process. Counters count from its start."""

    def __init__(self, app: App, lag: LoopLag, hub: Hub) -> None:
        self._app = app
        self._lag_measured = lag
        self._hub = hub
        self._since = time.monotonic()
        self._ended_at = 0
        self._counted: dict[int, int] = {}
        # Of ended runs: False is of candles, True of products.
        self._written = {False: Counters(), True: Counters()}
        self._shown: Tally[Counter] = Tally()
        self._scraping = asyncio.Lock()
        # The time at which each counter was made is noise.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._make_metrics()

    def _make_metrics(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, buckets=_DURATIONS_S, registry=self.registry)
        self._active = gauge(
            "penstock_active_runs", "Runs that are queued or running", ["kind", "status"]
        )
        self._queue = gauge("penstock_queue_length", "Runs that wait to be started")
        self._stuck = gauge(
            "penstock_stuck_runs",
            "Running runs without progress for longer than PENSTOCK_STUCK_AFTER_S",
        )
        self._runs = counter("penstock_runs", "Ended runs", ["kind", "status"])
        self._retries = counter(
            "penstock_run_retries", "Starts of ended runs after the first", ["kind"]
        )
        self._duration = histogram("penstock_run_duration_seconds", "From start to end", ["kind"])
        self._wait = histogram("penstock_run_wait_seconds", "From submission to start", ["kind"])
        self._errors = counter(
            "penstock_errors",
            "Failed runs, and failed series of other runs, by error code",
            ["kind", "code"],
        )
        self._candles = counter(
            "penstock_candles_written", "Candles inserted or updated", ["change"]
        )
        self._products = counter(
            "penstock_products_written", "Products of inventories inserted or updated", ["change"]
        )
        self._rejected = counter(
            "penstock_candles_rejected", "Rows of an exchange that were refused"
        )
        self._requests = counter("penstock_source_requests", "Requests to exchanges")
        self._up = gauge("penstock_database_up", "1 when the database answered this scrape")
        self._used = gauge(
            "penstock_provider_weight_used",
            "Request weight used in the running minute, all processes",
            ["provider"],
        )
        self._pause = gauge(
            "penstock_provider_pause_seconds",
            "How long the provider asked us to wait",
            ["provider"],
        )
        self._gaps = gauge(
            "penstock_gaps", "Ranges of series that are missing, by reason", ["reason"]
        )
        self._repeats = gauge(
            "penstock_gap_requests",
            "Repeated requests for gaps in the running minute",
            ["provider"],
        )
        self._repeats_share = gauge(
            "penstock_gap_requests_share", "Their share of what the provider allows", ["provider"]
        )
        self._restated = gauge(
            "penstock_restatements", "Closed candles that an exchange has changed"
        )
        self._firing = gauge("penstock_alerts_firing", "Alerts that fire", ["rule"])
        self._lag = gauge("penstock_event_loop_lag_seconds", "Of the last minute", ["statistic"])
        self._clients = gauge("penstock_websocket_clients", "Open connections")
        self._messages = counter("penstock_websocket_messages", "Messages sent")
        self._resyncs = counter("penstock_websocket_resyncs", "Resyncs that clients were sent")
        self._evictions = counter(
            "penstock_websocket_evictions", "Clients cut off because they did not read"
        )
        ProcessCollector(registry=self.registry)

    async def scrape(self) -> bytes:
        """The text of a scrape; without the database, what this process knows by itself."""
        async with self._scraping:
            self._show_process()
            try:
                found = await self._read()
            except StoreUnavailableError:
                found = None
            # Thousands of runs may have ended since the last scrape.
            return await asyncio.to_thread(self._shown_text, found)

    async def _read(self) -> _Found:
        ago_s = time.monotonic() - self._since
        begin = self._ended_at - _OVERLAP_MS if self._ended_at else None
        runs, rules = self._app.runs, self._app.health.rules.names
        return await self._app.database.read(
            lambda connection: _Found(
                runs.ended_since(connection, begin, ago_s=ago_s, limit=_AT_ONCE),
                runs.active(connection),
                budgets_used(connection),
                firing_counts(connection, rules),
                gap_counts(connection),
                restatements(connection),
            )
        )

    def _shown_text(self, found: _Found | None) -> bytes:
        self._up.set(found is not None)
        if found is not None:
            self._show(found)
        return generate_latest(self.registry)

    def _show(self, found: _Found) -> None:
        for run in found.ended:
            if run.id not in self._counted:
                self._counted[run.id] = run.finished_at or 0
                self._count(run)
        self._ended_at = max([self._ended_at, *self._counted.values()])
        newest = self._ended_at - _OVERLAP_MS
        self._counted = {run: at for run, at in self._counted.items() if at >= newest}
        self._show_active(found.active)
        self._show_written(found.active)
        self._show_budgets(found.budgets)
        self._restated.set(found.restated)
        for reason, count in found.gaps.items():
            self._gaps.labels(reason).set(count)
        for rule, count in found.firing.items():
            self._firing.labels(rule).set(count)

    def _count(self, run: RunRow) -> None:
        ended_at = run.finished_at or 0
        self._runs.labels(run.kind, STATUS[run.state]).inc()
        self._retries.labels(run.kind).inc(run.attempt - 1)
        if run.started_at is not None:
            self._duration.labels(run.kind).observe((ended_at - run.started_at) / 1000)
            self._wait.labels(run.kind).observe((run.started_at - run.created_at) / 1000)
        for code, count in _error_codes(run.result).items():
            self._errors.labels(run.kind, code).inc(count)
        self._written[run.kind == INVENTORY_SYNC] += run.counters

    def _show_active(self, active: Iterable[ActiveRuns]) -> None:
        self._active.clear()
        for runs in active:
            self._active.labels(runs.kind, STATUS[runs.state]).set(runs.count)
        self._queue.set(sum(runs.count for runs in active if runs.state is RunState.QUEUED))
        self._stuck.set(sum(runs.stuck for runs in active))

    def _show_written(self, active: Iterable[ActiveRuns]) -> None:
        """Count ended runs and active ones.

        One that ended between the two reads is in neither until the next scrape, so no counter
        may go down.
        """
        written = dict(self._written)
        for runs in active:
            written[runs.kind == INVENTORY_SYNC] += runs.counters
        candles, products = written[False], written[True]
        for change in ("inserted", "updated"):
            self._raise(self._candles.labels(change), getattr(candles, change))
            self._raise(self._products.labels(change), getattr(products, change))
        self._raise(self._rejected, candles.rejected)
        self._raise(self._requests, candles.requests + products.requests)

    def _show_budgets(self, budgets: Iterable[BudgetUsed]) -> None:
        sources = self._app.of(MarketParts).sources
        for budget in budgets:
            provider = budget.provider
            self._used.labels(provider).set(budget.used)
            self._pause.labels(provider).set(budget.pause_s)
            self._repeats.labels(provider).set(budget.repeats)
            if (allowed := sources.pages_per_minute(provider)) is not None:
                self._repeats_share.labels(provider).set(budget.repeats / allowed)

    def _show_process(self) -> None:
        p99_ms, worst_ms = self._lag_measured.worst_ms()
        self._lag.labels("p99").set(p99_ms / 1000)
        self._lag.labels("max").set(worst_ms / 1000)
        self._clients.set(len(self._hub.clients))
        traffic = self._hub.traffic
        self._raise(self._messages, traffic.sent)
        self._raise(self._resyncs, traffic.resyncs)
        self._raise(self._evictions, traffic.evictions)

    def _raise(self, counter: Counter, total: int) -> None:
        counter.inc(max(0, total - self._shown[counter]))
        self._shown[counter] = max(total, self._shown[counter])


def _error_codes(result: Mapping[str, object] | None) -> dict[str, int]:
    codes = (result or {}).get("error_codes")
    return (
        {str(code): int(count) for code, count in codes.items()} if isinstance(codes, dict) else {}
    )
