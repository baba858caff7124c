"""What users ask to collect, in their own words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from penstock.errors import InvalidInputError
from penstock.market.collect.ranges import Wish, check_range
from penstock.market.configured import DEFAULT_EXCHANGE
from penstock.market.runs.submission import BACKFILL, COLLECTION

if TYPE_CHECKING:
    from collections.abc import Sequence

# The highest limit: of a series that is still empty.
MOST_CANDLES = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectOrder:
    """A collection; without symbols or timeframes it takes the configured ones.

    `since` and `until` (ms) bound it. `recheck` reads stored candles and known gaps from `since` on
    again. InvalidInputError for an invalid range.
    """

    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None
    exchange: str = DEFAULT_EXCHANGE
    limit: int | None = None
    since: int | None = None
    until: int | None = None
    recheck: bool = False

    kind: ClassVar = COLLECTION
    job_name: ClassVar = "collect_data_manual"

    def __post_init__(self) -> None:
        check_range(self.since, self.until, names=("since", "until"))
        if self.recheck and self.since is None:
            raise InvalidInputError(
                "since: recheck needs a start; give a time, such as 2025-01-31", field="since"
            )

    def wish(self) -> Wish:
        """What its run looks at."""
        return Wish(limit=self.limit, since=self.since, until=self.until, recheck=self.recheck)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOrder:
    """A backfill of candles that open in `start ≤ t < end` (ms).

    By default from where each series was first wanted until now; an empty series gets its newest
    candles, as in a collection. `recheck` includes stored and settled ranges. `newest_first`
    collects long ranges from their end. InvalidInputError for an invalid range.
    """

    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None
    exchange: str = DEFAULT_EXCHANGE
    start: int | None = None
    end: int | None = None
    recheck: bool = False
    newest_first: bool = False

    kind: ClassVar = BACKFILL
    job_name: ClassVar = "backfill_manual"

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
