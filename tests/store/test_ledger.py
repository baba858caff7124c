"""The run ledger: who holds what, and that a run whose worker is gone can neither write nor keep anything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from penstock.core.run import Counters, RunEnd, RunState
from penstock.core.runner import Job, Runner
from penstock.errors import ConflictError, FencedError
from penstock.market.coverage import CoverageChange, Span, SpanState
from tests.market_builders import MINUTE, ORIGIN, Opened, candle, candles, opened, page

if TYPE_CHECKING:
    from penstock.core.run import Run

_RESOURCES = ["series:binance:BTCUSDT:1m", "series:binance:ETHUSDT:1m"]


class Outcome:
    def summary(self) -> dict[str, object]:
        return {"note": "done"}


def job(resources: list[str], work: object) -> Job[Outcome]:
    return Job(kind="data_collection", params={"limit": 5}, resources=resources, work=work)  # type: ignore[arg-type]


async def nothing(store: Opened) -> bool:
    counts = [await store.value(f"SELECT count(*) AS n FROM {table}") for table in ("candle", "coverage", "quarantine", "restatement")]
    return counts == [0, 0, 0, 0]


async def test_a_second_run_on_the_same_series_is_refused_with_the_task_that_holds_it(database_url: str) -> None:
    async with opened(database_url) as store:
        first = await store.run(*_RESOURCES)
        with pytest.raises(ConflictError, match=f"Data collection already running: task {first.task_id} holds {_RESOURCES[1]}"):
            await store.run("series:binance:XRPUSDT:1m", _RESOURCES[1])
        assert await store.value("SELECT count(*) AS n FROM run") == 1
        assert await store.value("SELECT count(*) AS n FROM run_claim") == 2


async def test_runs_on_different_series_go_side_by_side(database_url: str) -> None:
    async with opened(database_url) as store:
        runs = await asyncio.gather(*(store.run(f"series:binance:S{number}:1m") for number in range(6)))
        assert len({run.id for run in runs}) == len({run.task_id for run in runs}) == 6


async def test_what_a_run_held_is_free_after_its_end(database_url: str) -> None:
    async with opened(database_url) as store:
        for _ in range(3):
            await store.finish(await store.run(*_RESOURCES))
        assert await store.value("SELECT count(*) AS n FROM run_claim") == 0


async def test_of_many_runs_that_start_at_once_on_one_series_exactly_one_does(database_url: str) -> None:
    async with opened(database_url) as store:
        outcomes = await asyncio.gather(*(store.run(*_RESOURCES) for _ in range(8)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConflictError"] * 7 + ["Run"]


async def test_runs_that_name_the_same_series_in_another_order_conflict_and_do_not_block_each_other(database_url: str) -> None:
    resources = [f"series:binance:S{number}:1m" for number in range(300)]
    async with opened(database_url) as store:
        for _ in range(5):
            outcomes = await asyncio.gather(*(store.run(*named) for named in (resources, resources[::-1]) * 2), return_exceptions=True)
            [winner] = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
            assert [type(outcome) for outcome in outcomes].count(ConflictError) == 3, outcomes
            await store.finish(winner)


async def aged(store: Opened, run: Run) -> None:
    """Make the run's heartbeat an hour old."""
    old = "heartbeat_at - interval '1 hour'" if store.database.url.get_backend_name() == "postgresql" else "heartbeat_at - 3600000"
    await store.change(f"UPDATE run SET heartbeat_at = {old} WHERE id = :id", id=run.id)


async def test_a_run_that_lives_is_not_taken_for_dead(database_url: str) -> None:
    async with opened(database_url, dead_after_s=30) as store:
        run = await store.run(*_RESOURCES)
        assert await store.ledger.fail_dead() == 0
        await store.ledger.heartbeat(run)


@pytest.mark.parametrize("sign_of_life", ["heartbeat", "flush"])
async def test_a_heartbeat_or_a_flush_keeps_a_run_alive(database_url: str, sign_of_life: str) -> None:
    async with opened(database_url) as store:
        run = await store.run(*_RESOURCES)
        await aged(store, run)
        await (store.ledger.heartbeat(run) if sign_of_life == "heartbeat" else store.write(run))
        assert await store.ledger.fail_dead() == 0


async def test_a_run_without_a_heartbeat_is_failed_and_what_it_held_is_taken_over(database_url: str) -> None:
    async with opened(database_url) as store:
        dead = await store.run(*_RESOURCES)
        await aged(store, dead)
        living = await store.run(*_RESOURCES)
        row = await store.run_row(dead)
        assert (row["state"], row["error"], row["finished_at"] is not None) == ("failed", "its worker died", True)
        await store.ledger.heartbeat(living)


async def test_the_late_writer_of_a_run_that_was_taken_over_writes_nothing(database_url: str) -> None:
    async with opened(database_url) as store:
        target = await store.target()
        dead = await store.run(*_RESOURCES)
        await aged(store, dead)
        await store.ledger.fail_dead()
        span = Span(ORIGIN, ORIGIN + MINUTE, SpanState.STORED)
        with pytest.raises(FencedError):
            await store.write(dead, page(target, [candle()]), coverage=[(target.series_id, CoverageChange((), (span,)))], requests=1)
        assert await nothing(store)
        assert (await store.run_row(dead))["requests"] == 0


async def test_a_run_that_was_taken_over_can_neither_go_on_nor_end(database_url: str) -> None:
    async with opened(database_url) as store:
        dead = await store.run()
        await aged(store, dead)
        await store.ledger.fail_dead()
        with pytest.raises(FencedError):
            await store.ledger.heartbeat(dead)
        with pytest.raises(FencedError):
            await store.finish(dead)
        with pytest.raises(FencedError):
            await store.write(dead)
        assert (await store.run_row(dead))["state"] == "failed"


async def test_a_run_that_has_ended_writes_nothing_more(database_url: str) -> None:
    async with opened(database_url) as store:
        target = await store.target()
        run = await store.run()
        await store.finish(run)
        with pytest.raises(FencedError):
            await store.write(run, page(target, [candle()]))
        assert await nothing(store)


async def test_counters_are_committed_with_the_rows_they_count(database_url: str) -> None:
    async with opened(database_url) as store:
        target = await store.target()
        run = await store.run()
        total = Counters()
        for first in range(0, 30, 10):
            total += await store.write(run, page(target, candles(ORIGIN + first * MINUTE, 12)), requests=2)
            row = await store.run_row(run)
            assert row["inserted"] == await store.value("SELECT count(*) AS n FROM candle")
            assert Counters(row["inserted"], row["updated"], row["unchanged"], row["rejected"], row["requests"]) == total


async def test_the_record_of_a_run_says_how_it_ended(database_url: str) -> None:
    async with opened(database_url) as store:

        async def work(_: Run) -> Outcome:
            return Outcome()

        run, _ = await Runner(store.ledger, heartbeat_s=10).run(job(_RESOURCES, work))
        row = await store.run_row(run)
        assert (row["state"], row["error"], row["task_id"]) == ("succeeded", None, str(run.task_id))
        assert "done" in str(row["result"])


@pytest.mark.parametrize("error", [ValueError("nobody expected this"), KeyError("x"), asyncio.CancelledError()])
async def test_a_run_that_ends_by_any_error_is_never_recorded_as_succeeded(database_url: str, error: BaseException) -> None:
    async def work(_: Run) -> Outcome:
        raise error

    async with opened(database_url) as store:
        with pytest.raises(type(error)):
            await Runner(store.ledger, heartbeat_s=10).run(job(_RESOURCES, work))
        [row] = await store.rows("SELECT state, error FROM run")
        assert row["state"] == ("cancelled" if isinstance(error, asyncio.CancelledError) else "failed")
        assert row["error"]
        await store.run(*_RESOURCES)


async def test_a_result_that_cannot_be_recorded_fails_the_run(database_url: str) -> None:
    class Unrecordable(Outcome):
        def summary(self) -> dict[str, object]:
            return {"note": object()}

    async def work(_: Run) -> Outcome:
        return Unrecordable()

    async with opened(database_url) as store:
        with pytest.raises(Exception, match="not JSON serializable"):
            await Runner(store.ledger, heartbeat_s=10).run(job(_RESOURCES, work))
        assert await store.value("SELECT state FROM run") == "failed"


async def test_a_run_stops_working_when_it_is_taken_over(database_url: str) -> None:
    stopped = False

    async def work(run: Run) -> Outcome:
        nonlocal stopped
        await aged(store, run)
        await store.ledger.fail_dead()
        try:
            await asyncio.Event().wait()
        finally:
            stopped = True
        return Outcome()

    async with opened(database_url) as store:
        with pytest.raises(FencedError):
            await Runner(store.ledger, heartbeat_s=0.05).run(job(_RESOURCES, work))
        assert stopped
        assert await store.value("SELECT state FROM run") == RunState.FAILED


async def test_a_run_lives_on_while_its_work_takes_longer_than_the_dead_are_waited_for(database_url: str) -> None:
    async with opened(database_url, dead_after_s=0.4) as store:
        others = 0

        async def work(_: Run) -> Outcome:
            nonlocal others
            for _beat in range(12):
                await asyncio.sleep(0.1)
                others += await store.ledger.fail_dead()
            return Outcome()

        await Runner(store.ledger, heartbeat_s=0.1).run(job(_RESOURCES, work))
        assert others == 0


async def test_text_that_no_database_could_misread_is_kept_as_it_is(database_url: str) -> None:
    async with opened(database_url) as store:
        run = await store.run()
        error = 'it\'s "broken"; DROP TABLE run; -- \u2603 %s :name \\'
        await store.ledger.finish(run, RunEnd(state=RunState.FAILED, error=error))
        assert (await store.run_row(run))["error"] == error
