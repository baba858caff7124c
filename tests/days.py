"""Days that do not end in the middle of a test."""

from __future__ import annotations

import asyncio
import time

_DAY_S = 86_400
_LONGEST_TEST_S = 60


async def within_a_day() -> None:
    """Come back when the day, UTC, goes on for longer than a test takes: what is yesterday to it stays so."""
    left = _DAY_S - time.time() % _DAY_S
    if left < _LONGEST_TEST_S:
        await asyncio.sleep(left)
