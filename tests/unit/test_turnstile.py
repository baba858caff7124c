"""The turnstile: simultaneous work passes in turns, so that other work runs in between."""

from __future__ import annotations

import asyncio

from penstock.http.decoding import Turnstile


async def test_of_many_ready_at_once_one_passes_in_each_turn_of_the_loop() -> None:
    turnstile = Turnstile()
    turns = 0
    passed: list[int] = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def pass_through() -> None:
        await turnstile.passed()
        passed.append(turns)

    counting = asyncio.create_task(count_turns())
    await asyncio.gather(*(pass_through() for _ in range(10)))
    counting.cancel()
    assert len(set(passed)) == 10


async def test_a_cancelled_waiter_does_not_stop_the_others() -> None:
    turnstile = Turnstile()
    waiting = [asyncio.create_task(turnstile.passed()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.wait(waiting)
    await asyncio.wait_for(turnstile.passed(), 5)
    assert [task.cancelled() for task in waiting] == [False, True, False]
