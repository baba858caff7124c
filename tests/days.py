"""Days that do not end in the middle of a test."""

from __future__ import annotations

import asyncio
import time

_DAY_S = 86_400
_LONGEST_TEST_S = 60


async def within_a_day() -> None:
    """Return when the UTC day lasts longer than a test, so that "yesterday" does not change."""
    left = _DAY_S - time.time() % _DAY_S
    if left < _LONGEST_TEST_S:
        await asyncio.sleep(left)
