"""The two deadlines of an answer: one for its silences, one for all of it, so that a slow line is not taken for a dead one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable


_SLACK = 20


class TooSlowError(TimeoutError):
    """A deadline ran out; the message says which, and the setting that moves it."""


@contextlib.asynccontextmanager
async def deadlines(*, idle_s: float, total_s: float) -> AsyncGenerator[Callable[[], None]]:
    """End the block with TooSlowError when nothing is heard for `idle_s`, or after `total_s`; gives what is to be called for each sign of life."""
    loop = asyncio.get_running_loop()
    armed = loop.time()
    until = armed + total_s
    # To move the timer takes as long as to read a piece, and most answers are there at once: so it is moved this seldom, and rings as much later.
    slack_s = idle_s / _SLACK
    timer = asyncio.timeout_at(min(armed + idle_s + slack_s, until))

    def heard() -> None:
        nonlocal armed
        if (now := loop.time()) > armed + slack_s:
            armed = now
            timer.reschedule(min(now + idle_s + slack_s, until))

    try:
        async with timer:
            yield heard
    except TimeoutError as error:
        if not timer.expired():
            raise
        if timer.when() == until:
            message = f"the answer was not whole after {total_s:g} s (PENSTOCK_REQUEST_DEADLINE_S)"
        else:
            message = f"nothing came for {idle_s:g} s (PENSTOCK_REQUEST_IDLE_S)"
        raise TooSlowError(message) from error
