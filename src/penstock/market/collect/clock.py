"""The exchange's clock, which decides whether a candle is closed. It must be plausible."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from penstock.errors import SourceMisfitError
from penstock.moment import iso

if TYPE_CHECKING:
    from penstock.market.source import MarketSource

# Ms since the epoch in which there are exchanges; seconds and microseconds are far outside.
_PLAUSIBLE = range(1_230_768_000_000, 4_102_444_800_000)
_DAY_MS = 86_400_000
# Servers behind one address differ by less.
_BACKWARDS_MS = 60_000


class ExchangeClock:
    """The exchange's time between two looks at it.

    Never ahead of the real one, since an answer is always older than its arrival.
    """

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self._offset_ms: float | None = None

    async def sync(self) -> None:
        """Ask for the exchange's time; SourceMisfitError if it is not plausible."""
        sent = await self._source.server_time()
        if fault := self._fault(sent):
            name = self._source.declaration.name
            raise SourceMisfitError(
                f"the clock of {name} is wrong: {fault}; nothing is collected by it"
            )
        self._offset_ms = sent - time.monotonic() * 1000

    def now(self) -> int:
        """Ms since the epoch."""
        return int(time.monotonic() * 1000 + (self._offset_ms or 0))

    def _fault(self, sent: int) -> str:
        """What is wrong with a time; empty if nothing is."""
        if sent not in _PLAUSIBLE:
            return f"it says {sent}, which is not a time in milliseconds"
        said = f"it says {iso(sent)}"
        if self._offset_ms is not None and sent < self.now() - _BACKWARDS_MS:
            return f"{said}, and a moment ago it was {(self.now() - sent) / 1000:.0f} s later"
        if self._source.real_time and abs(sent - time.time() * 1000) > _DAY_MS:
            return f"{said}, more than a day from the clock of this machine"
        return ""
