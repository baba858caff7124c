"""A hostile exchange and a hostile marketplace cost no more than their budget."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.api.steps import steps_on_the_loop
from tests.budget.asking import ask_all
from tests.budget.calls import COLLECTOR, REFRESH
from tests.budget.generating import generated
from tests.budget.provider import CHANGES, MADE, Change, Provider
from tests.budget.service import assert_heals, settings_of, spending
from tests.budget.spending import MOST_STEPS_OF_A_PAGE, OverBudgetError
from tests.budget.threads import Threaded, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from tests.api.steps import Steps
    from tests.budget.calls import Door
    from tests.budget.service import Served
    from tests.conftest import Say
    from tests.trials import Trials


def test_no_answer_to_a_source_costs_more_than_its_budget(
    provider: Provider, trials: Trials, say: Say
) -> None:
    count = trials.of(30, 3_000)
    most = answer_sources(provider, count, trials.seed)
    say(f"{count} changes of 10 answers each: at most {most} steps, seed {trials.seed}")


def test_no_answer_of_many_values_costs_more_than_its_budget(provider: Provider) -> None:
    _answer(provider, [Change(body=body) for body in MADE])


def answer_sources(provider: Provider, count: int, number: int) -> int:
    """Let both sources ask for everything, with changed answers; the most steps of a turn."""
    return _answer(provider, generated(CHANGES, count, number))


def _answer(provider: Provider, changes: Iterable[Change]) -> int:
    with in_thread(_counting(), "sources") as sources:
        for change in changes:
            provider.change = change
            sources.run(ask_all(provider.url))
            if sources.value.most > MOST_STEPS_OF_A_PAGE:
                raise OverBudgetError(f"steps: {sources.value} of {change}")
        return sources.value.most


@contextlib.asynccontextmanager
async def _counting() -> AsyncIterator[Steps]:
    with steps_on_the_loop() as steps:
        await ask_all("http://127.0.0.1:1")
        steps.most = 0
        yield steps


def test_runs_of_a_hostile_provider_end_and_leave_nothing_that_a_restart_does_not_heal(
    provider: Provider, database_url: str, tmp_path: Path, trials: Trials, say: Say
) -> None:
    settings = settings_of(database_url, provider.url, tmp_path, request_longest_pause_s=0)
    count = trials.of(8, 600)
    with spending(settings) as spent:
        account = _prepare(spent.service.value.door, provider)
        sent = generated(CHANGES, count, trials.seed)
        spent.steps = MOST_STEPS_OF_A_PAGE
        # A list may have 32 MiB unpacked; the bomb has 10 MB, and is there twice for a moment.
        spent.at_once = 24_000_000
        spent.begin()
        for change in sent:
            # It meets three runs, and each of them tells at least how it ended.
            with spent.message(change, 50_000):
                provider.change = change
                _run_all(spent.service, account)
        say(f"{spent.check()}, seed {trials.seed}")
    provider.change = Change()
    assert_heals(settings)


def _prepare(door: Door, provider: Provider) -> int:
    """Collect and sync once from a good provider; the number of the account."""
    provider.change = Change()
    account: int = door.post("/api/v1/inventory/accounts", {"name": "shop", "token": "demo"})["id"]
    for task in _tasks(door, account):
        assert door.ended(task)["status"] == "completed"
    return account


def _run_all(service: Threaded[Served], account: int) -> None:
    for task in _tasks(service.value.door, account):
        service.value.door.ended(task)
    service.run(_lift(service.value))


async def _lift(service: Served) -> None:
    """Lift what a provider asked for, so that the next change is seen."""
    await service.app.database.write(
        lambda connection: connection.exec_driver_sql("DELETE FROM provider_budget")
    )


def _tasks(door: Door, account: int) -> list[str]:
    started = [
        (REFRESH, None),
        (f"{COLLECTOR}/start", {"symbols": ["BTCUSDT"], "timeframes": ["1m"]}),
        (f"/api/v1/inventory/accounts/{account}/sync", None),
    ]
    return [door.post(path, body)["task_id"] for path, body in started]
