"""The shared budget of a provider: at most 80 % a minute; pauses also survive a restart."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from penstock.app import open_app
from penstock.errors import RetryableError, StoreUnavailableError
from penstock.http.governor import Governor, Grant, LocalBudget
from penstock.script import collect_into
from penstock.store.write.budget import SqlBudget, budgets_used
from tests.engine.collecting import collecting, order
from tests.engine.engines import PATIENCE_S, engine
from tests.engine.processes import actors
from tests.engine.shared_clock import SharedClock, make_clock, spend
from tests.simulated import settings_for, simulated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.conftest import Say

_LIMIT = 100
_SHARE = 80
_MINUTE = 60.0
_MINUTES = 5
# The beginning of a minute.
_NOW = 1_800_000_000.0


def in_minutes(spent: Iterable[tuple[float, int]]) -> dict[float, int]:
    sums: defaultdict[float, int] = defaultdict(int)
    for at, weight in spent:
        sums[at // _MINUTE] += weight
    return dict(sums)


def check_share(spent: list[tuple[float, int]], say: Say) -> None:
    """Assert that at most the share was granted, and nearly all of it."""
    sums = in_minutes(spent)
    assert max(sums.values()) <= _SHARE, sums
    # A process can keep a remainder too small for a request. The last minute is not over yet.
    assert all(sums[minute] >= _SHARE * 0.7 for minute in sorted(sums)[:-1]), sums
    say(f"n={len(spent)} admissions in {len(sums)} minutes")


async def test_several_governors_with_one_budget_stay_below_the_share_together(
    database_url: str, tmp_path: Path, say: Say
) -> None:
    make_clock(tmp_path / "clock", askers=4, now=_NOW)
    async with engine(database_url) as e:

        async def spent_by(place: int) -> list[tuple[float, int]]:
            clock = SharedClock(tmp_path / "clock", place)
            governor = Governor(
                _LIMIT,
                SqlBudget(e.database, "an address", clock=clock),
                clock=clock,
                sleep=clock.sleep,
            )
            return await spend(clock, governor, minutes=_MINUTES, seed=str(place))

        spent = await asyncio.gather(*(spent_by(place) for place in range(4)))
    check_share([request for asked in spent for request in asked], say)


async def test_two_processes_with_one_budget_stay_below_the_share_together(
    postgres_database: str, tmp_path: Path, say: Say
) -> None:
    make_clock(tmp_path / "clock", askers=2, now=_NOW)
    async with engine(postgres_database), actors() as other:
        order = {
            "database_url": postgres_database,
            "clock": str(tmp_path / "clock"),
            "limit": _LIMIT,
            "minutes": _MINUTES,
        }
        pids = [await other.start("spend", place=place, **order) for place in range(2)]
        spent = [
            (at, weight)
            for pid in pids
            for at, weight in (await other.heard(pid, "spent"))["spent"]
        ]
    check_share(spent, say)


async def test_all_processes_obey_a_pause_also_after_a_restart_and_the_longest_one_counts(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        first, other = (Governor(_LIMIT, SqlBudget(e.database, "an address")) for _ in range(2))
        await first.pause(500)
        await first.pause(20)
        for governor in (first, other):
            assert 495 < await governor.admit(1, longest_pause_s=1) <= 500
        assert (
            await Governor(_LIMIT, SqlBudget(e.database, "another address")).admit(
                1, longest_pause_s=1
            )
            == 0
        )
    async with engine(database_url, migrated=False) as e:
        assert (
            495
            < await Governor(_LIMIT, SqlBudget(e.database, "an address")).admit(
                1, longest_pause_s=1
            )
            <= 500
        )
        shown = {budget.provider: budget for budget in await e.database.read(budgets_used)}
        assert shown["an address"].pause_s > 490
        assert shown["another address"].used > 0


async def test_a_clock_set_back_costs_the_rest_of_its_minute_and_not_an_hour(
    database_url: str,
) -> None:
    now = 3_600_000.0

    def clock() -> float:
        return now

    async with engine(database_url) as e:
        for budget in (SqlBudget(e.database, "an address", clock=clock), LocalBudget(clock)):
            now = 3_600_000.0
            while (await budget.reserve(10, _SHARE)).weight:
                pass
            now -= 3_600
            assert await budget.reserve(10, _SHARE) == Grant(0, _MINUTE), (
                "the minute does not start again"
            )
            now += _MINUTE
            assert (await budget.reserve(10, _SHARE)).weight == 10


class SlowBudget:
    """Grants every request; meanwhile the clock advances, or a test does something."""

    def __init__(self) -> None:
        self.generation = self.lifts = 0
        self.lifted = asyncio.Event()
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


async def test_a_late_grant_of_one_minute_is_not_used_in_the_next() -> None:
    budget = SlowBudget()
    governor = budget.governor()
    budget.now, budget.answer_s = 59.8, 0.1
    await governor.admit(1, longest_pause_s=1)
    budget.now = 60.0
    await governor.admit(1, longest_pause_s=1)
    assert budget.asked == [59.8, 60.0]


async def test_a_pause_holds_at_once_before_other_processes_know_of_it() -> None:
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


async def test_a_pause_that_cannot_be_stored_is_obeyed_nevertheless() -> None:
    budget = SlowBudget()
    governor = budget.governor()
    budget.error = StoreUnavailableError("away")
    with pytest.raises(StoreUnavailableError):
        await governor.pause(30)
    assert await governor.admit(1, longest_pause_s=1) == 30


async def test_a_grant_requested_before_a_pause_is_void() -> None:
    budget = SlowBudget()
    governor = budget.governor()
    asking = asyncio.create_task(governor.admit(1, longest_pause_s=1))
    while not budget.asked:
        await asyncio.sleep(0)
    budget.paused.set()
    await governor.pause(30)
    assert await asking == 30


async def test_the_providers_count_of_the_last_minute_does_not_reduce_the_new_minute() -> None:
    budget = SlowBudget()
    budget.observed = 0
    governor = budget.governor()
    budget.now = 60.1
    await governor.admit(1, longest_pause_s=1)
    await governor.observe(79, asked_at=59.9)
    assert budget.observed == 0
    await governor.observe(79, asked_at=60.1)
    assert budget.observed == 79


async def test_no_process_sends_a_request_before_retry_after_is_over(
    postgres_database: str, say: Say
) -> None:
    pause_s, n = 2, 8
    async with collecting(postgres_database, request_concurrency=1) as c, actors() as workers:
        symbols = await c.symbols(n + 1)
        pids = [await workers.start("work", **c.given) for _ in range(2)]
        # Until both have reserved enough to send requests without the database.
        async with asyncio.timeout(PATIENCE_S):
            while not all(
                any(said["event"] == "begun" for said in workers.said[pid]) for pid in pids
            ):
                for symbol in symbols:
                    await c.submit([symbol])
                await c.engine.until_all_ended()
        await c.exchange.faults(
            {"name": "rate_limit", "retry_after": pause_s, "count": 1, "path": "/api/v3/klines"}
        )
        await c.submit(symbols[:1])
        for pid in pids:
            await workers.heard(pid, "paused")
        for symbol in symbols[1:]:
            await c.submit([symbol])
        await c.engine.until_all_ended()
        assert (await c.engine.states()).keys() == {"succeeded"}
        asked = await c.exchange.asked()
    [told_at] = [request["at"] for request in asked if request["status"] == 429]
    assert [
        request["at"] - told_at for request in asked if told_at < request["at"] < told_at + pause_s
    ] == []
    assert sum(request["at"] >= told_at + pause_s for request in asked) > n
    say(f"n={len(asked)} requests of 2 processes, 0 in the {pause_s} s after a 429")


async def test_a_ban_outlives_the_process_that_was_banned(database_url: str) -> None:
    async with simulated() as exchange:
        await exchange.faults(
            {"name": "ban", "retry_after": 30, "count": 1, "path": "/api/v3/klines"}
        )
        for _ in range(3):
            async with open_app(settings_for(database_url, exchange.url)) as app:
                with pytest.raises(RetryableError):
                    await collect_into(app, order(["BTCUSDT"], ["1m"]))
        assert [request["status"] for request in await exchange.asked("/api/v3/klines")] == [418]
        assert len(await exchange.asked("/api/v3/time")) == 1


async def test_a_stored_pause_that_no_provider_can_mean_holds_nothing_back(
    database_url: str,
) -> None:
    async with engine(database_url) as e:
        budget = SqlBudget(e.database, "an address", clock=lambda: _NOW)
        await budget.pause(100 * 365 * 86_400)
        assert (await budget.reserve(1, _LIMIT)).weight > 0
        (used,) = await e.database.read(budgets_used)
        assert used.pause_s == 0
        await budget.pause(90)
        assert (await budget.reserve(1, _LIMIT)).paused_s == 90
