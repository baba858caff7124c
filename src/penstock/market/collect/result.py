"""What came of a collection."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.errors import RetryableError, RunFailedError, RunUnavailableError
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from penstock.errors import SourceError
    from penstock.market.collect.coverage import Span
    from penstock.market.collect.page import SeriesTarget
    from penstock.market.instrument import SeriesKey
    from penstock.runs.run import Counters

# How many gaps a result names; the ledger has them all.
_GAPS_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectResult:
    """What a run did.

    `failures` maps a series to its error, `error_codes` counts those by kind. `rejected` and
    `misaligned` count rows by series; misaligned candles are stored. `gaps` counts the gaps asked
    for, `first_gaps` has the first of them as JSON values.
    """

    counters: Counters
    series: int
    failures: Mapping[str, str]
    error_codes: Mapping[str, int]
    rejected: Mapping[str, int]
    misaligned: Mapping[str, int]
    gaps: int
    first_gaps: Sequence[Mapping[str, Any]]

    def summary(self) -> dict[str, object]:
        """The result of the run, as JSON values."""
        return {
            "series": self.series,
            "failures": self.failures,
            "error_codes": self.error_codes,
            "rejected": self.rejected,
            "misaligned": self.misaligned,
            "gaps": self.gaps,
            "first_gaps": self.first_gaps,
        }


def result_of(
    targets: Sequence[SeriesTarget], counters: Counters, *, asked_since: int
) -> CollectResult:
    """The result of a run, with the gaps that it asked for; raises RunFailedError if all failed."""
    failures = {str(target.key): target.error for target in targets if target.error is not None}
    if failures and len(failures) == len(targets):
        raise _all_failed(failures, kept=counters.inserted + counters.updated)
    gaps = [
        (target.key, span)
        for target in targets
        for span in target.coverage.gaps_asked_since(asked_since)
    ]
    return CollectResult(
        counters=counters,
        series=len(targets),
        failures={series: str(error) for series, error in failures.items()},
        error_codes=Counter(error.code for error in failures.values()),
        rejected={str(target.key): target.rejected for target in targets if target.rejected},
        misaligned={str(target.key): target.misaligned for target in targets if target.misaligned},
        gaps=len(gaps),
        first_gaps=[_gap(key, span) for key, span in gaps[:_GAPS_NAMED]],
    )


def _gap(key: SeriesKey, span: Span) -> dict[str, Any]:
    return {
        "series": str(key),
        "start": iso(span.start),
        "end": iso(span.end),
        "candles": key.timeframe.candles_within(span.start, span.end),
        "reason": span.state.value,
    }


def _all_failed(
    failures: Mapping[str, SourceError], *, kept: int
) -> RunFailedError | RunUnavailableError:
    series, first = next(iter(failures.items()))
    written = f"{kept:,} candles kept; run again to continue; " if kept else ""
    message = f"0 of {len(failures)} series finished; {written}{series}: {first}"
    may_pass = any(isinstance(error, RetryableError) for error in failures.values())
    return RunUnavailableError(message) if may_pass else RunFailedError(message)
