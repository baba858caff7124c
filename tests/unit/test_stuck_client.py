"""When a WebSocket client is stuck: by the sweeps that saw one message wait, not by time."""

from __future__ import annotations

import asyncio

from penstock.api.live.client import Subscriber, Traffic


async def test_the_sweeps_of_a_waiting_message_are_counted_and_start_at_zero_for_the_next() -> None:
    taken: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
    client = Subscriber(taken.put, lambda _why: None, lambda _client: None, Traffic(), most=10)
    pumping = asyncio.create_task(client.pump())
    assert [client.sweep(), client.sweep()] == [0, 0], "nothing is being sent"
    for number in range(3):
        client.put(f'{{"n":{number}')
    # One message fits into the queue; the next one waits for space.
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
