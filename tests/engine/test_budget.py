"""The budget of a provider, shared: never more than 80 % in a minute by all together, and silence while told to wait, also after a restart."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from penstock.app import open_app
from penstock.core.governor import Governor, Grant, LocalBudget
from penstock.errors import RetryableError, StoreUnavailableError
from penstock.store.budget import SqlBudget, budgets_used
from tests.engine.collecting import collecting, order
from tests.engine.engines import PATIENCE_S, Engine, engine
from tests.engine.processes import actors
from tests.simulated import settings_for, simulated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import Say

_LIMIT = 100
_SHARE = 80
_MINUTE = 60.0
_SPEED = 120.0


def most_in_a_minute(spent: Iterable[tuple[float, int]]) -> int:
    sums: defaultdict[float, int] = defaultdict(int)
    for at, weight in spent:
        sums[at // _MINUTE] += weight
    return max(sums.values())


class Asking:
    """A governor by a clock that goes faster than the real one; remembers when it was given what."""

    def __init__(self, e: Engine) -> None:
        self.last = 0.0
        self.spent: list[tuple[float, int]] = []
        self.governor = Governor(_LIMIT, SqlBudget(e.database, "an address", clock=self.clock), clock=self.clock, sleep=self.sleep)

    def clock(self) -> float:
        self.last = time.time() * _SPEED
        return self.last

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / _SPEED)

    async def ask(self, for_s: float) -> None:
        until = time.time() + for_s
        while time.time() < until:
            weight = 1 + len(self.spent) % 5
            await self.governor.admit(weight, longest_pause_s=1e9)
            self.spent.append((self.last, weight))


async def test_several_governors_over_one_budget_stay_below_their_share_together(database_url: str, say: Say) -> None:
    async with engine(database_url) as e:
        asking = [Asking(e) for _ in range(4)]
        await asyncio.gather(*(one.ask(2.0) for one in asking))
    spent = [one for asked in asking for one in asked.spent]
    assert _SHARE * 0.8 < most_in_a_minute(spent) <= _SHARE
    say(f"n={len(spent)} admissions")


async def test_two_processes_over_one_budget_stay_below_their_share_together(postgres_database: str, say: Say) -> None:
    async with engine(postgres_database), actors() as other:
        order = {"database_url": postgres_database, "speed": _SPEED, "limit": _LIMIT, "for_s": 2.0}
        pids = [await other.start("spend", **order) for _ in range(2)]
        spent = [(at, weight) for pid in pids for at, weight in (await other.heard(pid, "spent"))["spent"]]
    assert _SHARE * 0.8 < most_in_a_minute(spent) <= _SHARE
    say(f"n={len(spent)} admissions")


async def test_a_pause_is_obeyed_by_all_and_after_a_restart_and_a_longer_one_stays(database_url: str) -> None:
    async with engine(database_url) as e:
        told, other = (Governor(_LIMIT, SqlBudget(e.database, "an address")) for _ in range(2))
        await told.pause(500)
        await told.pause(20)
        for governor in (told, other):
            assert 495 < await governor.admit(1, longest_pause_s=1) <= 500
        assert await Governor(_LIMIT, SqlBudget(e.database, "another address")).admit(1, longest_pause_s=1) == 0
    async with engine(database_url, migrated=False) as e:
        assert 495 < await Governor(_LIMIT, SqlBudget(e.database, "an address")).admit(1, longest_pause_s=1) <= 500
        shown = {one.provider: one for one in await e.database.read(budgets_used)}
        assert shown["an address"].pause_s > 490
        assert shown["another address"].used > 0


async def test_a_clock_that_is_set_back_costs_the_rest_of_its_minute_and_not_an_hour(database_url: str) -> None:
    now = 3_600_000.0
    async with engine(database_url) as e:
        for budget in (SqlBudget(e.database, "an address", clock=lambda: now), LocalBudget(lambda: now)):  # noqa: B023 - it is the one clock that is set back
            now = 3_600_000.0
            while (await budget.reserve(10, _SHARE)).weight:
                pass
            now -= 3_600
            assert await budget.reserve(10, _SHARE) == Grant(0, _MINUTE), "the minute is not begun anew"
            now += _MINUTE
            assert (await budget.reserve(10, _SHARE)).weight == 10


class SlowBudget:
    """Grants what is asked; while it answers, the clock goes on, or whatever else a test lets happen."""

    def __init__(self) -> None:
        self.generation = 0
        self.window_s = 60
        self.now = 0.0
        self.answer_s = 0.0
        self.asked: list[float] = []
        self.paused = asyncio.Event()
        self.error: Exception | None = None

    async def reserve(self, least: int, limit: int) -> Grant:
        assert least <= limit
        at = self.now
        self.asked.append(at)
        self.now += self.answer_s
        await asyncio.sleep(0)
        return Grant(50, _MINUTE - at % _MINUTE)

    async def observe(self, used: int) -> None:
        self.observed = used

    async def pause(self, seconds: float) -> None:
        assert seconds > 0
        if self.error is not None:
            raise self.error
        await self.paused.wait()

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def governor(self) -> Governor:
        return Governor(_LIMIT, self, clock=lambda: self.now, sleep=self.sleep)


async def test_what_was_granted_in_one_minute_is_not_used_in_the_next_however_late_the_answer_came() -> None:
    budget = SlowBudget()
    governor = budget.governor()
    budget.now, budget.answer_s = 59.8, 0.1
    await governor.admit(1, longest_pause_s=1)
    budget.now = 60.0
    await governor.admit(1, longest_pause_s=1)
    assert budget.asked == [59.8, 60.0]


async def test_from_the_moment_of_a_pause_nothing_is_let_through_while_the_others_are_still_being_told() -> None:
    budget = SlowBudget()
    governor = budget.governor()
    await governor.admit(1, longest_pause_s=1)
    pausing = asyncio.create_task(governor.pause(30))
    await asyncio.sleep(0)
    assert await governor.admit(1, longest_pause_s=1) == 30
    await governor.admit(1, longest_pause_s=60)
    assert budget.now >= 30
    budget.paused.set()
    await pausing


async def test_a_pause_that_cannot_be_written_down_is_obeyed_all_the_same() -> None:
    budget = SlowBudget()
    governor = budget.governor()
    budget.error = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await governor.pause(30)
    assert await governor.admit(1, longest_pause_s=1) == 30


async def test_a_grant_that_was_asked_for_before_a_pause_is_void() -> None:
    budget = SlowBudget()
    governor = budget.governor()
    asking = asyncio.create_task(governor.admit(1, longest_pause_s=1))
    while not budget.asked:
        await asyncio.sleep(0)
    budget.paused.set()
    await governor.pause(30)
    assert await asking == 30


async def test_the_providers_count_of_the_last_minute_is_not_held_against_the_new_one() -> None:
    budget = SlowBudget()
    budget.observed = 0
    governor = budget.governor()
    budget.now = 60.1
    await governor.admit(1, longest_pause_s=1)
    await governor.observe(79, asked_at=59.9)
    assert budget.observed == 0
    await governor.observe(79, asked_at=60.1)
    assert budget.observed == 79


# What is on its way when the 429 arrives, and what another process sends before it has heard of it.
_ON_THE_WAY_S = 0.3


async def test_no_process_asks_before_retry_after_is_over(postgres_database: str, say: Say) -> None:
    pause_s, n = 2, 12
    async with collecting(postgres_database) as c, actors() as workers:
        symbols = await c.symbols(n)
        slow = {"name": "latency", "ms": 30, "path": "/api/v3/klines", "count": 10}
        await c.exchange.faults(slow, {"name": "rate_limit", "retry_after": pause_s, "count": 1, "path": "/api/v3/klines"})
        for _ in range(2):
            await workers.start("work", **c.given)
        for symbol in symbols:
            await c.submit([symbol])
        await c.engine.until_all_ended(PATIENCE_S)
        assert await c.engine.states() == {"succeeded": n}
        asked = await c.exchange.asked()
    [told_at] = [one["at"] for one in asked if one["status"] == 429]
    too_early = [one["at"] - told_at for one in asked if told_at + _ON_THE_WAY_S < one["at"] < told_at + pause_s]
    assert too_early == []
    assert any(one["at"] >= told_at + pause_s for one in asked)
    say(f"n={len(asked)} requests of 2 processes, 0 in the {pause_s} s after a 429")


async def test_a_ban_outlives_the_process_that_was_banned(database_url: str) -> None:
    async with simulated() as exchange:
        await exchange.faults({"name": "ban", "retry_after": 30, "count": 1, "path": "/api/v3/klines"})
        for _ in range(3):
            async with open_app(settings_for(database_url, exchange.url)) as app:
                with pytest.raises(RetryableError):
                    await app.collect(order(["BTCUSDT"], ["1m"]))
        assert [one["status"] for one in await exchange.asked("/api/v3/klines")] == [418]
        assert len(await exchange.asked("/api/v3/time")) == 1
