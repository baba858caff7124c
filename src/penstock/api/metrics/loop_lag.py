"""How late the event loop runs: the health of everything that answers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from penstock.loop import background

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

_EVERY_S = 0.01
_KEPT = 6_000


class LoopLag:
    """Measures every 10 ms how late the loop wakes up; keeps the last minute."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=_KEPT)

    def measured(self) -> AbstractAsyncContextManager[None]:
        """Measure while the block runs."""
        return background(self._measure(), "loop lag")

    def all_ms(self) -> list[float]:
        """Each lag of the last minute, ms."""
        return [1000 * lag for lag in self._lags]

    def worst_ms(self) -> tuple[float, float]:
        """The 99th percentile and the maximum of the last minute, ms."""
        lags = sorted(self.all_ms())
        return (lags[len(lags) * 99 // 100], lags[-1]) if lags else (0.0, 0.0)

    async def _measure(self) -> None:
        while True:
            due = time.monotonic() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self._lags.append(time.monotonic() - due)
