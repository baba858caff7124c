"""Tasks of the data collector over HTTP: started, refused, queued, cancelled and followed."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from penstock.domains.market import MarketParts
from penstock.market.tables import instrument
from tests.api.collector import SILENT, collector

if TYPE_CHECKING:
    import pytest


TASK = {
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
    "attempt",
    "next_try_at",
    "job_name",
    "stuck",
    "counters",
    "work",
    "waiting",
}


UNKNOWN = str(uuid.UUID(int=7))


HOURS_S = 10_000


NO_NAMES: tuple[object, ...] = (None, {})


async def test_a_collection_is_submitted_at_once_and_followed_to_its_end(database_url: str) -> None:
    async with collector(database_url) as service:
        status, answer = await service.call(
            "POST", "/start", {"symbols": ["BTCUSDT", "ETH/USDT"], "timeframes": ["1m", "5m"]}
        )
        assert (status, answer.keys(), answer["status"]) == (
            202,
            {"task_id", "status", "message"},
            "submitted",
        )
        assert str(uuid.UUID(answer["task_id"])) == answer["task_id"]
        task = await service.ended(answer["task_id"])
        assert task.keys() == TASK
        assert (task["task_type"], task["status"], task["progress"], task["error"]) == (
            "data_collection",
            "completed",
            100,
            None,
        )
        assert task["created_at"] <= task["started_at"] <= task["completed_at"]
        assert task["completed_at"].endswith("Z")
        assert task["result"]["failures"] == {}
        assert task["counters"]["inserted"] == 400


async def test_a_symbol_is_shown_as_it_was_requested(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service:
        for asked, shown in (
            ("BTCUSDT", "BTCUSDT"),
            ("BTC/USDT", "BTC/USDT"),
            ("btcusdt", "BTCUSDT"),
        ):
            task = await service.collect(asked, "5m")
            assert task["message"] == f"Collected data for {shown} 5m (1/1)"


async def test_without_names_all_configured_series_are_collected(sqlite_database: str) -> None:
    async with collector(
        sqlite_database, symbols="BTC/USDT,ETH/USDT", timeframes="1h,1d"
    ) as service:
        for body in NO_NAMES:
            status, answer = await service.call("POST", "/start", body)
            assert status == 202, answer
            assert (await service.ended(answer["task_id"]))["result"]["series"] == 4, body


async def test_limit_applies_to_an_empty_series(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service:
        assert (await service.collect(limit=7))["counters"]["inserted"] == 7


WRONG_ORDERS: list[tuple[object, str]] = [
    ({"symbool": ["BTCUSDT"]}, "symbool"),
    ({"symbols": []}, "symbols"),
    ({"symbols": "BTCUSDT"}, "symbols"),
    ({"symbols": ["BTCUSDT"] * 5_001}, "symbols"),
    ({"symbols": ["B" * 51]}, "symbols.0"),
    ({"symbols": ["BTC\0USDT"]}, "symbols.0"),
    ({"symbols": ["BTCUSTD"]}, "symbol"),
    ({"timeframes": ["7m"]}, "timeframe"),
    ({"timeframes": ["1m"] * 17}, "timeframes"),
    ({"exchange": "bonance"}, "exchange"),
    ({"limit": 0}, "limit"),
    ({"limit": 10**9}, "limit"),
    ({"max_age": 0}, "max_age"),
    ({"max_age": "nan"}, "max_age"),
    ({"since": "yesterday"}, "since"),
    ({"since": "1969-12-31"}, "since"),
    ({"wait": "perhaps"}, "wait"),
    ([1], ""),
]


async def test_a_wrong_request_is_refused_naming_the_field(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        good = {"symbols": ["BTCUSDT"], "timeframes": ["1m"]}
        for body, field in WRONG_ORDERS:
            with subtests.test(repr(body)[:80]):
                status, problem = await service.call(
                    "POST", "/start", good | body if isinstance(body, dict) else body
                )
                assert (status, problem["code"]) == (422, "invalid_input"), problem
                assert problem["field"].startswith(field)
                assert (await service.get("/tasks"))["tasks"] == []


async def test_the_nearest_names_are_suggested(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        _, problem = await service.call("POST", "/start", {"symbols": ["BTCUSTD"]})
        assert "did you mean BTC/USDT" in problem["detail"]
        _, problem = await service.call(
            "POST", "/start", {"symbols": ["BTCUSDT"], "timeframes": ["7m"]}
        )
        assert "use one of 5m, 3m, 1m" in problem["detail"]


async def test_a_missing_task_is_not_found(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        for method, path in (("GET", "/task/{}"), ("POST", "/task/{}/cancel")):
            status, problem = await service.call(method, path.format(UNKNOWN))
            assert (status, problem["code"]) == (404, "not_found"), path
            assert UNKNOWN in problem["detail"]
            status, problem = await service.call(method, path.format("seven"))
            assert (status, problem["field"]) == (422, "task_id"), path


async def test_overlapping_collections_are_refused_and_disjoint_ones_run_side_by_side(
    database_url: str,
) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults(SILENT)
        first = await service.start("BTCUSDT ETHUSDT", "1m 5m")
        for symbols, timeframes in (("BTCUSDT ETHUSDT", "1m 5m"), ("ETH/USDT BNB/USDT", "5m 1h")):
            status, problem = await service.call(
                "POST", "/start", {"symbols": symbols.split(), "timeframes": timeframes.split()}
            )
            assert (status, problem["code"], problem["task_id"]) == (409, "conflict", first)
            assert problem["detail"].startswith(
                f"Data collection already running: task {first} holds series:binance:"
            )
        beside = [await service.start("BNBUSDT", "5m"), await service.start("ETHUSDT", "1h")]
        for task in (first, *beside):
            await service.running(task)
        assert {task["task_id"] for task in (await service.get("/tasks/active"))["tasks"]} == {
            first,
            *beside,
        }


async def test_twenty_concurrent_requests_give_one_run_and_nineteen_refusals(
    database_url: str,
) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults(SILENT)
        body = {"symbols": ["BTCUSDT", "ETHUSDT"], "timeframes": ["1m", "5m"]}
        answers = await asyncio.gather(*(service.call("POST", "/start", body) for _ in range(20)))
        assert sorted(status for status, _ in answers) == [202] + [409] * 19
        (task_id,) = {answer["task_id"] for _, answer in answers}
        assert [task["task_id"] for task in (await service.get("/tasks"))["tasks"]] == [task_id]


async def test_a_waiting_request_is_queued_behind_the_holder(database_url: str) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults(SILENT)
        first = await service.start("BTCUSDT")
        second = await service.start("BTCUSDT", wait=True)
        await service.running(first)
        waiting = await service.task(second)
        assert (waiting["status"], waiting["started_at"], waiting["message"]) == (
            "pending",
            None,
            "Waiting to be started",
        )
        # From here on the first run hangs for ever; the second one gets answers.
        await service.until(service.exchange.asked, lambda asked: asked)
        await service.exchange.faults()
        await service.call("POST", f"/task/{first}/cancel")
        assert (await service.ended(first))["status"] == "cancelled"
        assert (await service.ended(second))["status"] == "completed"


async def test_a_recent_result_is_returned_instead_of_a_new_run(database_url: str) -> None:
    async with collector(database_url) as service:
        first = await service.start("BTCUSDT", "1m 5m", max_age=HOURS_S)
        await service.ended(first)
        order: dict[str, Any] = {"symbols": ["BTCUSDT"], "timeframes": ["1m", "5m"]}
        status, answer = await service.call("POST", "/start", order | {"max_age": HOURS_S})
        assert (status, answer["task_id"], answer["status"]) == (200, first, "completed")
        await asyncio.sleep(0.01)  # it is ten times as old as it may be, or older
        status, answer = await service.call("POST", "/start", order | {"max_age": 0.001})
        assert (status, answer["status"]) == (202, "submitted")
        assert (await service.ended(answer["task_id"]))["task_id"] != first
        status, answer = await service.call(
            "POST", "/start", order | {"timeframes": ["1m"], "max_age": HOURS_S}
        )
        assert status == 202


async def test_an_idempotency_key_makes_one_task_of_repeated_requests(database_url: str) -> None:
    async with collector(database_url) as service:
        key = {"Idempotency-Key": "one"}
        order = {"symbols": ["BTCUSDT"], "timeframes": ["1m"]}
        answers = await asyncio.gather(
            *(service.call("POST", "/start", order, **key) for _ in range(5))
        )
        assert {status for status, _ in answers} == {202}
        (task_id,) = {answer["task_id"] for _, answer in answers}
        await service.ended(task_id)
        assert await service.call("POST", "/start", order, **key) == answers[0]
        for path, other in (("/start", order | {"timeframes": ["5m"]}), ("/refresh-symbols", None)):
            status, problem = await service.call("POST", path, other, **key)
            assert (status, problem["field"]) == (422, "Idempotency-Key")
        status, problem = await service.call(
            "POST", "/start", order, **{"Idempotency-Key": "k" * 201}
        )
        assert (status, problem["field"]) == (422, "Idempotency-Key")


async def test_an_idempotent_request_stays_the_same_when_the_most_traded_symbols_change(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database) as service:
        await service.ended((await service.call("POST", "/refresh-symbols"))[1]["task_id"])
        first = await service.call(
            "POST", "/start", {"timeframes": ["1d"]}, **{"Idempotency-Key": "daily"}
        )
        assert first[0] == 202
        await service.ended(first[1]["task_id"])
        halted = update(instrument).where(instrument.c.symbol == "BTC/USDT").values(status="HALT")
        await service.app.database.write(lambda connection: connection.execute(halted))
        assert "BTC/USDT" not in await service.app.of(MarketParts).runs.configured_symbols()
        status, again = await service.call(
            "POST", "/start", {"timeframes": ["1d"]}, **{"Idempotency-Key": "daily"}
        )
        assert (status, again["task_id"]) == (202, first[1]["task_id"])
        status, problem = await service.call(
            "POST", "/start", {"timeframes": ["1h"]}, **{"Idempotency-Key": "daily"}
        )
        assert (status, problem["field"]) == (422, "Idempotency-Key")


async def test_a_queued_task_is_cancelled_at_once(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        task_id = await service.start()
        status, answer = await service.call("POST", f"/task/{task_id}/cancel")
        assert (status, answer["task_id"], answer["status"]) == (200, task_id, "cancelled")
        task = await service.task(task_id)
        assert (task["status"], task["started_at"]) == ("cancelled", None)
        assert task["completed_at"]
        status, problem = await service.call("POST", f"/task/{task_id}/cancel")
        assert (status, problem["detail"]) == (409, f"task {task_id} has already ended: cancelled")
        assert await service.start() != task_id


async def test_a_running_task_stops_while_its_source_is_silent_and_keeps_its_pages(
    database_url: str,
) -> None:
    async with collector(database_url) as service:
        await service.exchange.faults(SILENT | {"symbol": "ETHUSDT"})
        task_id = await service.start("BTCUSDT ETHUSDT")
        await service.until(
            lambda: service.task(task_id), lambda task: task["counters"]["inserted"] == 100
        )
        status, answer = await service.call("POST", f"/task/{task_id}/cancel")
        assert (status, answer["status"]) == (200, "running")
        task = await service.ended(task_id)
        assert (task["status"], task["error"], task["counters"]["inserted"]) == (
            "cancelled",
            None,
            100,
        )
        assert (
            len(
                (await service.get("/api/v1/candles?symbol=BTCUSDT&timeframe=1m&limit=500"))[
                    "candles"
                ]
            )
            == 100
        )
        status, _ = await service.call("POST", f"/task/{task_id}/cancel")
        assert status == 409
        await service.exchange.faults()
        assert (await service.collect("BTCUSDT ETHUSDT"))["status"] == "completed"


async def test_one_failing_series_is_listed_and_the_others_are_stored(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service:
        await service.exchange.faults(
            {"name": "server_error", "symbol": "ETHUSDT", "path": "/api/v3/klines"}
        )
        task = await service.collect("BTC/USDT ETH/USDT")
        assert (task["status"], task["error"]) == ("completed", None)
        assert list(task["result"]["failures"]) == ["ETH/USDT 1m"]
        assert task["result"]["error_codes"] == {"source_unavailable": 1}


async def test_a_task_fails_when_every_series_fails_but_not_when_nothing_is_new(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, run_attempts=1) as service:
        await service.exchange.faults({"name": "server_error", "path": "/api/v3/klines"})
        task = await service.collect()
        assert (task["status"], task["result"]) == (
            "failed",
            {"error_codes": {"run_unavailable": 1}},
        )
        assert task["error"].startswith("0 of 1 series finished; ")
        await service.exchange.faults()
        assert (await service.collect())["status"] == "completed"
        again = await service.collect()
        assert (again["status"], again["counters"]["inserted"]) == ("completed", 0)


async def test_a_retry_is_visible_before_it_starts(sqlite_database: str) -> None:
    async with collector(sqlite_database, run_attempts=2, run_retry_s=600) as service:
        await service.exchange.faults({"name": "server_error", "path": "/api/v3/klines"})
        task_id = await service.start()
        task = await service.until(lambda: service.task(task_id), lambda task: task["next_try_at"])
        assert (task["status"], task["attempt"]) == ("pending", 2)
        assert task["error"].startswith("0 of 1 series finished; ")
        assert task["next_try_at"] > task["started_at"]


async def test_symbols_are_refreshed_by_one_task_at_a_time(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service:
        await service.exchange.faults({"name": "hang", "path": "/api/v3/exchangeInfo"})
        status, answer = await service.call("POST", "/refresh-symbols")
        assert (status, answer["status"]) == (202, "submitted")
        status, problem = await service.call("POST", "/refresh-symbols")
        assert (status, problem["task_id"]) == (409, answer["task_id"])
        await service.call("POST", f"/task/{answer['task_id']}/cancel")
        assert (await service.ended(answer["task_id"]))["status"] == "cancelled"
        await service.exchange.faults()
        status, answer = await service.call("POST", "/refresh-symbols")
        task = await service.ended(answer["task_id"])
        assert (task["task_type"], task["status"], task["result"]["symbols"]) == (
            "symbol_refresh",
            "completed",
            12,
        )
        assert task["counters"]["requests"] > 0


async def test_a_run_without_progress_is_flagged(database_url: str) -> None:
    async with collector(database_url, stuck_after_s=0.2) as service:
        await service.exchange.faults(SILENT)
        task_id = await service.start()
        task = await service.until(lambda: service.task(task_id), lambda task: task["stuck"])
        assert task["status"] == "running"
