"""The exchange's clock, by which a candle is closed or not. It is believed only if it is plausible."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from penstock.errors import SourceMisfitError
from penstock.moment import iso

if TYPE_CHECKING:
    from penstock.market.source import MarketSource

# Ms since the epoch of the years in which there are exchanges: seconds and microseconds are far outside.
_PLAUSIBLE = range(1_230_768_000_000, 4_102_444_800_000)
_DAY_MS = 86_400_000
# Servers behind one address differ by less.
_BACKWARDS_MS = 60_000


class ExchangeClock:
    """The exchange's time between two looks at it; never ahead of it, since an answer is always older than its arrival."""

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self._offset_ms: float | None = None

    async def sync(self) -> None:
        """Look at the exchange's clock; SourceMisfitError for one that cannot be believed."""
        told = await self._source.server_time()
        if fault := self._fault(told):
            message = f"{self._source.declaration.name} says that its time is {fault}; nothing is collected by such a clock"
            raise SourceMisfitError(message)
        self._offset_ms = told - time.monotonic() * 1000

    def now(self) -> int:
        """Ms since the epoch."""
        return int(time.monotonic() * 1000 + (self._offset_ms or 0))

    def _fault(self, told: int) -> str:
        """What is wrong with a time, in words; empty if nothing is."""
        if told not in _PLAUSIBLE:
            return f"{told}, which is no time in milliseconds"
        said = iso(told)
        if self._offset_ms is not None and told < self.now() - _BACKWARDS_MS:
            return f"{said}, and a moment ago it was {(self.now() - told) / 1000:.0f} s later"
        if self._source.in_our_time and abs(told - time.time() * 1000) > _DAY_MS:
            return f"{said}, more than a day from this machine's"
        return ""
