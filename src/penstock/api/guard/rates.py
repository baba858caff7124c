"""How often somebody may ask."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE_S = 60.0
# Whoever is forgotten starts anew, so this bounds memory and takes nothing from anybody.
_MOST = 10_000


class Rates:
    """At most `per_minute` a minute for each, all at once or spread; remembers the 10,000 who asked last."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._step_s = _MINUTE_S / per_minute
        self._clock = clock
        # When all that somebody asked so far would be done, had he asked at an even pace.
        self._even: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._even)

    def wait_s(self, who: str) -> float:
        """How long to wait until one more is allowed; 0 when it is now."""
        ahead_s = self._even.get(who, 0.0) - self._clock()
        # A thousandth of a step is left to the rounding of sums.
        return max(0.0, ahead_s + self._step_s * 0.999 - _MINUTE_S)

    def count(self, who: str) -> None:
        """One more was asked."""
        self._even[who] = max(self._even.get(who, 0.0), self._clock()) + self._step_s
        self._even.move_to_end(who)
        if len(self._even) > _MOST:
            self._even.popitem(last=False)
