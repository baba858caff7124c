from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.budget.calls import REFRESH
from tests.budget.provider import Provider, hostile
from tests.budget.service import settings_of, spending
from tests.budget.threads import in_thread
from tests.simulated import simulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.budget.spending import Spending
    from tests.databases import Databases


# These take a minute for each database.
_LONG = ("test_client", "test_hours", "test_provider")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long tests on PostgreSQL, unless all are run in full."""
    if not config.getoption("--full"):
        left_out = [item for item in items if _is_long(item) and "[postgresql]" in item.name]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _is_long(item: pytest.Item) -> bool:
    return item.path.parent == Path(__file__).parent and item.path.stem in _LONG


@pytest.fixture(scope="module")
def informed(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spending]:
    """A service that knows an exchange with hundreds of symbols, for all tests of a module."""
    folder = tmp_path_factory.mktemp("budget")
    with (
        databases.fresh("sqlite", folder) as url,
        in_thread(simulated(symbols=600), "simulator") as exchange,
        spending(settings_of(url, exchange.value.url, folder)) as found,
    ):
        door = found.service.value.door
        assert door.ended(door.post(REFRESH)["task_id"])["status"] == "completed"
        yield found


@pytest.fixture
def spent(informed: Spending) -> Spending:
    """The same, with nothing spent yet."""
    informed.begin()
    return informed


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that can be told to be hostile."""
    with (
        in_thread(simulated(symbols=3, accounts=("demo:30",), expansions=2), "simulator") as true,
        hostile(true.value.url) as found,
    ):
        yield found
