"""`/api/v1/pauses`: the pauses that providers asked for, and how a user ends one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from penstock.domains.market import MarketParts
from penstock.store.write.budget import SqlBudget
from tests.api.collector import Collector, collector
from tests.engine.engines import background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PAUSES = "/api/v1/pauses"
_LIST = "/api/v3/exchangeInfo"
_BAN = {"name": "ban", "retry_after": 7_200, "count": 1, "path": _LIST}


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Collector]:
    async with collector(database_url, run_retry_s=0.1) as found:
        yield found


async def _banned(service: Collector) -> tuple[str, dict[str, Any]]:
    """A task that waits for the end of a ban, and the pause as it is listed."""
    await service.exchange.faults(_BAN)
    status, submitted = await service.call("POST", "/refresh-symbols")
    assert status == 202, submitted
    task_id = submitted["task_id"]
    await service.until(
        lambda: service.task(task_id),
        lambda task: task["status"] == "pending" and task["next_try_at"],
    )
    [pause] = (await service.get(_PAUSES))["items"]
    return task_id, pause


async def test_a_lifted_pause_lets_the_tasks_that_wait_for_it_start_at_once(
    service: Collector,
) -> None:
    assert await service.get(_PAUSES) == {"items": [], "next_cursor": None}
    task_id, pause = await _banned(service)
    assert 7_100 < pause["seconds_left"] <= 7_200
    assert pause["until"].endswith("Z")
    status, lifted = await service.call("POST", f"{_PAUSES}/lift", {"provider": pause["provider"]})
    assert (status, lifted) == (200, {"provider": pause["provider"], "tasks": 1})
    assert (await service.ended(task_id))["status"] == "completed"
    assert (await service.get(_PAUSES))["items"] == []
    asked = await service.exchange.asked(_LIST)
    assert [request["status"] for request in asked] == [418, 200]


async def test_a_part_of_the_name_is_enough_unless_several_providers_have_it(
    service: Collector,
) -> None:
    for name in ("https://api.cardtrader.com 1f", "https://api.cardtrader.com 2f"):
        await SqlBudget(service.app.database, name).pause(90)
    for given, status, words in (
        ("binance", 404, "'binance' is not paused; paused: 'https://api.cardtrader.com 1f'"),
        ("cardtrader", 422, "'cardtrader' can mean 'https://api.cardtrader.com 1f', 'https"),
    ):
        answer, problem = await service.call("POST", f"{_PAUSES}/lift", {"provider": given})
        assert (answer, words in problem["detail"]) == (status, True), problem
    status, lifted = await service.call("POST", f"{_PAUSES}/lift", {"provider": "2f"})
    assert (status, lifted["provider"]) == (200, "https://api.cardtrader.com 2f")
    assert [pause["provider"] for pause in (await service.get(_PAUSES))["items"]] == [
        "https://api.cardtrader.com 1f"
    ]


async def test_a_pause_beyond_all_belief_is_none(service: Collector) -> None:
    budget = SqlBudget(service.app.database, "binance")
    await budget.pause(100 * 365 * 86_400)
    assert (await service.get(_PAUSES))["items"] == []
    status, problem = await service.call("POST", f"{_PAUSES}/lift", {"provider": "binance"})
    assert (status, problem["detail"]) == (
        404,
        "provider: 'binance' is not paused; no provider is",
    )


async def test_a_request_that_waits_in_another_process_is_sent_once_the_pause_is_lifted(
    postgres_database: str,
) -> None:
    # Two services on one database: one is told to wait, a user of the other one knows better.
    async with (
        collector(postgres_database, request_longest_pause_s=60.0) as there,
        collector(postgres_database) as here,
    ):
        await there.exchange.faults(
            {"name": "rate_limit", "retry_after": 50, "count": 1, "path": _LIST}
        )
        source = await there.app.of(MarketParts).sources.get("binance")
        async with background(_asked(source)) as asking:
            await there.until(lambda: _waits(source), bool)
            [pause] = (await here.get(_PAUSES))["items"]
            order = {"provider": pause["provider"]}
            assert (await here.call("POST", f"{_PAUSES}/lift", order))[0] == 200
            await there.until(lambda: _done(asking), bool)
        asked = await there.exchange.asked(_LIST)
        assert [request["status"] for request in asked] == [429, 200]
        assert asked[1]["at"] - asked[0]["at"] < pause["seconds_left"]


async def _asked(source: Any) -> None:  # noqa: ANN401 - the source of a plugin
    await source.instruments()


async def _waits(source: Any) -> bool:  # noqa: ANN401 - as above
    return source.waiting() is not None


async def _done(task: Any) -> bool:  # noqa: ANN401 - a task of anything
    return bool(task.done())
