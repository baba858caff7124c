"""Execution logs, statistics and reports over HTTP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from penstock.runs.tables import execution_log
from tests.api.collector import Collector, collector

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

ADMIN = "/api/v1/admin/data-collection"
LOGS = f"{ADMIN}/execution-logs"
LOG = {
    "id",
    "job_name",
    "job_type",
    "symbol",
    "exchange",
    "timeframe",
    "started_at",
    "finished_at",
    "duration_seconds",
    "status",
    "records_collected",
    "error_message",
    "metadata",
}
HOUR_MS = 3_600_000


async def fill(service: Collector, rows: Sequence[dict[str, Any]]) -> None:
    """Store rows that succeeded a moment ago, except where they say otherwise."""
    now = int(time.time() * 1000) - 1_000
    usual = {
        "run_id": 1,
        "job_name": "collect_data_1",
        "job_type": "data_collection",
        "symbol": "BTC/USDT",
        "exchange": "binance",
    }
    usual |= {
        "started_at": now,
        "finished_at": now,
        "duration_seconds": 2.0,
        "status": "success",
        "records_collected": 10,
        "error_message": None,
    }
    await service.app.database.write(
        lambda connection: connection.execute(insert(execution_log), [usual | row for row in rows])
    )


async def ids(service: Collector, query: str) -> list[int]:
    return [row["id"] for row in await service.get(f"{LOGS}?{query}")]


async def test_a_collection_is_logged_for_each_of_its_symbols(database_url: str) -> None:
    async with collector(database_url) as service:
        await service.collect("BTCUSDT ETHUSDT", "1m 5m 1h")
        rows = await service.get(LOGS)
        assert [row.keys() for row in rows] == [LOG, LOG]
        assert {row["symbol"] for row in rows} == {"BTC/USDT", "ETH/USDT"}
        logged = rows[0]
        assert (
            logged["status"],
            logged["records_collected"],
            logged["timeframe"],
            logged["job_type"],
        ) == (
            "success",
            300,
            None,
            "data_collection",
        )
        assert logged["metadata"] == {
            "timeframes_collected": 3,
            "timeframes_failed": 0,
            "timeframes": ["1m", "5m", "1h"],
        }
        assert logged["started_at"] <= logged["finished_at"]
        one = await service.get(f"{LOGS}/{logged['id']}")
        assert one == {**logged, "task_id": one["task_id"]}
        status = await service.get(f"{ADMIN}/status")
        assert (
            status["total_configs"],
            status["active_jobs"],
            len(status["recent_executions"]),
        ) == (0, 0, 2)
        assert status["stats"] == await service.get(f"{ADMIN}/stats")


async def test_execution_logs_are_filtered_by_each_filter_alone_and_combined(
    database_url: str,
) -> None:
    async with collector(database_url, work=False) as service:
        await service.call("POST", f"{ADMIN}/preview", {"symbol": "ETHUSDT"})
        day_ago = int(time.time() * 1000) - 25 * HOUR_MS
        other: list[dict[str, Any]] = [
            {"job_name": "x"},
            {"job_type": "symbol_refresh"},
            {"symbol": "ETH/USDT"},
            {"status": "failed"},
            {"started_at": day_ago},
        ]
        await fill(service, [{}, *other])
        assert await ids(service, "job_name=x") == [2]
        assert await ids(service, "job_type=symbol_refresh") == [3]
        assert await ids(service, "symbol=ETH/USDT") == await ids(service, "symbol=ethusdt") == [4]
        assert await ids(service, "status=failed") == [5]
        before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 24 * 3_600))
        assert await ids(service, f"end_date={before}") == [6]
        assert await ids(service, f"start_date={before}") == [5, 4, 3, 2, 1]
        assert await ids(
            service,
            "job_name=collect_data_1&job_type=data_collection&symbol=BTCUSDT&status=success"
            f"&start_date={before}",
        ) == [1]
        assert await ids(service, "symbol=NOTHING") == []


async def test_cursor_pages_contain_each_row_once_while_rows_are_added(
    database_url: str,
) -> None:
    async with collector(database_url, work=False) as service:
        now = int(time.time() * 1000)
        await fill(service, [{"started_at": now - number // 4} for number in range(50)])
        expected = await ids(service, "limit=1000&status=success")
        assert await ids(service, "skip=10&limit=5") == expected[10:15]
        found: list[int] = []
        following: str | None = f"{LOGS}?limit=7&status=success"
        while following is not None:
            async with service.session.get(following) as answer:
                found += [row["id"] for row in await answer.json()]
                link = answer.headers.get("Link")
            following = None if link is None else link.removeprefix("<").partition(">")[0]
            await fill(service, [{"started_at": now + 1_000}])
        assert found == expected


WRONG_PARAMETERS = [
    ("?sort=unknown", "sort"),
    ("?limit=1001", "limit"),
    ("?skip=-1", "skip"),
    ("?status=done", "status"),
    ("?symbol=a%00b", "symbol"),
    ("?start_date=yesterday", "start_date"),
    ("?end_date=1960-01-01", "end_date"),
    ("?cursor=x", "cursor"),
    ("/99999999999999999999", "log_id"),
    ("/0", "log_id"),
]


async def test_a_wrong_parameter_is_refused_by_its_name(
    sqlite_database: str, subtests: pytest.Subtests
) -> None:
    async with collector(sqlite_database, work=False) as service:
        for path, field in WRONG_PARAMETERS:
            with subtests.test(path):
                status, problem = await service.call("GET", LOGS + path)
                assert (status, problem["field"]) == (422, field)


async def test_a_missing_execution_log_is_not_found(sqlite_database: str) -> None:
    async with collector(sqlite_database, work=False) as service:
        assert (await service.call("GET", f"{LOGS}/{2**63 - 1}"))[0] == 404


async def test_reports_answer_the_most_frequent_questions(database_url: str) -> None:
    async with collector(database_url, work=False) as service:
        failed = {"status": "failed", "records_collected": 0, "error_message": "away"}
        await fill(
            service,
            [
                {},
                {"symbol": "ETH/USDT", "records_collected": 99},
                failed,
                {"exchange": "kraken", "symbol": None},
            ],
        )
        top = await service.get(f"{ADMIN}/reports/top-symbols?days=7")
        assert top == [
            {
                "symbol": "ETH/USDT",
                "executions": 1,
                "records": 99,
                "average_duration_seconds": 2.0,
                "success_rate": 100.0,
            },
            {
                "symbol": "BTC/USDT",
                "executions": 2,
                "records": 10,
                "average_duration_seconds": 2.0,
                "success_rate": 50.0,
            },
        ]
        assert [
            row["error_message"] for row in await service.get(f"{ADMIN}/reports/recent-failures")
        ] == ["away"]
        assert [
            (row["exchange"], row["records"])
            for row in await service.get(f"{ADMIN}/reports/by-exchange")
        ] == [("binance", 109), ("kraken", 10)]
        days = (await service.get(f"{ADMIN}/reports/records-per-day?days=3"))["days"]
        assert [day["records"] for day in days][:1] == [0]
        assert sum(day["records"] for day in days) == 119


async def test_the_retention_run_deletes_rows_older_than_the_retention(database_url: str) -> None:
    async with collector(database_url, execution_log_retention_days=2) as service:
        old = int(time.time() * 1000) - 3 * 24 * HOUR_MS
        await fill(service, [{"started_at": old}, {}, {"started_at": old}])
        async with service.app.scheduling():
            await service.app.database.write(
                lambda connection: connection.exec_driver_sql(
                    "DELETE FROM schedule WHERE name <> 'log_retention'"
                )
            )
            moved = (
                "next_run_at - 36000000"
                if service.app.database.file
                else "next_run_at - interval '10 hours'"
            )
            await service.app.database.write(
                lambda connection: connection.exec_driver_sql(
                    f"UPDATE schedule SET next_run_at = {moved}"
                )
            )
            assert (await service.app.schedules.tick(10)).submitted == ["log_retention"]
        assert await service.until(
            lambda: ids(service, "job_name=collect_data_1"), lambda found: len(found) == 1
        ) == [2]
        [task] = (await service.get("/tasks?task_type=log_retention"))["tasks"]
        assert (await service.ended(task["task_id"]))["result"] == {"deleted": 2}


async def test_the_timeline_counts_executions_by_when_they_started_and_how_they_ended(
    database_url: str,
) -> None:
    async with collector(database_url, work=False) as service:
        now = int(time.time() * 1000)
        hours = [0.01, 0.02, 1.5, 1.6, 23.5, 24.5]
        states = ["running", "success", "failed", "failed", "cancelled", "success"]
        started = [now - int(ago * HOUR_MS) for ago in hours]
        rows = zip(started, states, strict=True)
        await fill(service, [{"started_at": at, "status": status} for at, status in rows])
        bins = (await service.get(f"{ADMIN}/reports/timeline?bins=24"))["bins"]
        assert len(bins) == 24
        assert [one["start"] for one in bins[1:]] == [one["end"] for one in bins[:-1]]
        counts = [
            {name: one[name] for name in ("success", "failed", "cancelled", "running") if one[name]}
            for one in bins
        ]
        assert counts[-1] == {"running": 1, "success": 1}
        assert counts[-2] == {"failed": 2}
        assert counts[0] == {"cancelled": 1}
        assert sum(map(len, counts)) == 4


async def test_one_execution_names_its_task(database_url: str) -> None:
    async with collector(database_url) as service:
        task_id = await service.start()
        await service.ended(task_id)
        [listed] = await service.get(f"{LOGS}?symbol=BTCUSDT")
        found = await service.get(f"{LOGS}/{listed['id']}")
        assert found == {**listed, "task_id": task_id}
        await fill(service, [{"run_id": 4_711, "job_name": "of another time"}])
        [old] = await service.get(f"{LOGS}?job_name=of another time")
        assert (await service.get(f"{LOGS}/{old['id']}"))["task_id"] is None
