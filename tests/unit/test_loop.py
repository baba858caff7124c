"""An outage is logged once when it begins and once when it is over."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from penstock.errors import StoreUnavailableError
from penstock.loop import Outage, event_or_time


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over() -> None:
    outage = Outage("no mail is sent", "mail is sent again", to="ops")
    with capture_logs() as logs:
        outage.ended()
        for _ in range(3):
            outage.began(StoreUnavailableError("away"))
        outage.ended()
        outage.ended()
        outage.began("away again")
    assert [(entry["log_level"], entry["event"], entry["to"]) for entry in logs] == [
        ("warning", "no mail is sent", "ops"),
        ("info", "mail is sent again", "ops"),
        ("warning", "no mail is sent", "ops"),
    ]
    assert logs[0]["error"] == "away"
    assert logs[1]["after_s"] >= 0


def test_only_an_unexpected_error_is_logged_with_its_traceback() -> None:
    with capture_logs() as logs:
        Outage("a", "b").began(StoreUnavailableError("away"))
        Outage("a", "b").began(ZeroDivisionError("a mistake of ours"))
    assert [bool(entry["exc_info"]) for entry in logs] == [False, True]


async def test_a_wait_ends_with_the_event_or_the_time_out() -> None:
    event = asyncio.Event()
    async with asyncio.timeout(60):
        await event_or_time(event, 0.01)
        event.set()
        await event_or_time(event, 3_600)


async def test_a_cancellation_together_with_the_event_is_not_lost() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(event_or_time(event, 3_600))
    await asyncio.sleep(0)
    event.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
