"""The governor under virtual time: what it admits in a minute, and when it waits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from penstock.http.governor import Governor, LocalBudget
from tests import virtual_time

if TYPE_CHECKING:
    from tests.virtual_time import VirtualLoop

_LIMIT = 100
_ANY = 1e9

weights = st.lists(st.integers(1, 60), min_size=1, max_size=60)
starts = st.floats(0, 1_000, allow_nan=False)


def governed(loop: VirtualLoop, budget: LocalBudget | None = None) -> Governor:
    return Governor(_LIMIT, budget or LocalBudget(loop.time), clock=loop.time)


def by_minute(admitted: list[tuple[float, int]]) -> dict[float, int]:
    sums: defaultdict[float, int] = defaultdict(int)
    for at, weight in admitted:
        sums[at // 60] += weight
    return sums


@given(weights, starts)
def test_no_minute_exceeds_80_percent_of_the_limit_with_any_number_of_requests(
    requested: list[int], start: float
) -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, int]]:
        governor = governed(loop)
        admitted: list[tuple[float, int]] = []

        async def ask(weight: int) -> None:
            await governor.admit(weight, longest_pause_s=_ANY)
            admitted.append((loop.time(), weight))

        await asyncio.gather(*map(ask, requested))
        return admitted

    admitted = virtual_time.run(main, start=start)
    assert sorted(weight for _, weight in admitted) == sorted(requested)
    assert all(total <= 0.8 * _LIMIT for total in by_minute(admitted).values())


@given(st.integers(0, _LIMIT), st.integers(1, 60), starts)
def test_the_providers_own_count_reduces_the_current_minute(
    counted: int, weight: int, start: float
) -> None:
    async def main(loop: VirtualLoop) -> tuple[float, float]:
        governor = governed(loop)
        await governor.observe(counted, asked_at=loop.time())
        before = loop.time()
        await governor.admit(weight, longest_pause_s=_ANY)
        return before, loop.time()

    before, after = virtual_time.run(main, start=start)
    fits = not counted or counted + weight <= 0.8 * _LIMIT
    assert (after // 60 == before // 60) == fits


@given(st.lists(st.floats(0, 600, allow_nan=False), min_size=1, max_size=4), weights, starts)
def test_nothing_is_admitted_before_the_longest_pause_is_over(
    pauses: list[float], requested: list[int], start: float
) -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        governor = governed(loop)
        for pause in pauses:
            await governor.pause(pause)
        admitted: list[float] = []

        async def ask(weight: int) -> None:
            await governor.admit(weight, longest_pause_s=_ANY)
            admitted.append(loop.time())

        await asyncio.gather(*map(ask, requested))
        return admitted

    assert all(at >= start + max(pauses) for at in virtual_time.run(main, start=start))


def test_requests_waiting_for_the_next_minute_obey_a_new_pause() -> None:
    async def main(loop: VirtualLoop) -> float:
        governor = governed(loop)
        await governor.admit(80, longest_pause_s=_ANY)
        waiting = asyncio.create_task(governor.admit(1, longest_pause_s=_ANY))
        await asyncio.sleep(30)
        await governor.pause(200)
        await waiting
        return loop.time()

    assert virtual_time.run(main) >= 230


class Liftable(LocalBudget):
    """A budget whose pause a user can lift."""

    def lift(self) -> None:
        self._paused_until = 0.0
        self.lifts += 1
        self.lifted.set()
        self.lifted.clear()


class Silent(Liftable):
    """The same, without an answer to who stores a pause."""

    async def pause(self, seconds: float) -> None:
        assert seconds > 0
        await asyncio.Event().wait()


def test_requests_that_wait_for_a_pause_are_sent_once_it_is_lifted() -> None:
    async def main(loop: VirtualLoop) -> tuple[float, float]:
        budget = Liftable(loop.time)
        told, other = governed(loop, budget), governed(loop, budget)
        await told.pause(200)
        waiting = [asyncio.create_task(one.admit(1, longest_pause_s=_ANY)) for one in (told, other)]
        await asyncio.sleep(30)
        budget.lift()
        await asyncio.gather(*waiting)
        lifted_at = loop.time()
        await told.pause(50)
        await told.admit(1, longest_pause_s=_ANY)
        return lifted_at, loop.time()

    assert virtual_time.run(main) == (30, 80)


def test_a_pause_that_no_other_process_knows_of_survives_a_lift() -> None:
    async def main(loop: VirtualLoop) -> float:
        budget = Silent(loop.time)
        governor = governed(loop, budget)
        storing = asyncio.create_task(governor.pause(200))
        await asyncio.sleep(30)
        budget.lift()
        await governor.admit(1, longest_pause_s=_ANY)
        storing.cancel()
        return loop.time()

    assert virtual_time.run(main) == 200


def test_a_request_heavier_than_the_share_gets_its_own_minute() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        governor = governed(loop)
        times = []
        for weight in (1, 95, 1):
            await governor.admit(weight, longest_pause_s=_ANY)
            times.append(loop.time() // 60)
        return times

    assert virtual_time.run(main) == [0, 1, 2]


@given(weights, starts, st.integers(2, 5))
def test_governors_that_share_a_budget_keep_the_limit_together(
    requested: list[int], start: float, governors: int
) -> None:
    async def main(loop: VirtualLoop) -> list[tuple[float, int]]:
        budget = LocalBudget(loop.time)
        processes = [governed(loop, budget) for _ in range(governors)]
        admitted: list[tuple[float, int]] = []

        async def ask(place: int, weight: int) -> None:
            await processes[place % governors].admit(weight, longest_pause_s=_ANY)
            admitted.append((loop.time(), weight))

        await asyncio.gather(*(ask(place, weight) for place, weight in enumerate(requested)))
        return admitted

    admitted = virtual_time.run(main, start=start)
    assert sorted(weight for _, weight in admitted) == sorted(requested)
    assert all(total <= 0.8 * _LIMIT for total in by_minute(admitted).values())


def test_a_grant_from_before_a_pause_of_another_process_is_void() -> None:
    async def main(loop: VirtualLoop) -> float:
        budget = LocalBudget(loop.time)
        mine, other = governed(loop, budget), governed(loop, budget)
        await mine.admit(1, longest_pause_s=_ANY)
        await other.pause(30)
        budget.generation += 1
        await mine.admit(1, longest_pause_s=_ANY)
        return loop.time()

    assert virtual_time.run(main) == 30


def test_too_long_a_pause_is_reported_without_waiting() -> None:
    async def main(loop: VirtualLoop) -> list[float]:
        governor = governed(loop)
        assert await governor.admit(1, longest_pause_s=0) == 0
        await governor.pause(5)
        await governor.pause(2)
        outcomes = [await governor.admit(1, longest_pause_s=4.9), loop.time()]
        await asyncio.sleep(3)
        outcomes.append(await governor.admit(1, longest_pause_s=1.9))
        await asyncio.sleep(3)
        return [*outcomes, await governor.admit(1, longest_pause_s=0)]

    assert virtual_time.run(main) == [5, 0, 2, 0]


def test_a_count_of_the_previous_minute_does_not_affect_this_one() -> None:
    async def main(loop: VirtualLoop) -> float:
        governor = governed(loop)
        await governor.admit(1, longest_pause_s=_ANY)
        asked_at = loop.time()
        await asyncio.sleep(60)
        await governor.observe(_LIMIT, asked_at=asked_at)
        await governor.admit(60, longest_pause_s=_ANY)
        return loop.time()

    assert virtual_time.run(main) == 60
