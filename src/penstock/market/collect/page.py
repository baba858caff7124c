"""What a run writes: pages of candles and their coverage, gathered into flushes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from penstock.market.candle import end_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.errors import SourceError
    from penstock.market.candle import Candle, Rejected
    from penstock.market.collect.coverage import Coverage, CoverageChange, Look, Span
    from penstock.market.instrument import SeriesKey
    from penstock.market.timeframe import Timeframe
    from penstock.market.timeline import TimeRange
    from penstock.runs.context import RunContext, Shown
    from penstock.runs.run import Counters


# A look counts as later after the time in which an unconfirmed gap is first asked for again.
LATER_MS = 60_000


@dataclass(slots=True)
class SeriesTarget:
    """A series during its run.

    `candles` counts written rows, `misaligned` those off the grid of the timeframe (stored too).
    `newest_open` is the newest stored candle if it is not final; `due` has the starts of the
    gaps to ask for again. The plan asks for ranges, `asked` in order up to the candle that ran
    then, with `expected` candles, of which `looked_at` are answered.
    """

    key: SeriesKey
    series_id: int
    coverage: Coverage
    newest_open: Candle | None = None
    due: set[int] = field(default_factory=set)
    pieces_left: int = 1
    asked: Sequence[TimeRange] = ()
    expected: int = 0
    looked_at: int = 0
    candles: int = 0
    rejected: int = 0
    misaligned: int = 0
    error: SourceError | None = None

    @property
    def timeframe(self) -> Timeframe:
        """That of its candles."""
        return self.key.timeframe

    @property
    def known_from(self) -> int | None:
        """Where the series begins, as far as it was asked for; an open candle is in no span."""
        known = self.coverage.known_from
        return self.newest_open.open_time if known is None and self.newest_open else known

    @property
    def known_until(self) -> int:
        """Where its last candle ends, final or not; 0 if it has none."""
        stored = self.coverage.stored_until
        if self.newest_open is None:
            return stored
        return max(stored, end_of(self.newest_open, self.timeframe))

    def said_before(self, row: Candle, at: int) -> bool:
        """Whether an earlier look, after the candle closed, gave the same values."""
        if row != self.newest_open:
            return False
        known = self.coverage.unconfirmed_at(row.open_time)
        return known is not None and known.last_asked + LATER_MS <= at


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlePage:
    """Rows of one answer, the first `closed` of them final, and the spans that they prove.

    `last`: its piece of the series is done. `delisted`: the exchange refuses an instrument that it
    no longer lists.
    """

    target: SeriesTarget
    candles: Sequence[Candle] = ()
    closed: int = 0
    rejected: Sequence[Rejected] = ()
    spans: Sequence[Span] = ()
    look: Look
    last: bool = False
    delisted: bool = False

    def __len__(self) -> int:
        return len(self.candles)


@dataclass(frozen=True, slots=True)
class CandleFlush:
    """What one transaction writes: pages, coverage changes by series id, and the run's progress.

    `clock` is the exchange and its time, if they are to be noted.
    """

    pages: Sequence[CandlePage]
    coverage: Sequence[tuple[int, CoverageChange]]
    shown: Shown
    clock: tuple[str, int] | None = None

    @property
    def rejected(self) -> int:
        """How many rows are refused."""
        return sum(len(page.rejected) for page in self.pages)

    @property
    def stored_series(self) -> set[int]:
        """The ids of the series that get rows."""
        return {page.target.series_id for page in self.pages if page.candles}


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did; `written` counts new and changed rows by series id."""

    counters: Counters
    written: Mapping[int, int]


class CandleStore(Protocol):
    """Where candles go; `penstock.store` implements it for each database."""

    async def open_series(
        self, context: RunContext, keys: Sequence[SeriesKey]
    ) -> list[SeriesTarget]:
        """The stored series, in the order of the keys; missing ones are created."""

    async def flush(self, context: RunContext, flush: CandleFlush) -> Flushed:
        """Write rows, coverage, quarantine and the run's counters in one transaction."""
