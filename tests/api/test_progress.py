"""The progress of a collection in candles, and its waits: in its task and on the WebSocket."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any

from tests.api.collector import ENDED, PATIENCE_S, Collector, collector

if TYPE_CHECKING:
    import aiohttp

_CANDLES = 60_000
_KLINES = "/api/v3/klines"
# Twenty more answers arrive, and the later ones when the faults are changed.
_TWENTY = {"name": "gate", "path": _KLINES, "after": 20}


async def _states(socket: aiohttp.ClientWebSocketResponse, task_id: str) -> list[dict[str, Any]]:
    """The states of a task on the WebSocket until its end."""
    states: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        while not states or states[-1]["status"] not in ENDED:
            message = json.loads((await socket.receive()).data)
            if message["type"] == "task" and message["task_id"] == task_id:
                states.append(message)
    return states


async def _at_least(service: Collector, task_id: str, candles: int) -> dict[str, Any]:
    return await service.until(
        lambda: service.task(task_id), lambda task: task["work"] and task["work"]["done"] >= candles
    )


async def test_one_series_of_60_000_candles_reports_its_progress(database_url: str) -> None:
    async with (
        collector(database_url, request_concurrency=2) as service,
        service.session.ws_connect("/api/v1/ws") as socket,
    ):
        await service.exchange.faults(_TWENTY)
        task_id = await service.start(limit=_CANDLES)
        await socket.send_json({"subscribe": [{"channel": "tasks", "task_id": task_id}]})
        telling = asyncio.create_task(_states(socket, task_id))

        seen = []
        for least in (15_000, 30_000):
            task = await _at_least(service, task_id, least)
            work = task["work"]
            assert (work["unit"], work["total"], task["waiting"]) == ("candles", _CANDLES, None)
            assert task["progress"] == 100 * work["done"] // _CANDLES
            assert work["per_second"] > 0
            assert work["seconds_left"] > 0
            seen.append(task["progress"])
            await service.exchange.faults(_TWENTY)
        assert 0 < seen[0] < seen[1] < 100
        await service.exchange.faults()
        ended = await service.ended(task_id)
        assert (ended["status"], ended["progress"], ended["waiting"]) == ("completed", 100, None)
        assert (ended["work"]["done"], ended["work"]["total"]) == (_CANDLES, _CANDLES)

        states = await telling
        for name in ("done", "total"):
            values = [state["work"][name] for state in states if state["work"]]
            assert values == sorted(values)
        percents = [state["progress"] for state in states]
        assert percents == sorted(percents)
        assert len({percent for percent in percents if 0 < percent < 100}) >= 3
        assert not [
            state
            for state in states
            if state["progress"] == 100 and (state["work"] or {}).get("done") != _CANDLES
        ]


def _left_s(task: dict[str, Any]) -> float:
    return dt.datetime.fromisoformat(task["waiting"]["until"]).timestamp() - time.time()


async def test_the_task_shows_a_wait_for_a_used_up_limit(database_url: str) -> None:
    """A hundred pages at forty a minute: the run waits for a whole minute."""
    async with collector(database_url, binance_weight_per_minute=100) as service:
        task_id = await service.start(limit=100_000)
        task = await service.until(lambda: service.task(task_id), lambda task: task["waiting"])
        assert task["waiting"]["reason"] == "binance's limit"
        assert -1 < _left_s(task) <= 60
        assert task["message"].startswith("Waiting for binance's limit")
        await service.call("POST", f"/task/{task_id}/cancel")
        assert (await service.ended(task_id))["waiting"] is None


async def test_the_task_shows_a_wait_for_a_provider_pause(database_url: str) -> None:
    async with (
        collector(database_url, request_longest_pause_s=30.0) as service,
        service.session.ws_connect("/api/v1/ws") as socket,
    ):
        await service.exchange.faults(
            {"name": "rate_limit", "retry_after": 3, "path": _KLINES, "count": 1}
        )
        task_id = await service.start(limit=20_000)
        await socket.send_json({"subscribe": [{"channel": "tasks", "task_id": task_id}]})
        states = await _states(socket, task_id)
    waits = [state["waiting"] for state in states if state["waiting"]]
    assert {wait["reason"] for wait in waits} == {"binance to let requests in again"}
    untils = [dt.datetime.fromisoformat(wait["until"]) for wait in waits]
    assert max(untils) - min(untils) < dt.timedelta(seconds=1), (
        "it is one wait, whichever request of the run waits"
    )
    assert states[-1]["waiting"] is None
    assert states[-1]["status"] == "completed"


async def test_the_task_shows_a_wait_for_a_silent_provider(sqlite_database: str) -> None:
    async with collector(sqlite_database, request_attempts=20) as service:
        await service.exchange.faults({"name": "server_error", "path": _KLINES})
        task_id = await service.start()
        task = await service.until(lambda: service.task(task_id), lambda task: task["waiting"])
        assert task["waiting"]["reason"] == "binance to answer again"
        await service.call("POST", f"/task/{task_id}/cancel")
        assert (await service.ended(task_id))["waiting"] is None
