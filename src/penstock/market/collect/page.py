"""What a run writes: pages of candles with what they say of the series' coverage, gathered into one flush."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from penstock.market.candle import end_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from penstock.errors import SourceError
    from penstock.market.candle import Candle, Rejected
    from penstock.market.collect.coverage import Coverage, CoverageChange, Look, Span
    from penstock.market.instrument import SeriesKey
    from penstock.runs.context import RunContext, Shown
    from penstock.runs.run import Counters


# So much later a look has to be to count as a later one: the time after which an unconfirmed gap is first asked for again.
LATER_MS = 60_000


@dataclass(slots=True)
class Target:
    """A series during its run. `candles` counts what was written; `misaligned` those off the grid of their timeframe: stored, and reported.

    `newest_open` is its newest stored candle, if that is not final yet; `due` has the starts of the gaps that this run looks at again.
    `expected` is how many candles its plan asks for, `looked_at` for how many of them there is an answer.
    """

    key: SeriesKey
    series_id: int
    coverage: Coverage
    newest_open: Candle | None = None
    due: set[int] = field(default_factory=set)
    pieces_left: int = 1
    expected: int = 0
    looked_at: int = 0
    candles: int = 0
    rejected: int = 0
    misaligned: int = 0
    error: SourceError | None = None

    @property
    def known_from(self) -> int | None:
        """Where the series begins, as far as it was asked for; a candle that is not final is in no span."""
        known = self.coverage.known_from
        return self.newest_open.open_time if known is None and self.newest_open else known

    @property
    def known_until(self) -> int:
        """Where its last candle ends, final or not; 0 if it has none."""
        stored = self.coverage.stored_until
        return (
            stored
            if self.newest_open is None
            else max(stored, end_of(self.newest_open, self.key.timeframe))
        )

    def due_before(self, at: int) -> Iterator[tuple[int, int]]:
        """The gaps that begin before `at` and are looked at again."""
        for span in self.coverage:
            if span.start >= at:
                return
            if span.start in self.due:
                yield span.start, span.end

    def said_before(self, row: Candle, at: int) -> bool:
        """Whether an earlier look, after the candle had closed, gave the same values."""
        if row != self.newest_open:
            return False
        known = self.coverage.unconfirmed_at(row.open_time)
        return known is not None and known.last_asked + LATER_MS <= at


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlePage:
    """Rows of one answer, the first `closed` of them final, and the spans that are known once they are stored.

    `last`: the piece of the series that it belongs to is done. `delisted`: the exchange has refused an instrument that it does not list any more.
    """

    target: Target
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
    """What one transaction writes: coverage changes by series id, and how far the run is then.

    `clock` is the exchange's time, where that is to be noted.
    """

    pages: Sequence[CandlePage]
    coverage: Sequence[tuple[int, CoverageChange]]
    shown: Shown
    clock: tuple[str, int] | None = None

    @property
    def rejected(self) -> int:
        """How many rows were refused."""
        return sum(len(page.rejected) for page in self.pages)

    @property
    def stored_series(self) -> set[int]:
        """The series that get rows."""
        return {page.target.series_id for page in self.pages if page.candles}


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did; `written` counts the rows that are now different, by series id."""

    counters: Counters
    written: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class OpenedSeries:
    """A series as it is stored: its id, its spans, and its newest candle if that is not final."""

    series_id: int
    spans: Sequence[Span]
    newest_open: Candle | None


class CandleStore(Protocol):
    """Where candles go; implemented by `penstock.store` for each database."""

    async def open_series(
        self, context: RunContext, keys: Sequence[SeriesKey]
    ) -> list[OpenedSeries]:
        """The series as they are stored, in the order asked; what is not there yet is created."""

    async def flush(self, context: RunContext, flush: CandleFlush) -> Flushed:
        """Write rows, coverage, quarantine and the run's counters in one transaction."""
