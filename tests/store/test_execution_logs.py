"""The execution log that runs write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.errors import RunUnavailableError
from penstock.market.runs.submission import symbol_refresh
from penstock.runs.context import RunContext
from penstock.runs.run import LogNote, RunEnd, RunState
from tests.dispatches import take
from tests.engine.collecting import Collecting, collecting
from tests.simulated import CALM
from tests.statements import statements_sent

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
    """Collect in this process; failures appear in the log."""
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


async def test_records_count_new_and_changed_rows_of_the_symbol(
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
        assert rows[0][1] < 5, "rows stored before do not count"
        [run] = await c.engine.rows("SELECT inserted + updated AS written FROM run WHERE id = 2")
        assert sum(row[1] for row in rows) == run["written"]


async def test_a_symbol_fails_when_all_its_series_fail_and_the_others_succeed(
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


async def test_a_retry_continues_the_same_row_and_adds_to_its_counts(database_url: str) -> None:
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
async def test_rows_written_by_a_dead_worker_or_an_ended_run_stay_counted(
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


async def test_a_run_cancelled_in_the_queue_leaves_no_row(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.app.ledger.cancel(await c.submit(["BTC/USDT"]))
        assert await logged(c) == []


@pytest.mark.parametrize(
    ("state", "status"), [(RunState.CANCELLED, "cancelled"), (RunState.FAILED, "failed")]
)
async def test_all_rows_of_a_run_record_its_end(
    database_url: str, state: RunState, status: str
) -> None:
    async with collecting(database_url, **CALM) as c:
        task_id = await c.submit(["BTC/USDT", "ETH/USDT"])
        [run] = await take(c.app.ledger, 1, task_id=task_id)
        await c.app.ledger.finish(run, RunEnd(state=state, error="a\0reason"))
        assert {(row["status"], row["error_message"]) for row in await logged(c)} == {
            (status, "a\N{REPLACEMENT CHARACTER}reason")
        }


async def test_the_rows_of_a_dead_run_stay_open_until_the_run_ends_or_fails_for_good(
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


async def test_rows_deleted_by_a_user_cause_no_error(database_url: str) -> None:
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


async def test_logging_takes_one_statement_at_the_start_and_one_at_the_end_of_a_run(
    database_url: str,
) -> None:
    async with collecting(database_url, **CALM) as c:
        spent = []
        for entries_of in (lambda _run: (), c.app.domains.log_entries):
            object.__setattr__(c.app.ledger._logs, "entries_of", entries_of)
            task_id = await c.submit(await c.symbols(30))
            with statements_sent() as sent:
                [run] = await take(c.app.ledger, 1, task_id=task_id)
                await c.app.ledger.finish(run, RunEnd(state=RunState.SUCCEEDED))
            spent.append(len(sent))
        assert spent[1] - spent[0] == 2
        assert len(await logged(c)) == 30


async def test_a_run_of_another_version_starts_without_a_row(database_url: str) -> None:
    async with collecting(database_url, **CALM) as c:
        await c.engine.submit(kind="data_collection", params={"unknown": 1})
        assert len(await take(c.app.ledger, 1)) == 1
        assert await logged(c) == []
