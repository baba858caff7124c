"""A backfill: what is missing of a range, or all of it once more; and what that would take, told ahead of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.core.governor import SHARE
from penstock.market.ranges import Ranges, Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.page import Target

_MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOrder:
    """What a user asks to have filled: ranges that open in `start ≤ t < end` (ms), by default from each series' first candle to now.

    `recheck`: also what is stored; `newest_first`: long ranges from their end on.
    """

    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None
    exchange: str = "binance"
    start: int | None = None
    end: int | None = None
    recheck: bool = False
    newest_first: bool = False

    def wish(self) -> Wish:
        """What its run looks at."""
        return Wish(since=self.start, until=self.end, gaps=True, recheck=self.recheck, newest_first=self.newest_first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a backfill takes at the most: ranges, candles and requests.

    `share`: the requests in percent of what the exchange allows in a minute; `seconds`: how long they take at that rate.
    """

    gaps: int
    candles: int
    requests: int
    share: float
    seconds: int


@dataclass(frozen=True, slots=True)
class _At:
    """A clock that stands."""

    ms: int

    def now(self) -> int:
        return self.ms


def estimate(targets: Sequence[Target], wish: Wish, *, now: int, page_limit: int, pages_per_minute: int) -> Estimate:
    """By the ledger alone: nothing is asked for."""
    ranges = Ranges(_At(now), wish, page_limit=page_limit)
    missing = [(target.key.timeframe, start, end) for target in targets for start, end in ranges.missing(target, ended=ranges.known_end(target))[0]]
    candles = [timeframe.candles_within(start, end) for timeframe, start, end in missing]
    requests = sum(max(1, math.ceil(count / page_limit)) for count in candles)
    return Estimate(
        gaps=len(missing),
        candles=sum(candles),
        requests=requests,
        share=round(100 * requests / pages_per_minute, 1),
        seconds=math.ceil(_MINUTE_S * requests / (SHARE * pages_per_minute)),
    )
