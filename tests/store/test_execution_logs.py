"""What runs log, and the SQL that users have written against it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, text

from penstock.errors import RunUnavailableError
from penstock.market.runs.submission import symbol_refresh
from penstock.runs.context import RunContext
from penstock.runs.execution_logs import LogList, log_rows, log_stats, records_per_day, top_symbols
from penstock.runs.run import LogNote, RunEnd, RunState
from penstock.runs.tables import execution_log
from penstock.store.write.retention import delete_old
from tests.days import within_a_day
from tests.dispatches import take
from tests.engine.collecting import Collecting, collecting
from tests.explained import explained
from tests.market_builders import opened
from tests.simulated import CALM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Connection

    from tests.market_builders import Opened

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KLINES = "/api/v3/klines"


async def logged(c: Collecting, where: str = "1 = 1") -> list[dict[str, Any]]:
    rows = await c.engine.rows(f"SELECT * FROM job_execution_logs WHERE {where} ORDER BY symbol")
    return [
        row
        | {
            "metadata": row["metadata"]
            if isinstance(row["metadata"], dict)
            else json.loads(row["metadata"])
        }
        for row in rows
    ]


async def work(c: Collecting, *symbols: str, timeframes: tuple[str, ...] = ("1m", "1h")) -> None:
    """Collect in this process; what fails is told by the log."""
    task_id = await c.submit(symbols, timeframes=timeframes)
    [run] = await take(c.app.ledger, 1, task_id=task_id)
    try:
        await c.app.executor.work(run)
    except RunUnavailableError:
        return


async def test_a_run_logs_one_row_for_each_symbol(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await work(c, "ETH/USDT", "BTC/USDT")
        rows = await logged(c)
        assert [row["symbol"] for row in rows] == ["BTC/USDT", "ETH/USDT"]
        for row in rows:
            assert (row["job_name"], row["job_type"], row["exchange"]) == (
                "collect_data_manual",
                "data_collection",
                "binance",
            )
            assert (
                row["status"],
                row["records_collected"],
                row["timeframe"],
                row["error_message"],
            ) == ("success", 120, None, None)
            assert row["metadata"] == {
                "timeframes_collected": 2,
                "timeframes_failed": 0,
                "timeframes": ["1m", "1h"],
            }
            assert row["duration_seconds"] >= 0
            assert row["finished_at"] >= row["started_at"]


async def test_records_are_the_rows_of_that_symbol_that_are_new_or_changed(
    database_url: str,
) -> None:
    async with collecting(database_url, **CALM) as c:
        await work(c, "BTC/USDT", timeframes=("1m",))
        await c.engine.change("DELETE FROM coverage")
        await work(c, "BTC/USDT", "ETH/USDT", timeframes=("1m",))
        rows = [
            (row["symbol"], row["records_collected"], row["timeframe"])
            for row in await logged(c, "run_id = 2")
        ]
        assert rows[1] == ("ETH/USDT", 60, "1m")
        assert rows[0][1] < 5, "what was there already does not count"
        [run] = await c.engine.rows("SELECT inserted + updated AS written FROM run WHERE id = 2")
        assert sum(row[1] for row in rows) == run["written"]


async def test_a_symbol_of_which_all_fails_has_failed_and_the_others_have_not(
    database_url: str,
) -> None:
    async with collecting(database_url, request_attempts=1, **CALM) as c:
        await c.exchange.faults({"name": "server_error", "path": KLINES, "symbol": "BTCUSDT"})
        await work(c, "BTC/USDT", "ETH/USDT")
        failed, good = await logged(c)
        assert (failed["status"], good["status"]) == ("failed", "success")
        assert failed["error_message"].startswith("1m: ")
        assert failed["metadata"]["failures"].keys() == {"1m", "1h"}
        assert (failed["metadata"]["timeframes_failed"], failed["records_collected"]) == (2, 0)


async def test_a_retry_goes_on_with_the_same_row_and_adds_to_it(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        task_id = await c.submit(["BTC/USDT"], timeframes=["1m"])
        [run] = await take(c.app.ledger, 1, task_id=task_id)
        run.notes["BTC/USDT"] = LogNote(records=7)
        await c.app.ledger.requeue(run, error="may pass", delay_s=0)
        [row] = await logged(c)
        assert (row["status"], row["records_collected"]) == ("running", 7)
        [run] = await take(c.app.ledger, 1, task_id=task_id)
        run.notes["BTC/USDT"] = LogNote(records=5)
        await c.app.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
        await c.app.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
        [row] = await logged(c)
        assert (row["status"], row["records_collected"]) == ("success", 12)


@pytest.mark.parametrize(
    "taken_over", [True, False], ids=["taken over", "ended by a change of its config"]
)
async def test_what_a_dead_worker_or_an_ended_run_has_written_stays_counted(
    database_url: str, taken_over: bool
) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.configs.add({"symbol": "BTC/USDT", "timeframes": ["1m", "1h"]})
        task_id = await c.app.ledger.submit(c.app.configs.store.trigger(1))
        [run] = await take(c.app.ledger, 1, task_id=task_id)
        await c.app.domains.kinds[run.kind].work(RunContext(run, c.app.ledger))
        if taken_over:
            await c.engine.bury()
            [again] = await take(c.app.ledger, 1, task_id=task_id)
            await c.app.executor.work(again)
        else:
            await c.app.configs.change(1, {"interval_minutes": 20})
        [row] = await logged(c)
        assert row["status"] == ("success" if taken_over else "cancelled")
        [written] = await c.engine.rows("SELECT inserted + updated AS count FROM run")
        assert row["records_collected"] == written["count"] >= 120


async def test_a_run_that_is_cancelled_while_it_is_queued_leaves_no_row(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.ledger.cancel(await c.submit(["BTC/USDT"]))
        assert await logged(c) == []


@pytest.mark.parametrize(
    ("state", "status"), [(RunState.CANCELLED, "cancelled"), (RunState.FAILED, "failed")]
)
async def test_all_rows_of_a_run_tell_its_end(
    database_url: str, state: RunState, status: str
) -> None:
    async with collecting(database_url, **CALM) as c:
        task_id = await c.submit(["BTC/USDT", "ETH/USDT"])
        [run] = await take(c.app.ledger, 1, task_id=task_id)
        await c.app.ledger.finish(run, RunEnd(state=state, error="a\0reason"))
        assert {(row["status"], row["error_message"]) for row in await logged(c)} == {
            (status, "a\N{REPLACEMENT CHARACTER}reason")
        }


async def test_the_rows_of_a_dead_run_stay_open_when_it_is_passed_on_and_are_closed_when_given_up(
    database_url: str,
) -> None:
    async with collecting(database_url, **CALM) as c:
        task_id = await c.submit(["BTC/USDT"])
        await take(c.app.ledger, 1, task_id=task_id)
        await c.engine.bury()
        await take(c.app.ledger, 1, task_id=task_id)
        assert [row["status"] for row in await logged(c)] == ["running"]
        await c.engine.change("UPDATE run SET fence = 100")
        await c.engine.bury()
        await take(c.app.ledger)
        [row] = await logged(c)
        assert (row["status"], row["error_message"]) == (
            "failed",
            "its worker died, after 100 starts",
        )


async def test_rows_that_a_user_has_deleted_are_not_missed(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        task_id = await c.submit(["BTC/USDT"])
        [run] = await take(c.app.ledger, 1, task_id=task_id)
        await c.engine.change("DELETE FROM job_execution_logs")
        await c.app.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
        assert await logged(c) == []


async def test_a_symbol_refresh_logs_one_row_without_a_symbol(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.ledger.submit(symbol_refresh("binance"))
        [run] = await take(c.app.ledger, 1)
        await c.app.executor.work(run)
        [row] = await logged(c)
        assert (row["job_type"], row["job_name"], row["symbol"], row["status"]) == (
            "symbol_refresh",
            "refresh_symbols",
            None,
            "success",
        )
        assert row["records_collected"] == 40


async def test_logging_takes_one_statement_at_the_start_and_one_at_the_end_however_many_symbols(
    database_url: str,
) -> None:
    async with collecting(database_url, **CALM) as c:
        spent = []
        for entries_of in (lambda _run: (), c.app.domains.log_entries):
            object.__setattr__(c.app.ledger._logs, "entries_of", entries_of)
            task_id = await c.submit(await c.symbols(30))
            before = c.app.database.statements
            [run] = await take(c.app.ledger, 1, task_id=task_id)
            await c.app.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
            spent.append(c.app.database.statements - before)
        assert spent[1] - spent[0] == 2
        assert len(await logged(c)) == 30


async def test_a_run_of_another_version_starts_without_a_row(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.engine.submit(kind="data_collection", params={"unknown": 1})
        assert len(await take(c.app.ledger, 1)) == 1
        assert await logged(c) == []


async def test_old_rows_are_deleted_a_batch_at_a_time_and_young_ones_stay(
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


# As they stand in users' notebooks: word for word.
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


async def test_the_sql_of_users_runs_unchanged(postgres_database: str) -> None:
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


async def test_statistics_count_what_they_say(database_url: str) -> None:
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


async def test_each_day_is_set_against_the_one_a_week_before(database_url: str) -> None:
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
        assert [(row.records, row.executions, row.change) for row in days] == [
            (0, 0, None),
            (60, 1, -25.0),
        ]


def made(count: int, every_ms: int) -> Iterator[dict[str, Any]]:
    """Rows back into the past, the newest first and a little ago; every seventh has failed."""
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


async def test_an_index_answers_each_filter_of_the_list_in_its_order_and_the_statistics_by_time(
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
        for query in [*queries, *(one | some_time for one in queries)]:
            wanted = LogList(limit=50, **query)
            plan = await store.database.read(
                lambda connection, wanted=wanted: plan_of(connection, wanted)  # type: ignore[misc]
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
