"""The cost of a backfill, estimated before it starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.http.governor import SHARE
from penstock.market.collect.fetch import BEYOND, READ_AGAIN
from penstock.market.collect.plan import PAGES_IN_A_PIECE
from penstock.market.collect.ranges import Ranges
from penstock.market.collect.repeats import due_gaps
from penstock.market.instrument import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.market.collect.page import SeriesTarget
    from penstock.market.collect.ranges import Wish
    from penstock.market.source import Declaration

_MINUTE_S = 60
# Two questions find where the rows of a range begin, two more why the first ones are missing.
_LOCATING = 2
# The page that shows nothing more, and the question from the other side that confirms it.
_ENDING = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a backfill takes at most.

    `share` is the requests in percent of what the exchange allows in a minute, `seconds` how long
    they take at that rate.
    """

    gaps: int
    candles: int
    requests: int
    share: float
    seconds: int


def estimate(
    targets: Sequence[SeriesTarget],
    wish: Wish,
    declared: Declaration,
    *,
    now: int,
    pages_per_minute: int,
) -> Estimate:
    """From the ledger alone: the exchange is not asked."""
    ranges = Ranges(lambda: now, wish, declared)
    gaps = candles = 0
    # One for the exchange's clock, and one for the end of each series that does not trade.
    requests = 1 + sum(target.key.instrument.status is not Status.TRADING for target in targets)
    for target in targets:
        target.due = {span.start for span in due_gaps(target, now)}
        for start, end in ranges.missing(target, ended=ranges.known_end(target))[0]:
            count = target.timeframe.candles_within(start, end)
            gaps += 1
            candles += count
            requests += _requests(target, start, count, declared.page_limit)
    return Estimate(
        gaps=gaps,
        candles=candles,
        requests=requests,
        share=round(100 * requests / pages_per_minute, 2),
        seconds=math.ceil(_MINUTE_S * requests / (SHARE * pages_per_minute)),
    )


def _requests(target: SeriesTarget, start: int, candles: int, page_limit: int) -> int:
    """For a range of so many candles, if each answer is as long as it may be."""
    pieces = math.ceil(candles / (PAGES_IN_A_PIECE * page_limit))
    # Each piece reads some rows around it, and each page the last row of the one before.
    rows = candles + pieces * (1 + READ_AGAIN + target.coverage.asked_at(start) + BEYOND)
    empty = target.coverage.stored_before(start + 1) is None
    located = _LOCATING * ((empty or pieces > 1) + empty)
    return located + pieces * _ENDING + math.ceil(rows / (page_limit - 1))
