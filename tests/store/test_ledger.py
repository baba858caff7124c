"""The run ledger in the store: which start may write, and what a flush records of the run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from penstock.errors import ConflictError, FencedError
from penstock.market.collect.coverage import CoverageChange, Span, SpanState
from penstock.runs.run import Counters, RunEnd, RunState, Submission
from tests.dispatches import bury, take
from tests.market_builders import MINUTE, ORIGIN, Opened, candle, candles, opened, page

if TYPE_CHECKING:
    from penstock.runs.run import Run

_RESOURCES = ["series:binance:BTCUSDT:1m", "series:binance:ETHUSDT:1m"]


async def nothing(store: Opened) -> bool:
    counts = [
        await store.value(f"SELECT count(*) AS n FROM {table}")
        for table in ("candle", "coverage", "quarantine", "restatement")
    ]
    return counts == [0, 0, 0, 0]


async def aged(store: Opened, run: Run) -> None:
    """Make the progress of the run an hour old."""
    hour = "interval '1 hour'" if store.database.file is None else "3600000"
    await store.change(
        f"UPDATE run SET progress_at = progress_at - {hour} WHERE id = :id", id=run.id
    )


async def taken_over(store: Opened) -> Run:
    """The only run, taken over by another worker, because the first one counts as dead."""
    await bury(store.ledger)
    [again] = await take(store.ledger, 1)
    return again


# ── Starting at once ──────────────────────────────────────────────────────────


async def test_other_workers_cannot_take_a_run_that_is_started_at_once(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        stop = False
        stolen: list[Run] = []

        async def steal() -> None:
            while not stop:
                stolen.extend(await take(store.ledger, 5))

        thief = asyncio.create_task(steal())
        runs = [await store.run(f"r{number}") for number in range(30)]
        stop = True
        await thief
        assert stolen == []
        assert {run.fence for run in runs} == {1}
        assert await store.value("SELECT count(*) AS n FROM run WHERE state = 'running'") == 30


async def test_a_refused_start_leaves_nothing_and_names_the_conflicting_task(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        first = await store.run(*_RESOURCES)
        with pytest.raises(
            ConflictError,
            match=f"Data collection already running: task {first.task_id} holds {_RESOURCES[1]}",
        ):
            await store.run("series:binance:XRPUSDT:1m", _RESOURCES[1])
        assert await store.value("SELECT count(*) AS n FROM run") == 1
        assert await store.value("SELECT count(*) AS n FROM run_claim") == 2


async def test_of_many_runs_that_start_at_once_on_a_series_exactly_one_starts(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        outcomes = await asyncio.gather(
            *(store.run(*_RESOURCES) for _ in range(8)), return_exceptions=True
        )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError"] * 7 + ["Run"]


async def test_runs_that_name_the_same_series_in_any_order_conflict_without_deadlock(
    database_url: str,
) -> None:
    resources = [f"series:binance:S{number}:1m" for number in range(300)]
    async with opened(database_url) as store:
        for _ in range(5):
            outcomes = await asyncio.gather(
                *(store.run(*named) for named in (resources, resources[::-1]) * 2),
                return_exceptions=True,
            )
            [winner] = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            assert [type(outcome) for outcome in outcomes].count(ConflictError) == 3, outcomes
            await store.finish(winner)


async def test_on_sqlite_runs_left_by_a_process_are_due_at_once_also_waiting_retries(
    sqlite_database: str,
) -> None:
    async with opened(sqlite_database) as store:
        running, failed = await store.run("a"), await store.run("b")
        await store.ledger.requeue(failed, error="the exchange is out", delay_s=3600)
        assert await take(store.ledger, 5) == []
        assert await store.ledger.put_back() == 1
        again = {run.task_id: run for run in await take(store.ledger, 5)}
        assert again.keys() == {running.task_id, failed.task_id}
        assert again[failed.task_id].attempt == 2, "the earlier failure still counts"
        assert await store.value("SELECT count(*) AS n FROM run_claim") == 2


# ── Who may write ─────────────────────────────────────────────────────────────


async def test_a_dead_run_is_taken_over_as_the_same_task_with_its_claims(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        target, dead = await store.target(), await store.run(*_RESOURCES)
        await store.write(dead, page(target, candles(ORIGIN, 3)), requests=2)
        again = await taken_over(store)
        assert (again.id, again.task_id, again.fence, again.attempt) == (
            dead.id,
            dead.task_id,
            dead.fence + 1,
            1,
        )
        assert {
            row["resource"] for row in await store.rows("SELECT resource FROM run_claim")
        } == set(_RESOURCES)
        assert (
            await store.write(again, page(target, candles(ORIGIN, 5)), requests=1)
        ).inserted == 2
        await store.finish(again)
        row = await store.run_row(dead)
        assert (row["state"], row["inserted"], row["requests"], row["error"]) == (
            "succeeded",
            5,
            3,
            None,
        )
        assert await store.value("SELECT count(*) AS n FROM run_claim") == 0


async def test_the_former_worker_of_a_taken_over_run_writes_nothing(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        target, dead = await store.target(), await store.run(*_RESOURCES)
        await taken_over(store)
        span = Span(ORIGIN, ORIGIN + MINUTE, SpanState.STORED)
        with pytest.raises(FencedError):
            await store.write(
                dead,
                page(target, [candle()]),
                coverage=[(target.series_id, CoverageChange((), (span,)))],
                requests=1,
            )
        assert await nothing(store)
        assert (await store.run_row(dead))["requests"] == 0


async def test_a_worker_that_lost_its_run_can_neither_continue_nor_end_it(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        dead = await store.run()
        living = await taken_over(store)
        for attempt in (
            store.ledger.is_to_stop(dead),
            store.finish(dead),
            store.ledger.requeue(dead, error="x", delay_s=0),
            store.write(dead),
        ):
            with pytest.raises(FencedError):
                await attempt
        row = await store.run_row(dead)
        assert (row["state"], row["fence"], row["error"]) == ("running", living.fence, None)
        await store.finish(living)


async def test_a_run_that_has_ended_writes_nothing_more(database_url: str) -> None:
    async with opened(database_url) as store:
        target = await store.target()
        for number, end in enumerate((RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)):
            run = await store.run()
            await store.ledger.finish(run, RunEnd(state=end))
            with pytest.raises(FencedError):
                await store.write(run, page(target, [candle()]))
            assert await nothing(store), number


async def test_a_run_that_was_put_back_writes_nothing_until_it_is_started_again(
    database_url: str,
) -> None:
    async with opened(database_url) as store:
        target, run = await store.target(), await store.run()
        await store.ledger.requeue(run, error=None, delay_s=0)
        with pytest.raises(FencedError):
            await store.write(run, page(target, [candle()]))
        assert await nothing(store)
        [again] = await take(store.ledger, 1)
        assert (await store.write(again, page(target, [candle()]))).inserted == 1


# ── What a flush records of its run ───────────────────────────────────────────


async def test_counters_are_committed_with_the_rows_they_count(database_url: str) -> None:
    async with opened(database_url) as store:
        target = await store.target()
        run = await store.run()
        total = Counters()
        for first in range(0, 30, 10):
            total += await store.write(
                run, page(target, candles(ORIGIN + first * MINUTE, 12)), requests=2
            ) + Counters(requests=2)
            row = await store.run_row(run)
            assert row["inserted"] == await store.value("SELECT count(*) AS n FROM candle")
            assert (
                Counters(
                    row["inserted"],
                    row["updated"],
                    row["unchanged"],
                    row["rejected"],
                    row["requests"],
                )
                == total
            )


async def test_progress_is_committed_with_the_rows_it_describes(database_url: str) -> None:
    async with opened(database_url) as store:
        target, run = await store.target(), await store.run()
        assert ((await store.run_row(run))["progress"], (await store.run_row(run))["message"]) == (
            0,
            None,
        )
        await aged(store, run)
        before = await store.run_row(run)
        await store.write(
            run, page(target, candles(ORIGIN, 3)), progress=40, message="Collected data for ☃ (2/5)"
        )
        row = await store.run_row(run)
        assert (row["progress"], row["message"], row["progress_at"] > before["progress_at"]) == (
            40,
            "Collected data for ☃ (2/5)",
            True,
        )
        await aged(store, run)
        before = await store.run_row(run)
        await store.ledger.is_to_stop(run)
        row = await store.run_row(run)
        assert (row["progress"], row["progress_at"]) == (40, before["progress_at"])
        with pytest.raises(Exception, match=r"(?i)null|invalid"):
            await store.write(
                run,
                page(target, [candle(ORIGIN + 9 * MINUTE, high=None)]),
                progress=90,
                message="never",
            )
        assert (await store.run_row(run))["progress"] == 40


async def test_unusual_text_is_stored_unchanged(database_url: str) -> None:
    text = 'it\'s "broken"; DROP TABLE run; -- \u2603 %s :name \\'
    async with opened(database_url) as store:
        run = await store.ledger.start(
            Submission(kind=text, params={text: [text]}, resources=[text], job_name=text)
        )
        assert (run.kind, run.params, run.job_name) == (text, {text: [text]}, text)
        await store.write(run, page(await store.target(), [candle()]), message=text)
        assert (await store.run_row(run))["message"] == text
        await store.ledger.finish(run, RunEnd(state=RunState.FAILED, error=text))
        assert (await store.run_row(run))["error"] == text
