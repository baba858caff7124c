"""What a message of a client may cost: small steps on the loop, and bounded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.api.collector import collector
from tests.api.steps import steps_on_the_loop
from tests.api.websocket_client import SERIES, socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.collector import Collector
    from tests.conftest import Say

_SYMBOLS = 3_500
_NAMES = 500
# About five milliseconds.
_MOST_STEPS = 15_000


@pytest.fixture
async def service(sqlite_database: str) -> AsyncIterator[Collector]:
    """A service that knows an exchange with thousands of symbols."""
    async with collector(sqlite_database, simulator={"symbols": 4_500}) as found:
        _, task = await found.call("POST", "/refresh-symbols")
        assert (await found.ended(task["task_id"]))["status"] == "completed"
        yield found


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_hundreds_of_names_in_a_message_are_looked_up_in_small_steps(
    service: Collector, say: Say, *, known: bool
) -> None:
    listed = await service.app.database.read(
        lambda connection: connection.scalars(text("SELECT symbol FROM instrument")).all()
    )
    assert len(listed) >= _SYMBOLS
    names = listed[:_NAMES] if known else [f"WRONG{place}/USDT" for place in range(_NAMES)]
    async with socket(service) as client:
        with steps_on_the_loop() as steps:
            await client.subscribe(*(SERIES | {"symbol": name} for name in names))
            if known:
                await client.in_force()
            else:
                for _ in names:
                    assert (await client.next("error"))["field"] == "symbol"
    say(f"{steps.most} steps")
    assert steps.most <= _MOST_STEPS, steps
