"""What a run writes: pages of candles with what they say of the series' coverage, gathered into one flush."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.core.run import Counters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.core.run import Run
    from penstock.errors import SourceError
    from penstock.market.candle import Candle, Rejected
    from penstock.market.coverage import Coverage, CoverageChange, Span
    from penstock.market.instrument import SeriesKey


@dataclass(slots=True)
class Target:
    """A series during its run. `candles` counts what was written; `misaligned` those off the grid of their timeframe: stored, and reported."""

    key: SeriesKey
    series_id: int
    coverage: Coverage
    pieces_left: int = 1
    candles: int = 0
    rejected: int = 0
    misaligned: int = 0
    error: SourceError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandlePage:
    """Rows of one answer, the first `closed` of them final, and the spans that are known once they are stored.

    `last`: the piece of the series that it belongs to is done.
    """

    target: Target
    candles: Sequence[Candle] = ()
    closed: int = 0
    rejected: Sequence[Rejected] = ()
    spans: Sequence[Span] = ()
    last: bool = False

    def __len__(self) -> int:
        return len(self.candles)


@dataclass(frozen=True, slots=True)
class CandleFlush:
    """What one transaction writes: coverage changes by series id, `requests` since the flush before, how far (0–100) the run is then."""

    pages: Sequence[CandlePage]
    coverage: Sequence[tuple[int, CoverageChange]]
    requests: int
    progress: int
    message: str

    @property
    def asked(self) -> Counters:
        """What the flush adds to the run's counters besides rows."""
        return Counters(rejected=sum(len(page.rejected) for page in self.pages), requests=self.requests)

    @property
    def stored_series(self) -> set[int]:
        """The series that get rows."""
        return {page.target.series_id for page in self.pages if page.candles}


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush did; `written` counts the rows that are now different, by series id."""

    counters: Counters
    written: Mapping[int, int]


class CandleStore(Protocol):
    """Where candles go; implemented by `penstock.store` for each database."""

    async def open_series(self, keys: Sequence[SeriesKey]) -> list[tuple[int, list[Span]]]:
        """The id and the recorded spans of each series, in the order asked; what is not there yet is created."""

    async def flush(self, run: Run, flush: CandleFlush) -> Flushed:
        """Write rows, coverage, quarantine and the run's counters in one transaction; FencedError when the run was taken over."""
