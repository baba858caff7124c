"""The governor keeps all requests of this process to one provider below the provider's limits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_WINDOW_S = 60.0


class Governor:
    """Admits requests by weight, at most `share` of `weight_per_minute` in any clock minute, and none while the provider told us to wait.

    The minute is the local one. The provider's own count of used weight corrects ours upwards, so that other programs behind the same
    address are seen too.
    """

    def __init__(self, weight_per_minute: int, *, share: float = 0.8, clock: Callable[[], float] = time.time) -> None:
        self._budget = weight_per_minute * share
        self._clock = clock
        self._window = 0.0
        self._used = 0.0
        self._paused_until = 0.0

    def wait_s(self) -> float:
        """Seconds until the provider's own pause is over; 0 when there is none."""
        return max(0.0, self._paused_until - self._clock())

    def pause(self, seconds: float) -> None:
        """Let no request through for so long; a longer pause that is already there stays."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def observe(self, used_weight: int) -> None:
        """Take over the provider's own count for the running minute when it is above ours."""
        self._roll()
        self._used = max(self._used, float(used_weight))

    async def admit(self, weight: int) -> None:
        """Wait until a request of this weight may be sent, and count it."""
        while (delay := self._delay(weight)) > 0:  # noqa: ASYNC110 - time is what is waited for, no event says that it has passed
            await asyncio.sleep(delay)
        self._used += weight

    def _delay(self, weight: int) -> float:
        self._roll()
        if (paused := self.wait_s()) > 0:
            return paused
        if self._used and self._used + weight > self._budget:
            return self._window + _WINDOW_S - self._clock()
        return 0.0

    def _roll(self) -> None:
        window = self._clock() // _WINDOW_S * _WINDOW_S
        if window != self._window:
            self._window, self._used = window, 0.0
