"""The simulator's own paths and settings: clock, requests, refusals."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from penstock.errors import InvalidInputError
from penstock.simulator.server import SimulatorSettings, running, serve
from penstock.simulator.traffic.clock import SimulatedClock, parse_now
from tests.simulator.conftest import NOW_MS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simulator.conftest import Simulator


def test_the_clock_runs_at_its_speed_and_can_be_set() -> None:
    real = [100.0]
    clock = SimulatedClock(NOW_MS, 60, ticks=lambda: real[0])
    real[0] += 2
    assert clock.now_ms() == NOW_MS + 120_000
    assert clock.after_ms(1) == NOW_MS + 180_000
    clock.set(speed=0)
    real[0] += 5
    assert clock.now_ms() == NOW_MS + 120_000
    clock.set(now_ms=NOW_MS, speed=1)
    real[0] += 0.25
    assert clock.now_ms() == NOW_MS + 250


def test_a_time_is_iso_8601_or_milliseconds() -> None:
    assert parse_now("2024-06-13T12:20:34.567Z") == parse_now("1718281234567") == NOW_MS
    assert (
        parse_now("2024-06-13T14:20:34.567+02:00") == parse_now("2024-06-13 12:20:34.567") == NOW_MS
    )


async def test_the_clock_is_shown_and_set_while_it_runs(simulator: Simulator) -> None:
    assert await simulator.get("/simulator/clock") == (
        200,
        {"now": NOW_MS, "iso": "2024-06-13T12:20:34.567+00:00", "speed": 0.0},
    )
    async with simulator.session.put(
        "/simulator/clock", json={"now": "2021-01-01T00:00:00Z"}
    ) as response:
        assert (await response.json())["now"] == 1_609_459_200_000
    assert (await simulator.get("/api/v3/time"))[1] == {"serverTime": 1_609_459_200_000}
    assert (await simulator.klines(limit=1))[0][0] == 1_609_459_200_000


@pytest.mark.parametrize(
    "change",
    [
        {"now": "yesterday"},
        {"now": 5},
        {"speed": -1},
        {"now": NOW_MS, "speed": 1e9},
        {"hour": 3},
        {"speed": "fast"},
        [],
    ],
)
async def test_a_wrong_clock_setting_changes_nothing(simulator: Simulator, change: object) -> None:
    before = await simulator.get("/simulator/clock")
    async with simulator.session.put("/simulator/clock", json=change) as response:
        assert response.status == 422
        assert (await response.json())["error"]
    assert await simulator.get("/simulator/clock") == before


async def test_requests_are_counted_by_path_and_the_newest_are_listed(simulator: Simulator) -> None:
    await simulator.klines(limit=1)
    await simulator.klines(limit=2)
    await simulator.get("/api/v3/klines", symbol="NOSUCH", interval="1m")
    await simulator.get("/api/v3/time")
    _, seen = await simulator.get("/simulator/requests", limit=2)
    assert seen["total"] == 4
    assert seen["by_path"] == {"/api/v3/klines": 3, "/api/v3/time": 1}
    assert [
        (request["path"], request["query"], request["status"]) for request in seen["newest"]
    ] == [
        ("/api/v3/klines", "symbol=NOSUCH&interval=1m", 400),
        ("/api/v3/time", "", 200),
    ]
    assert seen["newest"][0]["at"] <= seen["newest"][1]["at"]
    async with simulator.session.delete("/simulator/requests") as response:
        assert (await response.json())["total"] == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"symbols": 0}, "symbols"),
        ({"speed": -1.0}, "speed"),
        ({"now_ms": 12}, "now"),
        ({"faults": ("latncy",)}, "fault"),
        ({"faults": ("latency:ms",)}, "fault"),
        ({"replay_only": True}, "replay_only"),
        ({"accounts": ("two words",)}, "account"),
        ({"products": -1}, "products"),
        ({"expansions": 0}, "expansions"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        SimulatorSettings(**wrong)
    assert refused.value.field == field
    assert str(refused.value).startswith(field)


async def test_a_taken_port_and_a_missing_folder_are_one_clear_sentence(tmp_path: Path) -> None:
    async with running(SimulatorSettings(symbols=1)) as url:
        with pytest.raises(InvalidInputError, match="cannot listen"):
            await serve(SimulatorSettings(symbols=1), port=int(url.rsplit(":", 1)[1]))
    with pytest.raises(InvalidInputError, match="is not a folder"):
        await serve(SimulatorSettings(symbols=1, replay=tmp_path / "none"), port=0)
    with pytest.raises(InvalidInputError, match="holds no recorded data"):
        await serve(SimulatorSettings(symbols=1, replay=tmp_path), port=0)


async def test_serve_runs_until_it_is_cancelled() -> None:
    task = asyncio.create_task(serve(SimulatorSettings(symbols=1), port=0))
    await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
