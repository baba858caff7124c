"""The state of the whole installation in one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from penstock.alerts.book import AlertState
from penstock.api.routes.parts import DomainsDep, ExecutorDep, MarketDep, StoreDep, TasksDep
from penstock.api.schemas.alert import AlertShown
from penstock.api.schemas.execution_log import Day, Stats
from penstock.api.schemas.problem import documented
from penstock.api.schemas.summary import BEATS, BudgetShown, JobShown, SeriesCount, Summary
from penstock.collection.jobs import count_jobs, failed_first, next_jobs
from penstock.columns import read_clock
from penstock.inventory.queries.accounts import count_accounts
from penstock.market.queries.coverage import count_series
from penstock.moment import iso
from penstock.runs import execution_logs as logs
from penstock.runs.beats import beats
from penstock.store.write.alerts import lists
from penstock.store.write.budget import budgets_used
from penstock.store.write.configs import count_configs

if TYPE_CHECKING:
    from penstock.domains.market import MarketSources
    from penstock.store.session.database import Transaction

router = APIRouter(prefix="/api/v1/summary", tags=["service"])

_JOBS, _UPCOMING, _ALERTS = 12, 6, 20
_HOURS, _DAYS = 24, 14


@router.get("", response_model=Summary, responses=documented(503))
async def get_summary(
    store: StoreDep, tasks: TasksDep, executor: ExecutorDep, domains: DomainsDep, market: MarketDep
) -> Response:
    """The state of the whole installation, as the first page of the dashboard shows it."""

    def read(connection: Transaction) -> Summary:
        workers = tasks.ledger.workers(connection)
        jobs = failed_first(connection, domains.asleep, limit=_JOBS)
        beats_of = beats(connection, [job.name for job in jobs], most=BEATS)
        enabled, disabled, _ = count_configs(connection)
        alerts = lists.list_alerts(
            connection, lists.AlertList(limit=_ALERTS, state=AlertState.FIRING)
        )
        return Summary.made(
            {
                "now": iso(read_clock(connection)),
                "working": executor.running if workers is None else workers > 0,
                "series": SeriesCount.of(count_series(connection)),
                "configs": enabled + disabled,
                "enabled_configs": enabled,
                "accounts": count_accounts(connection),
                "day": Stats.of(logs.log_stats(connection, hours=_HOURS)),
                "days": [Day.of(row) for row in logs.records_per_day(connection, days=_DAYS)],
                "jobs": [JobShown.of(job, beats_of.get(job.name, [])) for job in jobs],
                "jobs_total": count_jobs(connection),
                "upcoming": [
                    JobShown.of(job, [])
                    for job in next_jobs(connection, domains.asleep, limit=_UPCOMING)
                ],
                "budgets": _budgets(connection, market.sources),
                "alerts": [AlertShown.of(alert) for alert in alerts],
                "firing": sum(lists.firing_counts(connection, ()).values()),
            }
        )

    return await store.answer(read)


def _budgets(connection: Transaction, sources: MarketSources) -> list[BudgetShown]:
    return [
        BudgetShown(
            provider=budget.provider,
            used=budget.used,
            allowed=sources.allowed(budget.provider),
            pause_seconds=budget.pause_s,
        )
        for budget in budgets_used(connection)
    ]
