"""POST /verify: a task whose result is the report."""

from __future__ import annotations

from tests.api.collector import collector


async def test_a_verification_is_a_task_with_a_report_and_a_row_in_the_log(
    database_url: str,
) -> None:
    async with collector(database_url) as service:
        await service.collect("BTCUSDT", "1m 1h", limit=200)
        status, body = await service.call(
            "POST", "/api/v1/verify", {"symbols": ["BTCUSDT"], "against": "rest"}
        )
        assert (status, body["status"]) == (202, "submitted")
        task = await service.ended(body["task_id"])
        assert (task["task_type"], task["status"], task["error"]) == ("verify", "completed", None)
        result = task["result"]
        assert (result["wrong"], result["candles"], result["compared"]) == (0, 400, 398)
        log = (await service.get("/api/v1/admin/data-collection/execution-logs?job_type=verify"))[0]
        assert (log["status"], log["metadata"]["candles"]) == ("success", 400)


async def test_verify_without_stored_series_or_with_a_bad_option_is_refused(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database, work=False) as service:
        assert (await service.call("POST", "/api/v1/verify"))[0] == 404
        assert (await service.call("POST", "/api/v1/verify", {"against": "archive"}))[1][
            "field"
        ] == "against"


async def test_a_repair_is_refused_while_a_task_holds_its_series_and_a_verification_is_not(
    sqlite_database: str,
) -> None:
    async with collector(sqlite_database) as service:
        await service.collect("BTCUSDT", "1m", limit=20)
        await service.exchange.faults({"name": "hang", "path": "/api/v3/klines"})
        busy = await service.start("BTCUSDT", "1m")
        await service.running(busy)
        refused, problem = await service.call("POST", "/api/v1/verify", {"repair": True})
        assert (refused, problem["task_id"]) == (409, busy)
        looked = await service.call("POST", "/api/v1/verify")
        assert (await service.ended(looked[1]["task_id"]))["status"] == "completed"


async def test_a_running_verification_is_cancelled(sqlite_database: str) -> None:
    async with collector(sqlite_database) as service:
        await service.collect("BTCUSDT", "1m", limit=20)
        await service.exchange.faults({"name": "hang", "path": "/api/v3/klines"})
        _, body = await service.call("POST", "/api/v1/verify", {"against": "rest"})
        await service.running(body["task_id"])
        await service.call("POST", f"/task/{body['task_id']}/cancel")
        assert (await service.ended(body["task_id"]))["status"] == "cancelled"
