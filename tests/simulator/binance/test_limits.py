"""Weight limits: 429 until the minute ends, growing bans, or only counting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from penstock.simulator.binance.limits import WeightLimits
from penstock.simulator.server import SimulatorSettings, running

if TYPE_CHECKING:
    import pytest

START_S = 1_700_000_040.0


def test_the_limit_is_6000_in_a_minute_and_ends_with_it() -> None:
    limits = WeightLimits(enforced=True)
    assert [limits.charge("a", 2000, START_S + second).status for second in (0, 1, 2)] == [
        200,
        200,
        200,
    ]
    refused = limits.charge("a", 2, START_S + 20.5)
    assert (refused.status, refused.retry_after_s, refused.used_weight) == (429, 40, 6002)
    assert limits.charge("b", 2, START_S + 21).status == 200
    after = limits.charge("a", 2, START_S + 20.5 + refused.retry_after_s)
    assert (after.status, after.used_weight) == (200, 2)


def test_going_on_after_a_429_leads_to_bans_that_grow_to_three_days() -> None:
    limits = WeightLimits(enforced=True)
    now_s = START_S
    bans = []
    for _ in range(9):
        verdict = limits.charge("a", 6001, now_s)
        while verdict.status == 429:
            verdict = limits.charge("a", 1, now_s)
        assert verdict.status == 418
        assert limits.charge("a", 1, now_s + verdict.retry_after_s - 1).status == 418
        bans.append(verdict.retry_after_s)
        now_s = (now_s + verdict.retry_after_s) // 60 * 60 + 60
    assert bans[:3] == [120, 480, 1920]
    assert bans[-1] == 3 * 86_400


def test_limits_that_are_off_only_count() -> None:
    limits = WeightLimits(enforced=False)
    assert [limits.charge("a", 6000, START_S).status for _ in range(20)] == [200] * 20


async def test_a_client_over_the_limit_gets_429_with_retry_after_and_then_418(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # In real time a new minute may begin in the middle.
    monkeypatch.setattr("penstock.simulator.binance.api.real_seconds", lambda: START_S)
    async with running(SimulatorSettings(symbols=5)) as url, aiohttp.ClientSession(url) as session:
        seen = []
        for _ in range(200):
            async with session.get("/api/v3/ticker/24hr") as response:
                seen.append((response.status, await response.json()))
                assert (int(response.headers.get("Retry-After", 0)) > 0) == (response.status != 200)
    statuses = [status for status, _ in seen]
    assert {200, 429, 418} == set(statuses)
    assert sorted(statuses, key=[200, 429, 418].index) == statuses
    refused, banned = (
        next(body for status, body in seen if status == expected) for expected in (429, 418)
    )
    assert refused["code"] == banned["code"] == -1003
    assert "current limit is 6000 request weight per 1 MINUTE" in refused["msg"]
    assert "IP banned until" in banned["msg"]


async def test_a_benchmark_can_switch_the_limits_off() -> None:
    async with (
        running(SimulatorSettings(symbols=5, limits=False)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        for _ in range(120):
            async with session.get("/api/v3/ticker/24hr") as response:
                assert response.status == 200
