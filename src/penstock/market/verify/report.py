"""What came of a verification: bounded, whatever is wrong. Times are ms."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.market.verify.finding import Finding, Kind, Standing
from penstock.moment import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from penstock.market.verify.stored import Stored

# So many findings of a series are told one by one, and kept in memory to be looked at again; the others are counted.
MOST_SHOWN = 20
MOST_KEPT = 1_000
# So many series are listed, those with something wrong ahead of the others.
_MOST_LISTED = 1_000


@dataclass(slots=True)
class SeriesReport:
    """A series: `candles` were checked, `compared` ones also with the exchange; `error` says why that was not possible for all of them."""

    one: Stored
    candles: int = 0
    first: int | None = None
    last: int | None = None
    off_grid: int = 0
    compared: int = 0
    error: str | None = None
    error_code: str | None = None
    counts: dict[Standing, Counter[Kind]] = field(
        default_factory=lambda: {standing: Counter() for standing in Standing}
    )
    findings: list[tuple[Finding, Standing]] = field(default_factory=list)

    def add(self, findings: Iterable[Finding], standing: Standing = Standing.WRONG) -> None:
        """Take them in."""
        for finding in findings:
            self.counts[standing][finding.kind] += finding.count
            if len(self.findings) < MOST_KEPT:
                self.findings.append((finding, standing))

    def settle(self, place: int, standing: Standing) -> None:
        """Say what became of the finding at a place of the list."""
        finding, before = self.findings[place]
        self.counts[before][finding.kind] -= finding.count
        self.counts[standing][finding.kind] += finding.count
        self.findings[place] = finding, standing

    @property
    def wrong(self) -> int:
        """How many candles something is wrong with."""
        return self.counts[Standing.WRONG].total()

    @property
    def standing(self) -> Iterator[tuple[int, Finding]]:
        """The findings that still stand, with their places in the list."""
        return (
            (place, finding)
            for place, (finding, standing) in enumerate(self.findings)
            if standing is Standing.WRONG
        )

    def as_json(self) -> dict[str, Any]:
        """JSON values only."""
        instrument = self.one.key.instrument
        shown = sorted(
            self.findings, key=lambda found: (found[1] is not Standing.WRONG, found[0].start)
        )[:MOST_SHOWN]
        return {
            "exchange": instrument.exchange,
            "symbol": instrument.symbol,
            "timeframe": self.one.key.timeframe.value,
            "from": None if self.first is None else iso(self.first),
            "to": None if self.last is None else iso(self.last),
            "candles": self.candles,
            "compared": self.compared,
            "off_grid": self.off_grid,
            **{
                standing.value: {
                    kind.value: count for kind, count in self.counts[standing].items() if count
                }
                for standing in Standing
            },
            "findings": [_finding_fields(finding, standing) for finding, standing in shown],
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What came of it, series by series. `rest` and `sample` say what was compared with the exchange, `seed` repeats the sample."""

    reports: Sequence[SeriesReport]
    sample: int | None
    seed: int
    rest: bool
    repair: bool

    def summary(self) -> dict[str, Any]:
        """See penstock.runs.runner.Outcome."""
        failed = {
            _name(report): report.error for report in self.reports if report.error is not None
        }
        shown = sorted(
            self.reports, key=lambda report: (not report.wrong, not any(report.counts.values()))
        )
        return {
            "candles": sum(report.candles for report in self.reports),
            "compared": sum(report.compared for report in self.reports),
            "series": len(self.reports),
            "series_wrong": sum(bool(report.wrong) for report in self.reports),
            **{
                standing.value: sum(report.counts[standing].total() for report in self.reports)
                for standing in Standing
            },
            "against": "rest" if self.rest else "none",
            "sample": self.sample,
            "seed": None if self.sample is None else self.seed,
            "repair": self.repair,
            "reports": [report.as_json() for report in shown[:_MOST_LISTED]],
            "failures": dict(list(failed.items())[:_MOST_LISTED]),
            "error_codes": Counter(
                report.error_code for report in self.reports if report.error_code is not None
            ),
        }


def _name(report: SeriesReport) -> str:
    return str(report.one.key)


def _finding_fields(finding: Finding, standing: Standing) -> dict[str, Any]:
    place = {"start": iso(finding.start), "end": iso(finding.end), "candles": finding.count}
    return {
        "kind": finding.kind.value,
        **place,
        "standing": standing.value,
        "detail": finding.detail,
    }
