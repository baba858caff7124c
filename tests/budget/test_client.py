"""A hostile client, with a token of each scope and without one, spends no more than its budget."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.budget.generating import generated
from tests.budget.requests import requests
from tests.budget.service import assert_heals, settings_of, spending
from tests.budget.threads import in_thread
from tests.simulated import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from penstock.settings import Settings
    from tests.budget.spending import Spending
    from tests.conftest import Say
    from tests.trials import Trials

# What is collected never arrives, so that the work of runs is not counted.
_SILENT = [{"name": "hang", "path": path} for path in ("/api/v3/klines", "/api/v2/products/export")]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Those of a service whose providers list what they have and then fall silent."""
    with in_thread(simulated(accounts=("demo:300",), expansions=2), "simulator") as exchange:
        exchange.run(exchange.value.faults(*_SILENT))
        yield settings_of(database_url, exchange.value.url, tmp_path)


def test_no_request_costs_more_than_its_budget(
    settings: Settings, trials: Trials, say: Say
) -> None:
    with spending(settings) as spent:
        # Of each route: statements, compiled once.
        spent.kept = 12_000_000
        send_requests(spent, trials.of(100, 3_000), trials.seed)
        say(f"{spent.check()}, seed {trials.seed}")
    assert_heals(settings)


def send_requests(spent: Spending, count: int, number: int) -> None:
    """Send so many requests, generated from the service's own document."""
    door = spent.service.value.door

    sent = generated(requests(door.get("/openapi.json")), count, number)
    spent.begin()
    for request in sent:
        with spent.message(request, request.bytes), contextlib.suppress(ConnectionError):
            spent.answer(request, request.sent_to(door))
