"""The data collector's calls with exactly the published fields and words that scripts use."""

from __future__ import annotations

import re
import uuid
from typing import Any

from tests.api.collector import SILENT, Collector, collector

_ORDER = '{"symbols":["BTCUSDT","ETHUSDT"],"timeframes":["1m","5m","1h"]}'
_JSON = {"Content-Type": "application/json"}
_TASK = {
    "task_id",
    "task_type",
    "status",
    "progress",
    "message",
    "created_at",
    "started_at",
    "completed_at",
    "error",
    "result",
}
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_STATES = {"pending", "running", "completed", "failed", "cancelled"}


async def _start(service: Collector) -> str:
    async with service.session.post(
        "/api/v1/data-collector/start", data=_ORDER, headers=_JSON
    ) as answer:
        assert answer.status == 202
        body = await answer.json()
    assert body.keys() == {"task_id", "status", "message"}
    assert body["status"] == "submitted"
    assert str(uuid.UUID(body["task_id"])) == body["task_id"]
    return str(body["task_id"])


def _check_task(task: dict[str, Any], **expected: object) -> None:
    assert task.keys() >= _TASK
    assert task == task | expected
    for name in ("created_at", "started_at", "completed_at"):
        assert task[name] is None or _UTC.fullmatch(task[name]), task[name]


async def test_a_task_from_its_start_to_its_end(database_url: str) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults(SILENT | {"symbol": "ETHUSDT", "interval": "5m"})
        task_id = await _start(service)
        task = await service.until(
            lambda: service.task(task_id), lambda task: task["progress"] == 83
        )
        _check_task(
            task,
            task_id=task_id,
            task_type="data_collection",
            status="running",
            completed_at=None,
            error=None,
            result=None,
        )
        assert re.fullmatch(r"Collected data for (BTC|ETH)USDT (1m|5m|1h) \(5/6\)", task["message"])
        active = await service.get("/tasks/active")
        assert [task["task_id"] for task in active["tasks"]] == [task_id]
        _check_task(active["tasks"][0], status="running")

        status, problem = await service.call(
            "POST", "/start", {"symbols": ["ETH/USDT"], "timeframes": ["5m"]}
        )
        assert (status, problem["code"], problem["status"], problem["task_id"]) == (
            409,
            "conflict",
            409,
            task_id,
        )
        assert problem["detail"].startswith(
            f"Data collection already running: task {task_id} holds "
        )

        status, answer = await service.call("POST", f"/task/{task_id}/cancel")
        assert (status, answer["task_id"]) == (200, task_id)
        _check_task(await service.ended(task_id), status="cancelled", error=None)
        status, problem = await service.call("POST", f"/task/{task_id}/cancel")
        assert (status, problem["code"]) == (409, "conflict")

        await service.exchange.faults()
        again = await _start(service)
        _check_task(await service.ended(again), status="completed", progress=100, error=None)
        listed = (await service.get("/tasks?task_type=data_collection"))["tasks"]
        assert [(task["task_id"], task["status"]) for task in listed] == [
            (again, "completed"),
            (task_id, "cancelled"),
        ]


async def test_statistics_and_status_have_the_published_fields(database_url: str) -> None:
    async with collector(database_url) as service:
        await service.ended(await _start(service))
        statistics = await service.get("/tasks/stats")
        assert statistics.keys() == {"task_counts", "active_tasks_count", "data_collector_status"}
        assert statistics["task_counts"] == dict.fromkeys(_STATES, 0) | {"completed": 1}
        assert statistics["data_collector_status"].keys() == {
            "symbols_count",
            "timeframes",
            "available_symbols",
        }
        assert statistics["data_collector_status"]["timeframes"] == [
            "1m",
            "5m",
            "15m",
            "1h",
            "4h",
            "1d",
        ]
        status = await service.get("/status")
        assert status.keys() == {
            "is_running",
            "symbols_count",
            "active_tasks",
            "collection_interval",
            "symbols",
            "scheduler_status",
        }
        assert (
            status["symbols_count"]
            == len(status["symbols"])
            == statistics["data_collector_status"]["symbols_count"]
        )


async def test_symbols_are_refreshed_and_prices_are_returned(database_url: str) -> None:
    async with collector(database_url) as service:
        status, answer = await service.call("POST", "/refresh-symbols")
        assert (status, answer["status"]) == (202, "submitted")
        _check_task(
            await service.ended(answer["task_id"]),
            task_type="symbol_refresh",
            status="completed",
            progress=100,
        )
        await service.ended(await _start(service))
        prices = (await service.get("/latest-prices"))["prices"]
        assert {price["symbol"] for price in prices} == {"BTC/USDT", "ETH/USDT"}
        assert all(isinstance(price["price"], str) for price in prices)


async def test_a_curl_request_without_a_json_content_type_is_refused_with_the_reason(
    database_url: str,
) -> None:
    """`curl -d` declares a form unless a content type is given."""
    async with collector(database_url, work=False) as service:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        async with service.session.post(
            "/api/v1/data-collector/start", data=_ORDER, headers=form
        ) as answer:
            problem = await answer.json()
        assert answer.status == 422
        assert "Content-Type: application/json" in problem["detail"]
        assert (await service.get("/tasks"))["tasks"] == []


async def test_a_collection_can_reach_back_to_a_time(database_url: str) -> None:
    async with collector(database_url) as service:
        for since in ("2023-05-17T06:00:00Z", "2023-05-17T08:00:00+02:00"):
            task = await service.ended(await service.start("BTCUSDT", "1h", since=since))
            assert (task["status"], task["counters"]["rejected"]) == ("completed", 0)
            candles = (await service.get("/api/v1/candles?symbol=BTCUSDT&timeframe=1h&limit=100"))[
                "candles"
            ]
            assert (candles[0]["open_time"], len(candles)) == ("2023-05-17T06:00:00Z", 7)
