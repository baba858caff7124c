"""The two deadlines of an answer, so that a slow connection does not count as a dead one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


_SLACK = 20


class TooSlowError(TimeoutError):
    """A deadline ran out; the message names it and its setting."""


@contextlib.asynccontextmanager
async def deadlines(*, idle_s: float, total_s: float) -> AsyncGenerator[Callable[[], None]]:
    """End the block with TooSlowError after `idle_s` without data, or after `total_s`.

    Gives the function to call whenever data arrives.
    """
    loop = asyncio.get_running_loop()
    armed = loop.time()
    until = armed + total_s
    # Moving the timer costs as much as reading a piece, and most answers arrive at once: so it
    # moves seldom, and fires later by the same amount.
    slack_s = idle_s / _SLACK
    timer = asyncio.timeout_at(min(armed + idle_s + slack_s, until))

    def received() -> None:
        nonlocal armed
        if (now := loop.time()) > armed + slack_s:
            armed = now
            timer.reschedule(min(now + idle_s + slack_s, until))

    try:
        async with timer:
            yield received
    except TimeoutError as error:
        if not timer.expired():
            raise
        if timer.when() == until:
            raise TooSlowError(
                f"the answer was incomplete after {total_s:g} s (PENSTOCK_REQUEST_DEADLINE_S)"
            ) from error
        raise TooSlowError(f"no data for {idle_s:g} s (PENSTOCK_REQUEST_IDLE_S)") from error
