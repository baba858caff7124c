"""Lists, statistics and status of tasks over HTTP."""

from __future__ import annotations

from tests.api.collector import SILENT, collector


async def test_an_ended_task_leaves_the_lists_but_can_still_be_requested(database_url: str) -> None:
    async with collector(database_url, task_cleanup_delay=0.3) as service:
        task_id = await service.start()
        await service.ended(task_id)
        await service.until(lambda: service.get("/tasks"), lambda page: not page["tasks"])
        assert sum((await service.get("/tasks/stats"))["task_counts"].values()) == 0
        assert (await service.task(task_id))["status"] == "completed"


async def test_lists_are_filtered_and_paged(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        ids = [
            await service.start(symbol)
            for symbol in ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
        ]
        await service.call("POST", "/refresh-symbols")
        await service.call("POST", f"/task/{ids[0]}/cancel")
        listed, cursor = [], ""
        while True:
            page = await service.get(f"/tasks?task_type=data_collection&limit=2{cursor}")
            listed += [task["task_id"] for task in page["tasks"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert listed == ids[::-1]
        assert {task["task_type"] for task in (await service.get("/tasks"))["tasks"]} == {
            "data_collection",
            "symbol_refresh",
        }
        active = (await service.get("/tasks/active?task_type=data_collection"))["tasks"]
        assert [task["task_id"] for task in active] == ids[:0:-1]
        assert (await service.get("/tasks?task_type=backfill"))["tasks"] == []
        for query in (
            "limit=0",
            "limit=501",
            "cursor=0",
            "cursor=x",
            f"cursor={2**63}",
            "task_type=%00",
            "kind=x",
        ):
            assert (await service.call("GET", f"/tasks?{query}"))[0] == 422


async def test_statistics_count_by_status(database_url: str) -> None:
    async with collector(
        database_url, symbols="BTC/USDT", timeframes="1m,1h", run_attempts=1
    ) as service:
        await service.collect("BTCUSDT")
        await service.exchange.faults({"name": "server_error", "symbol": "ETHUSDT"}, SILENT)
        await service.collect("ETHUSDT")
        await service.running(await service.start("BNBUSDT"))
        await service.start("BNBUSDT", wait=True)
        cancelled = await service.start("BNBUSDT", wait=True)
        await service.call("POST", f"/task/{cancelled}/cancel")
        statistics = await service.get("/tasks/stats")
        assert statistics["task_counts"] == {
            "pending": 1,
            "running": 1,
            "completed": 1,
            "failed": 1,
            "cancelled": 1,
        }
        assert statistics["active_tasks_count"] == 2
        collected = statistics["data_collector_status"]
        assert (collected["symbols_count"], collected["timeframes"]) == (1, ["1m", "1h"])
        assert {"BTC/USDT", "ETH/USDT"} < set(collected["available_symbols"])


async def test_status_shows_the_activity_of_the_collector(sqlite_database: str) -> None:
    async with collector(sqlite_database, symbols="BTC/USDT,ETHUSDT") as service:
        await service.exchange.faults(SILENT)
        idle = await service.get("/status")
        assert idle == {
            "is_running": True,
            "symbols_count": 2,
            "active_tasks": 0,
            "collection_interval": 300,
            "symbols": ["BTC/USDT", "ETHUSDT"],
            "scheduler_status": {
                "is_running": False,
                "collection_interval": 300,
                "symbol_refresh_interval": 3600,
                "data_collection_running": False,
                "active_tasks_count": 0,
                "scheduler_task_types": ["scheduled_data_collection"],
                "default_schedule": None,
            },
        }
        task_id = await service.start("BTCUSDT")
        assert (await service.get("/status"))["active_tasks"] == 1
        await service.until(
            lambda: service.get("/status"),
            lambda status: status["scheduler_status"]["data_collection_running"],
        )
        await service.call("POST", f"/task/{task_id}/cancel")
        await service.ended(task_id)
        await service.until(
            lambda: service.get("/status"), lambda status: status["active_tasks"] == 0
        )


async def test_scheduled_tasks_are_listed_beside_manual_ones(sqlite_database: str) -> None:
    async with collector(
        sqlite_database, symbols="BTC/USDT", timeframes="1m,5m", scheduler_delay_s=0
    ) as service:
        await service.exchange.faults(SILENT)
        manual = await service.start("BTCUSDT", "1m")
        async with service.app.scheduling():
            page = await service.until(
                lambda: service.get("/tasks/active?task_type=scheduled_data_collection"),
                lambda page: page["tasks"] and page["tasks"][0]["started_at"],
            )
            (scheduled,) = page["tasks"]
            assert scheduled["job_name"] == "collect_data_all"
            assert manual in {
                task["task_id"] for task in (await service.get("/tasks/active"))["tasks"]
            }
            status = (await service.get("/status"))["scheduler_status"]
            assert (status["is_running"], status["active_tasks_count"]) == (True, 1)
            ready = await service.get("/readyz")
            assert (ready["executor"], ready["scheduler"]) == ("running", "running")
            assert ready["last_tick"].endswith("Z")
