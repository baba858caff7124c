"""kill -9 of a collecting process: nothing reported as written is lost, and the run continues.

First at the riskiest moments, before and after commits; in the full form also at random ones, from
a printed seed, with n: 0 losses in n kills bound their rate at about 3/n.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from penstock.app import open_app
from penstock.market.collect.coverage import Span, SpanState
from tests.databases import DATABASES
from tests.faults.killing import GROWN_OLD, Ended, Moments, victims
from tests.simulated import DAY, MINUTE, NOW, Exchange, World, settings_for, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.conftest import Say
    from tests.databases import Databases
    from tests.trials import Trials

# Each page is a flush, and each kill has six or more.
_AT = ("after:5:candle", "before:4:candle", "before:1:candle", "after:1:candle")
_RANDOM_ROUNDS = (0, 5)
_KILLS_A_ROUND = len(_AT)
_SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
_DAYS_A_KILL = 1
_RUNNING = NOW - NOW % MINUTE
_PATIENCE_S = 60


def since_of(kill: int) -> int:
    return _RUNNING - kill * _DAYS_A_KILL * DAY


def order_of(database_url: str, exchange: Exchange, since: int) -> str:
    return f"{database_url} {exchange.url} {since} {','.join(_SYMBOLS)}"


def reported(ended: Ended) -> int:
    """The number of rows that a process has reported as written."""
    return int(ended.said[-1][1]) if ended.said else 0


@contextlib.asynccontextmanager
async def looking(database_url: str, exchange: Exchange) -> AsyncIterator[World]:
    """The database as the next process finds it."""
    settings = settings_for(database_url, exchange.url)
    async with open_app(settings) as app:
        yield World(app, exchange)


async def check_whole(world: World, killed: list[Ended]) -> None:
    """Assert that all that the processes reported is stored: rows, counters and coverage agree.

    A process first finishes the run that an earlier one left in its way, so it may have two.
    """
    [total] = await world.read(
        "SELECT (SELECT coalesce(sum(inserted), 0) FROM run) AS counted,"
        " (SELECT coalesce(sum(inserted + updated), 0) FROM run) AS written,"
        " (SELECT count(*) FROM candle) AS stored"
    )
    assert total["written"] >= sum(map(reported, killed))
    assert total["counted"] == total["stored"]
    for symbol in _SYMBOLS:
        await world.check_coverage(symbol)


async def resumed(world: World) -> None:
    """A worker takes over the run of the killed process and completes it as the same task."""
    left = await world.read("SELECT task_id FROM run WHERE state IN ('queued', 'running')")
    await grown_old(world)
    async with world.app.working(), asyncio.timeout(_PATIENCE_S):
        while await world.read("SELECT * FROM run_claim"):
            await asyncio.sleep(0.02)
    for run in left:
        [ended] = await world.read(
            "SELECT state, error, fence FROM run WHERE task_id = :task_id", task_id=run["task_id"]
        )
        assert (ended["state"], ended["error"], ended["fence"] >= 2) == ("succeeded", None, True)


async def grown_old(world: World) -> None:
    if world.app.database.file is None:
        await world.app.database.write(lambda connection: connection.exec_driver_sql(GROWN_OLD))


async def check_complete(world: World, undisturbed: dict[str, list[list[Any]]]) -> None:
    """Assert that the next run gives the same result as an undisturbed run."""
    since = since_of(_KILLS_A_ROUND)
    await world.collect(*_SYMBOLS, since=since)
    for symbol in _SYMBOLS:
        assert await world.table(symbol) == undisturbed[symbol]
        assert await world.spans(symbol) == [Span(since, _RUNNING, SpanState.STORED)]
    runs = await world.read("SELECT state, error FROM run")
    # With one process, the next one finishes the run; otherwise a new order may replace it.
    replaced = set() if world.app.database.file else {("failed", "its worker died")}
    assert {(run["state"], run["error"]) for run in runs} <= {("succeeded", None)} | replaced
    assert await world.read("SELECT * FROM run_claim") == []
    assert await world.read("SELECT * FROM restatement") == []


@pytest.fixture(params=DATABASES)
def fresh(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Callable[[contextlib.ExitStack, str], str]:
    """Creates one more database and returns its URL."""

    def database(stack: contextlib.ExitStack, name: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        return stack.enter_context(databases.fresh(request.param, folder))

    return database


async def test_kill_9_loses_nothing_reported_halves_nothing_and_the_next_run_completes_the_table(
    fresh: Callable[[contextlib.ExitStack, str], str], trials: Trials, say: Say
) -> None:
    at_moments, at_random = list[Ended](), list[Ended]()
    with contextlib.ExitStack() as stack:
        # Slow answers make pages arrive one after the other, as from an exchange.
        async with (
            simulated() as exchange,
            victims("collecting.py", PENSTOCK_REQUEST_CONCURRENCY="1") as processes,
        ):
            undisturbed = {
                symbol: await exchange.rows(symbol, "1m", since_of(_KILLS_A_ROUND))
                for symbol in _SYMBOLS
            }
            await exchange.faults({"name": "latency", "ms": 20})
            calm = await processes.run(order_of(fresh(stack, "undisturbed"), exchange, since_of(1)))
            moments = Moments(random.Random(trials.seed), calm.lived_s)
            for number in range(1 + trials.of(*_RANDOM_ROUNDS)):
                url, of_round = fresh(stack, f"round{number}"), list[Ended]()
                for kill, at in enumerate(_AT, 1):
                    order = order_of(url, exchange, since_of(kill))
                    if number == 0:
                        at_moments.append(killed := await processes.run(order, at=at))
                    else:
                        at_random.append(
                            killed := await processes.run(order, after_s=moments.draw())
                        )
                        moments.learn(killed)
                    of_round.append(killed)
                    async with looking(url, exchange) as world:
                        await check_whole(world, of_round)
                        # A worker continues every other killed run; the next process the rest.
                        await (resumed(world) if kill % 2 else grown_old(world))
                        await check_whole(world, of_round)
                async with looking(url, exchange) as world:
                    await check_complete(world, undisturbed)
    assert [reported(killed) > 0 for killed in at_moments] == [True, True, False, False]
    n, early = len(at_moments) + len(at_random), [killed for killed in at_random if killed.killed]
    after_a_flush = sum(reported(killed) > 0 for killed in early)
    say(
        f"n = {n} kills: {len(at_moments)} at chosen moments;"
        f" seed {trials.seed}, {len(at_random)} at random ones,"
        f" {len(early)} of them before the end, {after_a_flush} after a flush:"
        " 0 lost, 0 half written"
    )
    assert after_a_flush > 0 or not at_random
