"""A backfill: what is missing of a range, or all of it once more; and what that would take, told ahead of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.http.governor import SHARE
from penstock.market.collect.fetch import BEYOND, READ_AGAIN
from penstock.market.collect.plan import PAGES_IN_A_PIECE
from penstock.market.collect.ranges import Ranges, Wish, check_range
from penstock.market.collect.repeats import due_gaps
from penstock.market.instrument import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.collect.page import Target
    from penstock.market.source import Declaration

_MINUTE_S = 60
# What it takes to find where the rows of a range begin, and why the first ones are missing: two questions each.
_LOCATING = 2
# The page that shows nothing more, and the question from the other side whether that is so.
_ENDING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOrder:
    """What a user asks to have filled: ranges that open in `start ≤ t < end` (ms), by default from where each series was wanted so far to now.

    Of a series that is still empty the newest candles are, as in a collection. `recheck`: also what is stored, or settled; `newest_first`: long
    ranges from their end on. InvalidInputError for a range that is none.
    """

    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None
    exchange: str = "binance"
    start: int | None = None
    end: int | None = None
    recheck: bool = False
    newest_first: bool = False

    def __post_init__(self) -> None:
        check_range(self.start, self.end, names=("start", "end"))

    def wish(self) -> Wish:
        """What its run looks at."""
        return Wish(
            since=self.start,
            until=self.end,
            gaps=True,
            recheck=self.recheck,
            newest_first=self.newest_first,
        )


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


def estimate(
    targets: Sequence[Target], wish: Wish, declared: Declaration, *, now: int, pages_per_minute: int
) -> Estimate:
    """By the ledger alone: nothing is asked for."""
    ranges = Ranges(_At(now), wish, declared)
    gaps, candles = 0, 0
    # One looks at the exchange's clock, and one at where a series ends that does not trade.
    requests = 1 + sum(target.key.instrument.status is not Status.TRADING for target in targets)
    for target in targets:
        target.due = {span.start for span in due_gaps(target, now)}
        for start, end in ranges.missing(target, ended=ranges.known_end(target))[0]:
            count = target.key.timeframe.candles_within(start, end)
            gaps, candles, requests = (
                gaps + 1,
                candles + count,
                requests + _requests(target, start, count, declared.page_limit),
            )
    return Estimate(
        gaps=gaps,
        candles=candles,
        requests=requests,
        share=round(100 * requests / pages_per_minute, 2),
        seconds=math.ceil(_MINUTE_S * requests / (SHARE * pages_per_minute)),
    )


def _requests(target: Target, start: int, candles: int, page_limit: int) -> int:
    """For a range of so many candles, where each answer is as long as it may be."""
    pieces = math.ceil(candles / (PAGES_IN_A_PIECE * page_limit))
    # Each piece reads some rows beside it, and each page the last row of the one before.
    rows = candles + pieces * (1 + READ_AGAIN + target.coverage.asked_at(start) + BEYOND)
    empty = target.coverage.stored_before(start + 1) is None
    located = _LOCATING * ((empty or pieces > 1) + empty)
    return located + pieces * _ENDING + math.ceil(rows / (page_limit - 1))
