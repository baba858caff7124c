"""`/status` never waits for the database, and each client sees its own changes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from penstock.api.live.overview import Overview, View
from penstock.runs.events import Events, QueueChanged

if TYPE_CHECKING:
    from penstock.app import App


class Held:
    """A database that answers when the test allows it; its view is the number of the read."""

    def __init__(self) -> None:
        self.events = Events()
        self.begun = 0
        self.let = asyncio.Event()

    async def look(self, _work: object) -> View:
        self.begun += 1
        number = self.begun
        await self.let.wait()
        return View((), None, [str(number)], asyncio.get_running_loop().time())


def overview_of(database: Held) -> Overview:
    market: Any = SimpleNamespace(automatic=None)
    return Overview(
        cast("App", SimpleNamespace(database=database, runs=None, of=lambda _kind: market))
    )


async def turns() -> None:
    """Give the loop enough turns for everything that does not wait for the database."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_request_gets_the_last_read_state_during_the_next_read() -> None:
    database = Held()
    overview = overview_of(database)
    async with overview.running():
        database.let.set()
        assert (await overview.view()).symbols == ["1"]
        database.let.clear()
        database.events.publish(QueueChanged())
        await turns()
        assert database.begun == 2
        assert (await asyncio.wait_for(overview.view(), timeout=5)).symbols == ["1"]
        database.let.set()
        await turns()
        assert (await overview.view()).symbols == ["2"]


async def test_a_change_during_a_read_leads_to_another_read() -> None:
    database = Held()
    overview = overview_of(database)
    async with overview.running():
        asked = asyncio.create_task(overview.view())
        await turns()
        database.events.publish(QueueChanged())
        await turns()
        assert database.begun == 1
        database.let.set()
        await asked
        await turns()
        assert database.begun == 2


async def test_a_client_that_made_a_change_waits_for_a_read_that_began_after_it() -> None:
    database = Held()
    overview = overview_of(database)
    async with overview.running():
        asked_before = asyncio.create_task(overview.view())
        await turns()
        assert database.begun == 1
        caught_up = asyncio.create_task(overview.caught_up())
        await asyncio.sleep(0)
        database.let.set()
        await caught_up
        assert database.begun == 2
        assert (await overview.view()).symbols == ["2"]
        await asked_before
