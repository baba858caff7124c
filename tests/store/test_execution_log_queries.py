"""Readers of the execution log: users' SQL, statistics, the list, retention."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, text

from penstock.runs.execution_logs import LogList, log_rows, log_stats, records_per_day, top_symbols
from penstock.runs.tables import execution_log
from penstock.store.write.retention import delete_old
from tests.days import within_a_day
from tests.explained import explained
from tests.market_builders import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Connection

    from tests.market_builders import Opened

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


async def test_old_rows_are_deleted_in_batches_and_recent_ones_stay(
    database_url: str,
) -> None:
    async with filled(database_url, 30, every_ms=DAY_MS) as store:
        counts = [
            await store.database.write(
                lambda connection: delete_old(
                    connection, older_than_ms=10 * DAY_MS + HOUR_MS, most=8
                )
            )
            for _ in range(4)
        ]
        assert counts == [8, 8, 3, 0]
        assert await store.value("SELECT count(*) FROM job_execution_logs") == 11


# Copied from users' notebooks word for word.
TOP_SYMBOLS = """
SELECT symbol, COUNT(*) AS executions, SUM(records_collected) AS total_records,
  AVG(duration_seconds) AS avg_duration,
       SUM(CASE WHEN status='success' THEN 1 ELSE 0 END)::float / COUNT(*) * 100 AS success_rate
FROM job_execution_logs
WHERE job_type='data_collection' AND started_at >= NOW() - INTERVAL '7 days'
GROUP BY symbol ORDER BY total_records DESC
"""
FAILED_JOBS = """
SELECT job_name, symbol, error_message, started_at FROM job_execution_logs
WHERE status='failed' AND started_at >= NOW() - INTERVAL '24 hours' ORDER BY started_at DESC
"""
PER_EXCHANGE = """
SELECT exchange, AVG(duration_seconds) AS avg_duration, AVG(records_collected) AS avg_records
FROM job_execution_logs
WHERE job_type='data_collection' GROUP BY exchange
"""
DELETE_OLD = "DELETE FROM job_execution_logs WHERE started_at < NOW() - INTERVAL '30 days'"


async def test_sql_written_by_users_runs_unchanged(postgres_database: str) -> None:
    async with filled(postgres_database, 40 * 24, every_ms=HOUR_MS) as store:
        top = await store.rows(TOP_SYMBOLS)
        rows = [row for row in made(40 * 24, HOUR_MS) if row["number"] < 7 * 24]
        week = [row for row in rows if row["job_type"] == "data_collection"]
        assert sum(row["executions"] for row in top) == len(week)
        assert sum(row["total_records"] for row in top) == sum(
            row["records_collected"] for row in week
        )
        assert [row["total_records"] for row in top] == sorted(
            (row["total_records"] for row in top), reverse=True
        )
        assert sum(row["success_rate"] * row["executions"] for row in top) == pytest.approx(
            100 * sum(row["status"] == "success" for row in week)
        )
        mine = await store.database.read(
            lambda connection: top_symbols(connection, days=7, limit=100)
        )
        assert [(row.name, row.executions, row.records) for row in mine] == [
            (row["symbol"], row["executions"], row["total_records"]) for row in top
        ]
        assert len(await store.rows(FAILED_JOBS)) == sum(
            row["status"] == "failed" for row in rows if row["number"] < 24
        )
        assert [row["exchange"] for row in await store.rows(PER_EXCHANGE)] == ["binance"]
        assert (
            await store.database.write(
                lambda connection: connection.execute(text(DELETE_OLD)).rowcount
            )
            == 10 * 24
        )


async def test_statistics_count_executions_records_and_durations(database_url: str) -> None:
    async with filled(database_url, 100, every_ms=HOUR_MS) as store:
        found = await store.database.read(lambda connection: log_stats(connection, hours=24))
        day = [row for row in made(100, HOUR_MS) if row["number"] < 24]
        failed = sum(row["status"] == "failed" for row in day)
        assert (found.total_executions, found.failed_executions, found.running_executions) == (
            24,
            failed,
            0,
        )
        assert found.success_rate == round(100 * (24 - failed) / 24, 2)
        assert found.total_records_collected == sum(row["records_collected"] for row in day)
        assert found.average_duration_seconds == pytest.approx(
            sum(row["duration_seconds"] for row in day) / 24, abs=0.001
        )
        none = await store.database.read(
            lambda connection: log_stats(connection, hours=24, job_type="nothing")
        )
        assert (
            none.total_executions,
            none.success_rate,
            none.average_duration_seconds,
            none.last_execution,
        ) == (0, None, None, None)


async def test_each_day_is_compared_with_the_same_day_a_week_before(database_url: str) -> None:
    await within_a_day()
    async with opened(database_url) as store:
        noon = int(time.time() * 1000) // DAY_MS * DAY_MS + 1
        rows = [
            {"started_at": noon - 7 * DAY_MS, "records_collected": 80},
            {"started_at": noon, "records_collected": 60},
        ]
        common = {"run_id": 1, "job_name": "a", "job_type": "data_collection", "status": "success"}
        await store.database.write(
            lambda connection: connection.execute(
                insert(execution_log), [common | row for row in rows]
            )
        )
        days = await store.database.read(lambda connection: records_per_day(connection, days=2))
        assert [(row.records, row.executions, row.change_percent) for row in days] == [
            (0, 0, None),
            (60, 1, -25.0),
        ]


def made(count: int, every_ms: int) -> Iterator[dict[str, Any]]:
    """Rows going back from a moment ago, newest first; every seventh has failed."""
    now = int(time.time() * 1000) - 60_000
    for number in range(count):
        yield {
            "number": number,
            "run_id": count - number,
            "job_name": f"collect_data_{number % 5}",
            "job_type": "symbol_refresh" if number % 97 == 5 else "data_collection",
            "symbol": f"S{number % 8}/USDT",
            "exchange": "binance",
            "started_at": now - number * every_ms,
            "finished_at": now - number * every_ms + 1_000,
            "duration_seconds": 1.0 + number % 3,
            "status": "failed" if number % 7 == 3 else "success",
            "records_collected": number % 11,
            "metadata": {},
        }


@contextlib.asynccontextmanager
async def filled(url: str, count: int, *, every_ms: int) -> AsyncIterator[Opened]:
    """A database with these rows."""
    async with opened(url) as store:
        rows = [
            {name: value for name, value in row.items() if name != "number"}
            for row in made(count, every_ms)
        ]
        await store.database.write(
            lambda connection: connection.execute(insert(execution_log), rows)
        )
        await store.change("ANALYZE job_execution_logs")
        yield store


async def test_an_index_serves_each_filter_of_the_list_and_the_statistics(
    database_url: str,
) -> None:
    now = int(time.time() * 1000)
    queries: list[dict[str, Any]] = [
        {},
        {"job_name": "collect_data_1"},
        {"job_type": "data_collection"},
        {"job_type": "symbol_refresh"},
        {"symbol": "S3/USDT"},
        {"status": "failed"},
        {"status": "success"},
        {"before": (now - DAY_MS, 7)},
        {"symbol": "S3/USDT", "status": "failed"},
        {"job_type": "data_collection", "status": "success", "before": (now, 10**9)},
    ]
    some_time = {"start": 1_600_000_000_000, "end": 4_000_000_000_000}
    async with filled(database_url, 20_000, every_ms=60_000) as store:
        for query in [*queries, *(query | some_time for query in queries)]:
            page = LogList(limit=50, **query)
            plan = await store.database.read(
                lambda connection, page=page: plan_of(connection, page)  # type: ignore[misc]
            )
            assert "job_execution_logs_" in plan, f"{query}\n{plan}"
            for word in (
                "Seq Scan",
                "Sort Key: started_at DESC",
                "TEMP B-TREE",
                "SCAN job_execution_logs\n",
            ):
                assert word not in plan, f"{query}\n{plan}"
        counted = await store.database.read(
            lambda connection: explained(connection, lambda: log_stats(connection, hours=24), 1)
        )
    assert "job_execution_logs_started" in counted
    assert "Seq Scan" not in counted


def plan_of(connection: Connection, query: LogList) -> str:
    return explained(connection, lambda: log_rows(connection, query), -1)
