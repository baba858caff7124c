"""When a WebSocket client is stuck: by the sweeps that saw one message wait, not by time."""

from __future__ import annotations

import asyncio

from penstock.api.live.client import Subscriber, Traffic


async def test_a_message_that_waits_is_counted_by_sweeps_and_the_next_one_anew() -> None:
    taken: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
    client = Subscriber(taken.put, lambda _why: None, lambda _client: None, Traffic(), most=10)
    pumping = asyncio.create_task(client.pump())
    assert [client.sweep(), client.sweep()] == [0, 0], "nothing is being sent"
    for number in range(3):
        client.put(f'{{"n":{number}')
    # One is taken into the queue, the next waits for room in it.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [client.sweep() for _ in range(3)] == [1, 2, 3]
    await taken.get()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert client.sweep() == 1, "another message waits now"
    for _ in range(2):
        await taken.get()
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert client.sweep() == 0
    pumping.cancel()
