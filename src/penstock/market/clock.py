"""The exchange's clock, by which a candle is closed or not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.market.source import MarketSource


class ExchangeClock:
    """The exchange's time between two looks at it; never ahead of it, since an answer is always older than its arrival."""

    def __init__(self, source: MarketSource) -> None:
        self._source = source
        self._offset_ms = 0.0

    async def sync(self) -> None:
        """Look at the exchange's clock."""
        self._offset_ms = await self._source.server_time() - time.monotonic() * 1000

    def now(self) -> int:
        """Ms since the epoch."""
        return int(time.monotonic() * 1000 + self._offset_ms)
