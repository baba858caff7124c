"""The governor, under a clock that jumps: what it admits in a minute, and that it keeps still while told to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from penstock.core.governor import Governor
from tests import virtual_time

if TYPE_CHECKING:
    from tests.virtual_time import VirtualLoop

_LIMIT = 100

weights = st.lists(st.integers(1, 60), min_size=1, max_size=60)
starts = st.floats(0, 1_000, allow_nan=False)


def by_minute(admitted: list[tuple[float, int]]) -> dict[float, int]:
    sums: defaultdict[float, int] = defaultdict(int)
    for at, weight in admitted:
        sums[at // 60] += weight
    return sums


@given(weights, starts)
def test_no_minute_ever_sees_more_than_80_percent_of_the_limit_however_many_ask_at_once(wanted: list[int], start: float) -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, int]]:
        governor = Governor(_LIMIT, clock=loop.time)
        admitted: list[tuple[float, int]] = []

        async def ask(weight: int) -> None:
            await governor.admit(weight)
            admitted.append((loop.time(), weight))

        await asyncio.gather(*map(ask, wanted))
        return admitted

    admitted = virtual_time.run(main, start=start)
    assert sorted(weight for _, weight in admitted) == sorted(wanted)
    assert all(total <= 0.8 * _LIMIT for total in by_minute(admitted).values())


@given(st.integers(0, _LIMIT), st.integers(1, 60), starts)
def test_the_providers_own_count_takes_its_part_of_the_minute(counted: int, weight: int, start: float) -> None:
    async def main(loop: VirtualLoop) -> tuple[float, float]:
        governor = Governor(_LIMIT, clock=loop.time)
        governor.observe(counted)
        before = loop.time()
        await governor.admit(weight)
        return before, loop.time()

    before, after = virtual_time.run(main, start=start)
    fits = not counted or counted + weight <= 0.8 * _LIMIT
    assert (after // 60 == before // 60) == fits


@given(st.lists(st.floats(0, 600, allow_nan=False), min_size=1, max_size=4), weights, starts)
def test_nothing_is_admitted_before_the_longest_pause_is_over(pauses: list[float], wanted: list[int], start: float) -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        governor = Governor(_LIMIT, clock=loop.time)
        for pause in pauses:
            governor.pause(pause)
        admitted: list[float] = []

        async def ask(weight: int) -> None:
            await governor.admit(weight)
            admitted.append(loop.time())

        await asyncio.gather(*map(ask, wanted))
        return admitted

    assert all(at >= start + max(pauses) for at in virtual_time.run(main, start=start))


def test_a_pause_that_begins_while_requests_wait_for_the_next_minute_is_obeyed_too() -> None:
    async def main(loop: VirtualLoop) -> float:
        governor = Governor(_LIMIT, clock=loop.time)
        await governor.admit(80)
        waiting = asyncio.create_task(governor.admit(1))
        await asyncio.sleep(30)
        governor.pause(200)
        await waiting
        return loop.time()

    assert virtual_time.run(main) >= 230


def test_a_request_heavier_than_the_share_gets_a_minute_of_its_own_and_is_not_stuck() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        governor = Governor(_LIMIT, clock=loop.time)
        times = []
        for weight in (1, 95, 1):
            await governor.admit(weight)
            times.append(loop.time() // 60)
        return times

    assert virtual_time.run(main) == [0, 1, 2]


def test_what_is_left_of_a_pause_can_be_asked_for() -> None:
    now = 100.0
    governor = Governor(_LIMIT, clock=lambda: now)
    assert governor.wait_s() == 0
    governor.pause(5)
    governor.pause(2)
    assert governor.wait_s() == 5
    now = 106.0
    assert governor.wait_s() == 0
