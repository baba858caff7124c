"""Workers die, stop, wake up late or lose their database: every run completes correctly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import select

from penstock.app import open_app
from penstock.domains.market import MarketParts
from penstock.errors import StoreUnavailableError
from penstock.market.tables import candle, instrument, series
from penstock.script import collect_into
from tests.engine.collecting import CANDLES, collecting, given_of, hang, order, until_hanging
from tests.engine.engines import PATIENCE_S, Engine, background, engine
from tests.engine.processes import actors
from tests.postgres_server import away
from tests.simulated import settings_for, simulated

if TYPE_CHECKING:
    import uuid
    from pathlib import Path

    from tests.conftest import Say
    from tests.simulated import Exchange
    from tests.trials import Trials

# The number of answers, out of four, after which a worker is killed.
_AT = (0, 1, 2, 3)
_RANDOM_KILLS = (0, 20)
# So long that no slow worker counts as dead; a test that kills ages the heartbeat itself.
_PATIENT: dict[str, Any] = {"dead_after_s": 600.0}


async def table_of(e: Engine) -> list[tuple[object, ...]]:
    """All candles, without the run that wrote them."""
    columns = [column for column in candle.c if column.name not in {"run_id", "series_id"}]
    query = select(instrument.c.native_symbol, series.c.timeframe, *columns).join(
        series, series.c.id == candle.c.series_id
    )
    query = query.join(instrument, instrument.c.id == series.c.instrument_id)
    query = query.order_by(instrument.c.native_symbol, series.c.timeframe, candle.c.open_time)
    return await e.database.read(
        lambda connection: [tuple(row) for row in connection.execute(query)]
    )


async def check_against_an_undisturbed_one(
    e: Engine, exchange_url: str, symbols: list[str], folder: Path
) -> int:
    """Assert the same table, coverage and counters as an undisturbed run; return the rows."""
    async with open_app(
        settings_for(f"sqlite:///{folder / 'undisturbed.db'}", exchange_url)
    ) as app:
        await collect_into(app, order(symbols))
        expected = await table_of(Engine(app.database, app.ledger, app.dispatch))
    found = await table_of(e)
    assert len(found) == len(set(found)) == len(expected)
    assert found == expected
    [counted] = await e.rows("SELECT sum(inserted) AS inserted, sum(rejected) AS rejected FROM run")
    assert (int(counted["inserted"]), int(counted["rejected"])) == (len(found), 0)
    assert await e.claims() == {}
    return len(found)


async def progressed(e: Engine, task_id: object, beyond: int = 0) -> bool:
    [row] = await e.rows("SELECT inserted, state FROM run WHERE task_id = :id", id=str(task_id))
    assert row["state"] in {"queued", "running"}, "it ended before it could be disturbed"
    return bool(row["inserted"] > beyond)


async def test_the_runs_of_killed_workers_are_taken_over_and_complete(
    postgres_database: str, tmp_path: Path, trials: Trials, say: Say
) -> None:
    drawn, chosen, again = trials.of(*_RANDOM_KILLS), random.Random(trials.seed), 0
    async with collecting(postgres_database, **_PATIENT) as c, actors() as workers:
        symbols = await c.symbols(20)
        for _ in range(2):
            await workers.start("work", **c.given)
        for number in range(len(_AT) + drawn):
            mine = [symbols[number % len(symbols)], symbols[(number + 1) % len(symbols)]]
            if number < len(_AT):
                await hang(c.exchange, after=_AT[number])
            else:
                await c.exchange.faults({"name": "latency", "ms": 60})
            task_id = await c.submit(mine)
            victim = await workers.begun(task_id, 1)
            if number < len(_AT):
                await until_hanging(c.exchange)
            else:
                await asyncio.sleep(chosen.uniform(0, 0.3))
            workers.signal(victim, signal.SIGKILL)
            await c.exchange.faults()
            await grown_old(c.engine, task_id)
            await workers.start("work", **c.given)
            row = await c.engine.until_state(task_id, "succeeded")
            assert row["fence"] == 2 or number >= len(_AT)
            again += row["fence"] == 2
        n = len(_AT) + drawn
        assert await c.engine.states() == {"succeeded": n}
        rows = await check_against_an_undisturbed_one(
            c.engine, c.exchange.url, symbols[: min(n + 1, 20)], tmp_path
        )
    assert again > len(_AT) - 1 + drawn / 3, "too few kills happened during a run to show anything"
    kills = f"n={n} kills, {drawn} of them at random moments, {again} in mid-run"
    say(f"{kills}, seed={trials.seed}, {rows} rows")


async def grown_old(e: Engine, task_id: uuid.UUID) -> None:
    """Age the heartbeat of a run's worker, and sweep."""
    await e.grow_old(task_id)
    if not e.database.file:
        await e.ledger.sweep()


async def test_a_worker_stopped_for_too_long_writes_nothing_when_it_wakes_up(
    postgres_database: str, tmp_path: Path, say: Say
) -> None:
    n = 3
    async with collecting(postgres_database, **_PATIENT) as c, actors() as workers:
        symbols = await c.symbols(n + 1)
        for number in range(n):
            mine = symbols[number : number + 2]
            await hang(c.exchange, after=number)
            sleeper = await workers.start("work", **c.given)
            task_id = await c.submit(mine)
            assert await workers.begun(task_id, 1) == sleeper
            await until_hanging(c.exchange)
            workers.signal(sleeper, signal.SIGSTOP)
            await c.exchange.faults()
            await grown_old(c.engine, task_id)
            other = await workers.start("work", **c.given)
            assert await workers.begun(task_id, 2) == other
            ended = await c.engine.until_state(task_id, "succeeded")
            workers.signal(sleeper, signal.SIGCONT)
            said = await workers.heard(sleeper, "stopped", task=str(task_id))
            # Its next write is refused, or its next heartbeat, which ends the work.
            assert said["error"] in {"FencedError", "CancelledError"}
            assert await c.engine.run_row(task_id) == ended, (
                "the late worker has not changed the run"
            )
            for pid in (sleeper, other):
                workers.signal(pid, signal.SIGTERM)
                await workers.heard(pid, "gone")
        rows = await check_against_an_undisturbed_one(c.engine, c.exchange.url, symbols, tmp_path)
    say(f"n={n} stopped workers, {rows} rows, 0 stale commits")


async def test_a_run_continues_after_cut_connections_and_after_a_server_crash(
    postgres_database: str, tmp_path: Path, say: Say
) -> None:
    async with collecting(postgres_database, **_PATIENT) as c, actors() as workers:
        symbols = await c.symbols(40)
        await let_through(c.exchange, 8)
        worker = await workers.start("work", **c.given)
        task_id = await c.submit(symbols)
        await c.engine.until(lambda: progressed(c.engine, task_id))
        with away(postgres_database):
            # The next pages cannot be written, and the fetch notices with the page after them.
            hearing = asyncio.create_task(workers.heard(worker, "stopped", task=str(task_id)))
            while not (await asyncio.wait([hearing], timeout=0.1))[0]:
                await let_through(c.exchange, 2)
            assert hearing.result()["error"] == "StoreUnavailableError"
        await reachable(c.engine)
        for disturb in (cut_all, crash):
            before = (await c.engine.run_row(task_id))["inserted"]
            # If the run was started again, it first requests again what it has.
            await let_through(c.exchange, before // CANDLES + 4)
            await c.engine.until(partial(progressed, c.engine, task_id, before))
            await asyncio.to_thread(disturb, postgres_database)
            await reachable(c.engine)
        await c.exchange.faults()
        row = await c.engine.until_state(task_id, "succeeded")
        rows = await check_against_an_undisturbed_one(c.engine, c.exchange.url, symbols, tmp_path)
    assert row["fence"] > 1, "the run was started again"
    say(f"{rows} rows, {row['fence']} starts, attempt {row['attempt']}")


async def let_through(exchange: Exchange, answers: int) -> None:
    """Let this many more answers through; later ones wait for the next call."""
    await exchange.faults({"name": "gate", "path": "/api/v3/klines", "after": answers})


def cut_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def crash(url: str) -> None:
    """Kill a session with SIGKILL: the server ends all others and recovers from its log."""
    with (
        psycopg.connect(url, autocommit=True) as connection,
        psycopg.connect(url, autocommit=True) as other,
    ):
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        with contextlib.suppress(psycopg.Error):
            other.execute("SELECT pg_sleep(30)")


async def reachable(e: Engine) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(StoreUnavailableError):
                await e.rows("SELECT 1")
                return
            await asyncio.sleep(0.05)


async def test_a_run_waiting_for_a_dead_process_starts_after_the_takeover(
    postgres_database: str,
) -> None:
    """Here the heartbeat really grows old."""
    async with collecting(postgres_database) as c, actors() as workers:
        symbols = await c.symbols(3)
        await hang(c.exchange)
        first = await workers.start("work", **c.given)
        task_id = await c.submit(symbols)
        behind = await c.submit(symbols, wait=True)
        assert await workers.begun(task_id, 1) == first
        workers.signal(first, signal.SIGKILL)
        await c.exchange.faults()
        await workers.start("work", **c.given)
        await c.engine.until_state(behind, "succeeded")
        row = await c.engine.run_row(task_id)
        assert (row["state"], row["fence"] >= 2) == ("succeeded", True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
async def test_on_sqlite_a_restart_continues_at_once_from_the_stored_candles(
    sqlite_database: str, tmp_path: Path, number: signal.Signals
) -> None:
    async with simulated(symbols=40) as exchange, actors() as workers:
        # "At once" means long before the process would count as dead.
        given = given_of(
            sqlite_database,
            exchange.url,
            dead_after_s=100 * PATIENCE_S,
            request_deadline_s=2 * PATIENCE_S,
            request_idle_s=2 * PATIENCE_S,
        )
        async with open_app(settings_for(sqlite_database, exchange.url)) as app:
            symbols = [
                instrument.symbol
                for instrument in await (
                    await app.of(MarketParts).sources.get("binance")
                ).instruments()
                if instrument.status == "trading"
            ][:8]
            task_id = await app.ledger.submit(
                await app.of(MarketParts).runs.submission(order(symbols))
            )
        await hang(exchange, after=4)
        first = await workers.start("work", **given)
        async with engine(sqlite_database, migrated=False) as e:
            await e.until(lambda: progressed(e, task_id))
            workers.signal(first, number)
            if number == signal.SIGTERM:
                await workers.heard(first, "gone")
                row = await e.run_row(task_id)
                assert (row["state"], bool(await e.claims())) == ("queued", True)
            stored = (await e.run_row(task_id))["inserted"]
            await exchange.faults()
            # The file is free once the killed process is completely gone, which takes a moment.
            async with asyncio.timeout(PATIENCE_S):
                while workers.said[await workers.start("work", **given)][0]["event"] != "ready":
                    pass
            await workers.begun(task_id, 2)
            row = await e.until_state(task_id, "succeeded")
            assert (row["attempt"], row["inserted"] > stored > 0) == (1, True)
            await check_against_an_undisturbed_one(e, exchange.url, symbols, tmp_path)


async def test_a_worker_ends_soon_on_request_and_leaves_nothing_running(
    postgres_database: str,
) -> None:
    async with collecting(postgres_database, **_PATIENT) as c, actors() as workers:
        symbols = await c.symbols(6)
        # "Soon" means without waiting for the hanging request.
        await hang(c.exchange, after=10)
        worker = await workers.start("work", **c.given)
        for symbol in symbols:
            await c.submit([symbol], timeframes=("1m", "5m", "15m", "1h", "4h", "1d"))
        await c.engine.until(lambda: all_begun(c.engine))
        workers.signal(worker, signal.SIGTERM)
        await workers.heard(worker, "gone")
        assert "running" not in await c.engine.states()
        [row] = await c.engine.rows(
            "SELECT sum(inserted) AS inserted, (SELECT count(*) FROM candle) AS stored FROM run"
        )
        assert int(row["inserted"]) == row["stored"]
        await c.exchange.faults()
        await workers.start("work", **c.given)
        await c.engine.until_all_ended()
        assert await c.engine.states() == {"succeeded": len(symbols)}


async def all_begun(e: Engine) -> bool:
    return (await e.states())["running"] == 5


async def test_an_executor_in_this_process_survives_an_unavailable_database(
    postgres_database: str,
) -> None:
    async with engine(postgres_database, timeout_s=2.0) as e:
        executor = e.executor(poll_s=0.05)
        async with background(e.dispatch.run(executor)) as running:
            await e.until_state(await e.submit(), "succeeded")
            await asyncio.to_thread(crash, postgres_database)
            await reachable(e)
            await e.until_state(await e.submit(), "succeeded")
            assert not running.done()
